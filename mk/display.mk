# The display: guest programs beside the command, in display/.  Built only
# where the libraries' headers are (DEPS_DISPLAY); without them `bailey run
# --display` says what is missing.
DEPS_DISPLAY := freerdp2-dev libx11-dev libxtst-dev libxdamage-dev \
	libxfixes-dev libxrandr-dev libssl-dev pkg-config libwayland-dev \
	wayland-protocols libxkbcommon-x11-dev libpixman-1-dev libxrender-dev \
	libxext-dev libasound2-dev libpng-dev
DISPLAY_PC := freerdp-server2 freerdp2 winpr2 x11 xtst xdamage xfixes xrandr libcrypto \
	libpng
WAYLAND_PC := wayland-server xkbcommon-x11 xcb pixman-1 x11 xext xfixes xrender
DISPLAY_FOUND := $(shell pkg-config --exists $(DISPLAY_PC) $(WAYLAND_PC) \
	wayland-protocols wayland-scanner alsa 2>/dev/null && echo yes)
# Headers of others: their warnings are not ours.
DISPLAY_INC = $(subst -I/,-isystem /,$(shell pkg-config --cflags \
	$(DISPLAY_PC) $(WAYLAND_PC) 2>/dev/null))
DISPLAY_OUT := $(B)/display-programs
DISPLAY_CFLAGS := -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE -I. -MMD -MP
SESSION_OBJ := $(patsubst %,$(B)/display/%.o,session login screen coder dsp \
	pointer input layout clipboard certificate keys framebuffer turn resize size)

WAYLAND_OBJ := $(patsubst %,$(B)/display/wayland/%.o,main surface subsurface \
	window shell toplevel popup seat pointer cursor keyboard data primary \
	selection drag)
PROTOCOLS := $(shell pkg-config --variable=pkgdatadir wayland-protocols \
	2>/dev/null)
SESSION_OBJ += $(patsubst %,$(B)/display/%.o,sound clipboard_in clipboard_out \
	copied_text copied_image)
PROTOCOL_xdg-shell := $(PROTOCOLS)/stable/xdg-shell/xdg-shell.xml
PROTOCOL_xdg-decoration := \
	$(PROTOCOLS)/unstable/xdg-decoration/xdg-decoration-unstable-v1.xml
PROTOCOL_primary-selection := $(PROTOCOLS)/unstable/primary-selection/$\
	primary-selection-unstable-v1.xml
PROTOCOL_OBJ := $(patsubst %,$(B)/display/%.o,xdg-shell xdg-decoration \
	primary-selection)

ifeq ($(DISPLAY_FOUND),yes)
all: display
else
all: display-missing
endif

display: $(B)/tests/rdp-fuzz $(B)/tests/session-fuzzed $(B)/bench/rdp-client \
	$(B)/tests/x-flood
display: $(B)/tests/rdp-type $(DISPLAY_OUT)/bailey-display $(DISPLAY_OUT)/bailey-display-session \
	$(DISPLAY_OUT)/bailey-display-windows $(DISPLAY_OUT)/bailey-display-wayland \
	$(DISPLAY_OUT)/bailey-display-gl.so
display-missing:
	@echo "without a display: needs the packages $(DEPS_DISPLAY)"

$(DISPLAY_OUT)/bailey-display: $(B)/display/supervisor.o $(B)/display/access.o \
		$(B)/display/wayland_socket.o
	@mkdir -p $(@D)
	$(CC) -o $@ $^
$(DISPLAY_OUT)/bailey-display-windows: $(B)/display/windows.o $(B)/display/size.o
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(shell pkg-config --libs x11 xrandr 2>/dev/null)
$(DISPLAY_OUT)/bailey-display-gl.so: display/gl.c
	@mkdir -p $(@D)
	$(CC) $(filter-out -MMD -MP,$(DISPLAY_CFLAGS)) -fPIC -shared -o $@ $<
# FreeRDP without what it brings and nobody here uses: an eighth of the time to
# start, a third of the memory.
FREERDP_SO = $(addprefix $(shell pkg-config --variable=libdir freerdp2 \
	2>/dev/null)/,libfreerdp2.so libwinpr2.so)
$(DISPLAY_OUT)/absent: tools/gen-absent.sh $(FREERDP_SO)
	sh tools/gen-absent.sh $@ $(CC) $(FREERDP_SO)
