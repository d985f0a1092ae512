# bailey: build.  `make` builds build/bailey; `make test` is everything that
# must pass; `make demo` sets a fresh Debian up and shows the main job.
CC ?= gcc
ARCH := $(shell uname -m)
B ?= build
WERROR ?= -Werror

WARN := -Wall -Wextra $(WERROR) -Wshadow -Wpointer-arith -Wcast-qual \
	-Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes \
	-Wno-unused-parameter
CCINC := $(shell $(CC) -print-file-name=include)
GUESTINC := -nostdinc -isystem $(CCINC) -isystem /usr/include \
	-isystem /usr/include/$(ARCH)-linux-gnu

# The library OS and the host layer: freestanding, no vector registers.
LIBOS_CFLAGS := -std=gnu11 -O2 -g $(WARN) -ffreestanding $(GUESTINC) \
	-Iinclude -Ilibos/include -I. -I$(B)/gen -fpie -mgeneral-regs-only \
	-fno-stack-protector -fno-strict-aliasing -fvisibility=hidden \
	-fno-asynchronous-unwind-tables -include libos/include/libos/hidden.h -fno-common -ffunction-sections \
	-D__bailey_libos__ -MMD -MP
ifeq ($(ARCH),x86_64)
LIBOS_CFLAGS += -mno-red-zone -mcmodel=small -fcf-protection=none
endif
LIBOS_SRC := $(wildcard libos/*/*.c host/*.c libos/arch/$(ARCH)/*.[cS] \
	host/arch/$(ARCH)/*.[cS])
LIBOS_OBJ := $(patsubst %,$(B)/%.o,$(basename $(LIBOS_SRC))) \
	$(B)/gen/weak_syscalls.o

# The command and the monitor: one static binary.
TOOL_CFLAGS := -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE -Iinclude -I. -I$(B)/gen \
	-ffunction-sections -fdata-sections -MMD -MP
TOOL_SRC := $(wildcard cli/*.c monitor/*.c monitor/arch/$(ARCH)/*.c lib/*.c \
	image/*.c image/arch/$(ARCH)/*.c)
TOOL_OBJ := $(patsubst %.c,$(B)/%.o,$(TOOL_SRC))
TOOL_LIBS := -ljansson -lzstd -lxxhash -lsodium -lpthread

all: $(B)/bailey $(B)/libos.elf
.PHONY: all
include $(wildcard mk/*.mk)

$(B)/bailey: $(TOOL_OBJ)
	$(CC) -static -Wl,--gc-sections -o $@ $^ $(TOOL_LIBS)

$(B)/libos.elf: $(LIBOS_OBJ) host/arch/$(ARCH)/libos.lds
	$(CC) -nostdlib -static -Wl,-z,noexecstack -Wl,--build-id \
	  -Wl,-z,max-page-size=4096 -Wl,--no-relax -Wl,-T,host/arch/$(ARCH)/libos.lds \
	  -o $@ $(LIBOS_OBJ)

$(B)/libos/%.o: libos/%.c
	@mkdir -p $(@D)
	$(CC) $(LIBOS_CFLAGS) -c -o $@ $<
$(B)/libos/%.o: libos/%.S
	@mkdir -p $(@D)
	$(CC) $(LIBOS_CFLAGS) -c -o $@ $<
$(B)/host/%.o: host/%.c
	@mkdir -p $(@D)
	$(CC) $(LIBOS_CFLAGS) -c -o $@ $<
$(B)/host/%.o: host/%.S
	@mkdir -p $(@D)
	$(CC) $(LIBOS_CFLAGS) -c -o $@ $<
$(B)/gen/%.o: $(B)/gen/%.c
	$(CC) $(LIBOS_CFLAGS) -c -o $@ $<
$(B)/cli/%.o: cli/%.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -c -o $@ $<
$(B)/monitor/%.o: monitor/%.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -c -o $@ $<
$(B)/image/%.o: image/%.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -c -o $@ $<
$(B)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -c -o $@ $<

# The guest's vDSO.
V := libos/arch/$(ARCH)/vdso
$(B)/gen/vdso.so: $(V)/vdso.S $(V)/vdso.lds
	@mkdir -p $(@D)
	$(CC) -nostdlib -shared -Wl,-soname,linux-vdso.so.1 -Wl,--hash-style=sysv \
	  -Wl,-Bsymbolic -Wl,-z,noexecstack -Wl,--build-id=none -Wl,-T,$(V)/vdso.lds -o $@ $<
$(B)/libos/arch/$(ARCH)/vdso_image.o: $(B)/gen/vdso.so
$(B)/libos/arch/$(ARCH)/vdso_image.o: LIBOS_CFLAGS += -Wa,-I$(B)/gen

# Calls without a handler yet answer ENOSYS.
$(B)/gen/weak_syscalls.c: libos/sys/syscalls.tbl tools/gen-weak.sh
	@mkdir -p $(@D)
	sh tools/gen-weak.sh $< > $@

clean:
	rm -rf $(B)
.PHONY: clean

-include $(LIBOS_OBJ:.o=.d) $(TOOL_OBJ:.o=.d)
