# Checks of the monitor: the wall's program in an interpreter, the request
# decoder under mutated input, and whole sandboxes around a stand-in for the
# library OS.
MON_TEST_CFLAGS := -std=gnu11 -Wall -Wextra -Wno-unused-parameter \
	-D_GNU_SOURCE -Iinclude -I.
MON_FUZZ_SRC := $(addprefix monitor/,dispatch.c path.c req_fs.c req_net.c \
	req_misc.c watch.c)
MON_SRC := $(wildcard monitor/*.c monitor/arch/$(ARCH)/*.c)

$(B)/tests/unit-wall: tests/unit/wall.c monitor/wall.c monitor/wall.tbl \
		include/bailey/image_header.h
	@mkdir -p $(@D)
	$(CC) -g -O1 -fsanitize=address,undefined $(MON_TEST_CFLAGS) -o $@ $<
$(B)/tests/fuzz-requests: tests/fuzz/monitor_requests.c $(MON_FUZZ_SRC) \
		monitor/mon.h include/bailey/monitor.h
	@mkdir -p $(@D)
	$(CC) -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
	  $(MON_TEST_CFLAGS) -DFUZZ_STANDALONE -o $@ $< $(MON_FUZZ_SRC)
$(B)/tests/wall-run: tests/wall/run.c $(MON_SRC) lib/err.c monitor/mon.h \
		monitor/wall.tbl
	@mkdir -p $(@D)
	$(CC) -g -O2 $(MON_TEST_CFLAGS) -static -o $@ $< $(MON_SRC) lib/err.c
$(B)/tests/fake.elf: tests/wall/fake_libos.c tests/wall/fake.lds host/request.c
	@mkdir -p $(@D)
	$(CC) $(filter-out -MMD -MP,$(LIBOS_CFLAGS)) -Ihost -Wno-missing-prototypes \
	  -Wno-cast-qual -nostdlib -static -no-pie -Wl,-z,noexecstack \
	  -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	  -Wl,-T,tests/wall/fake.lds -o $@ tests/wall/fake_libos.c \
	  host/request.c

.PHONY: test-monitor
test-monitor: $(B)/tests/unit-wall $(B)/tests/fuzz-requests \
		$(B)/tests/wall-run $(B)/tests/fake.elf
	$(B)/tests/unit-wall
	$(B)/tests/fuzz-requests 100000
	sh tests/wall/monitor.sh $(B)/tests/wall-run $(B)/tests/fake.elf