$(DISPLAY_OUT)/bailey-display-session: $(SESSION_OBJ) | $(DISPLAY_OUT)/absent
	@mkdir -p $(@D)
	$(CC) -o $@ $(SESSION_OBJ) -Wl,--disable-new-dtags \
	  -Wl,-rpath,'$$ORIGIN/absent' \
	  $(shell pkg-config --libs $(DISPLAY_PC) 2>/dev/null)
$(DISPLAY_OUT)/bailey-display-wayland: $(WAYLAND_OBJ) $(PROTOCOL_OBJ)
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(shell pkg-config --libs $(WAYLAND_PC) 2>/dev/null)
$(B)/gen/%-server.h:
	@mkdir -p $(@D)
	wayland-scanner server-header $(PROTOCOL_$*) $@
$(PROTOCOL_OBJ): $(B)/display/%.o:
	@mkdir -p $(@D)
	wayland-scanner private-code $(PROTOCOL_$*) $(B)/gen/$*.c
	$(CC) -O2 -c -o $@ $(B)/gen/$*.c
$(WAYLAND_OBJ): DISPLAY_CFLAGS += -I$(B)/gen
$(WAYLAND_OBJ): | $(patsubst $(B)/display/%.o,$(B)/gen/%-server.h,$(PROTOCOL_OBJ))
$(B)/tests/rdp-type: tests/display/rdp-type.c
	@mkdir -p $(@D) $(B)/display
	$(CC) $(DISPLAY_CFLAGS) -MF $(B)/display/rdp-type.d \
	  $(DISPLAY_INC) -o $@ $< $(shell pkg-config --libs freerdp-client2 \
	  freerdp2 winpr2 2>/dev/null)
# ---- hostile clients (tests/display/fuzz.sh) ----
FUZZED_OBJ := $(patsubst $(B)/display/%.o,$(B)/fuzzed/%.o,$(SESSION_OBJ))
$(FUZZED_OBJ): $(B)/fuzzed/%.o: display/%.c
	@mkdir -p $(@D)
	$(CC) $(DISPLAY_CFLAGS) -O1 -fsanitize=address,undefined \
	  -DDISPLAY_DIR='"."' $(DISPLAY_INC) -c -o $@ $<
$(B)/tests/session-fuzzed: $(FUZZED_OBJ)
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined -o $@ $^ \
	  $(shell pkg-config --libs $(DISPLAY_PC) 2>/dev/null)
$(B)/tests/rdp-fuzz: tests/display/rdp-fuzz.c
	@mkdir -p $(@D) $(B)/display
	$(CC) $(DISPLAY_CFLAGS) -MF $(B)/display/rdp-fuzz.d $(DISPLAY_INC) \
	  -o $@ $< $(shell pkg-config --libs freerdp-client2 freerdp2 winpr2 \
	  2>/dev/null) -lssl
-include $(FUZZED_OBJ:.o=.d)
$(B)/tests/x-flood: tests/display/x-flood.c
	@mkdir -p $(@D)
	$(CC) $(filter-out -MMD -MP,$(DISPLAY_CFLAGS)) -o $@ $< -lX11
# ---- make bench-display ----
$(B)/bench/rdp-client: bench/rdp-client.c
	@mkdir -p $(@D)
	$(CC) $(DISPLAY_CFLAGS) $(DISPLAY_INC) -o $@ $< \
	  $(shell pkg-config --libs freerdp-client2 freerdp2 winpr2 2>/dev/null)
$(B)/bench/x-video: bench/x-video.c
	@mkdir -p $(@D)
	$(CC) $(DISPLAY_CFLAGS) -o $@ $< -lX11 -lXext
bench-display: all $(B)/bench/rdp-client $(B)/bench/x-video
	@mkdir -p bench/out
	python3 bench/display.py --bailey $(B)/bailey \
	  --json bench/out/display.json
.PHONY: bench-display

$(B)/display/%.o: display/%.c
	@mkdir -p $(@D)
	$(CC) $(DISPLAY_CFLAGS) $(DISPLAY_INC) -c -o $@ $<
.PHONY: display display-missing
-include $(SESSION_OBJ:.o=.d) $(B)/display/supervisor.d $(B)/display/access.d \
	$(B)/display/windows.d $(B)/display/wayland_socket.d $(WAYLAND_OBJ:.o=.d)
