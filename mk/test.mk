# Tests, measurements, the demonstration, and what they need installed.
DEPS_BUILD := gcc make clang libjansson-dev linux-libc-dev libc6-dev \
	libzstd-dev libxxhash-dev libsodium-dev
DEPS_TEST := python3 nginx-light redis-server redis-tools wrk tmux vim less \
	golang-go busybox-static sqlite3 curl openssl git perl xz-utils procps \
	libclang-rt-14-dev libzydis-dev memcached rsync openssh-client zstd util-linux
# For more of tests/real/runtimes.sh; big, so only with test-all.
DEPS_ALL := nodejs default-jdk-headless postgresql ruby strace openssh-server \
	iproute2 qemu-system-x86 e2fsprogs

# For tests/display: a client to look with, programs to look at.
DEPS_DISPLAY_TEST := xvfb xterm mousepad xdotool xclip freerdp2-x11 x11-apps \
	alsa-utils x11-utils imagemagick foot wl-clipboard
DEPS_DISPLAY_TEST += chromium-headless-shell
# For tests/display/gl.sh and wayland.sh, with test-all too: Mesa's software
# drivers, toolkits.
DEPS_ALL += mesa-utils mesa-vulkan-drivers vulkan-tools toppler \
	gtk-3-examples gtk-4-examples featherpad qtwayland5 firefox-esr
# For tests/display/programs.sh: more desktop programs.
DEPS_ALL += chromium libreoffice-writer libreoffice-gtk3 gimp gedit \
	gnome-calculator kcalc

# Installs what is missing; needs root or sudo only if something is.
deps:
	@sh tools/deps.sh $(DEPS_BUILD) $(DEPS_TEST)
deps-all:
	@sh tools/deps.sh $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_ALL)
deps-display:
	@sh tools/deps.sh $(DEPS_DISPLAY) $(DEPS_DISPLAY_TEST)
deps-build:
	@sh tools/deps.sh $(DEPS_BUILD)

# Everything that must pass.  With a clean clone this also installs and builds.
test: deps deps-display
	$(MAKE) all
	@B=$(B) bash tests/run.sh
test-all: deps-all test
	@B=$(B) CC=clang bash tests/run.sh
	@B=$(B) bash tests/save.sh
	$(MAKE) bench-check CHECK=instructions
	@B=$(B) bash tests/display/programs.sh

# Programs move into a virtual machine with another kernel, and back.
test-vm: all
	@B=$(B) bash tests/save/vm.sh

demo: deps
	$(MAKE) all
	@B=$(B) bash tools/demo.sh

bench: all
	@mkdir -p bench/out
	python3 bench/run.py --bailey $(B)/bailey --json bench/out/results.json

# Beside CRIU, where one works: make deps-peers.
bench-save: all
	@mkdir -p bench/out
	python3 bench/save.py --bailey $(B)/bailey --json bench/out/save.json

# DENSITY="--budget 16G nginx:clones", for example.
density: all
	@mkdir -p bench/out
	python3 bench/density.py --bailey $(B)/bailey \
	  --json bench/out/density.json $(DENSITY)

# Frames per second of OpenGL and Vulkan in software, native and inside.
bench-frames: all
	@mkdir -p bench/out
	python3 bench/frames.py --bailey $(B)/bailey --json bench/out/frames.json

# What is not installed, or does not work on this host, is named in the report.
# Whole: 20 to 30 minutes on two processors with nothing else to do; QUICK=1:
# 10.  PEERS="size processes", for example, measures these parts again.
DEPS_PEERS := bubblewrap crun podman systemd-container user-mode-linux \
	qemu-system-x86 criu nginx-light redis-server redis-tools wrk gcc
deps-peers:
	@sh tools/deps.sh $(DEPS_PEERS)
	sh bench/fetch.sh $(B)/peers
bench-peers: all
	python3 bench/peers.py --bailey $(B)/bailey --tools $(B)/peers \
	  $(if $(QUICK),--quick) $(PEERS)

# Names what is slower than SPECIFICATION.md says, beyond this run's noise, and
# which system calls take more instructions.  CHECK=instructions: only these.
$(B)/bench/steps: bench/steps.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 $(WARN) -Iinclude -static -no-pie -o $@ $<
bench-check: all $(B)/bench/steps
	python3 bench/check.py --bailey $(B)/bailey --steps $(B)/bench/steps \
	  $(CHECK)

.PHONY: deps-peers bench-peers bench-check bench-frames
.PHONY: deps deps-all deps-display deps-build test test-all test-vm demo bench \
	bench-save density
