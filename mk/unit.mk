# Host-built checks of the library OS, all under sanitizers: pieces of it
# alone, the whole of it over a fake host (tests/unit/fake_*.c), and fuzzers.
SANITIZE := -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
UNIT_CC_FLAGS := $(SANITIZE) -Wall -Wextra -Wno-unused-parameter

# ---- pieces alone: the list of mappings, the ELF parser ----
$(B)/tests/unit-vma: tests/unit/vma.c libos/mm/vma.c libos/mm/mm_impl.h
	@mkdir -p $(@D)
	$(CC) $(UNIT_CC_FLAGS) -Ilibos/include -Iinclude -o $@ $<
$(B)/tests/fuzz-elf: tests/fuzz/elf.c libos/mm/elf.c libos/mm/elf.h
	@mkdir -p $(@D)
	$(CC) $(UNIT_CC_FLAGS) -DFUZZ_STANDALONE -o $@ $<

# ---- the whole: every file but the first code of a sandbox (boot.c) ----
U := $(B)/hosted
UNIT_FLAGS := -std=gnu11 $(WARN) $(SANITIZE) -ffreestanding $(GUESTINC) \
	-Iinclude -Ilibos/include -I. -I$(B)/gen -fno-strict-aliasing \
	-fno-common -D__bailey_libos__ -DLIBOS_HOSTED \
	-include tests/unit/names.h -MMD -MP
UNIT_LIBOS := $(filter-out libos/core/boot.c,$(wildcard libos/*/*.c)) \
	libos/arch/$(ARCH)/rewrite.c libos/arch/$(ARCH)/text_page.c
UNIT_OBJ := $(UNIT_LIBOS:%.c=$(U)/%.o) $(U)/weak_syscalls.o \
	$(patsubst tests/unit/%.c,$(U)/%.o,$(wildcard tests/unit/fake_*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(U)/%.o,$(wildcard \
	tests/unit/libos_*.c tests/unit/unit.c))

$(U)/libos/%.o: libos/%.c
	@mkdir -p $(@D)
	$(CC) $(UNIT_FLAGS) -c -o $@ $<
$(U)/libos/core/string.o: UNIT_FLAGS += -DUNIT_STRING
$(U)/libos/core/heap.o: UNIT_FLAGS += -DUNIT_HEAP
$(U)/weak_syscalls.o: $(B)/gen/weak_syscalls.c
	@mkdir -p $(@D)
	$(CC) $(UNIT_FLAGS) -c -o $@ $<
$(U)/%.o: tests/unit/%.c
	@mkdir -p $(@D)
	$(CC) $(UNIT_FLAGS) -c -o $@ $<
$(U)/fake_heap.o $(U)/libos_heap.o: UNIT_FLAGS += -DUNIT_HEAP
# The fake host is an ordinary program's file.
$(U)/fake_host.o $(U)/fake_host_tree.o: $(U)/%.o: tests/unit/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARN) $(SANITIZE) -D_GNU_SOURCE -Iinclude -I. \
	  -MMD -MP -c -o $@ $<

$(B)/tests/unit-libos: $(UNIT_OBJ) $(UNIT_TESTS)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) -o $@ $^ -lpthread

# ---- the rewriter of system calls against a reference decoder ----
$(U)/rewrite_libos.o: tests/fuzz/rewrite_libos.c
	@mkdir -p $(@D)
	$(CC) $(UNIT_FLAGS) -DUNIT_HEAP -c -o $@ $<
$(B)/tests/fuzz-rewrite: tests/fuzz/rewrite.c tests/fuzz/rewrite.h \
		$(U)/rewrite_libos.o
	@mkdir -p $(@D)
	$(CC) $(UNIT_CC_FLAGS) -D_GNU_SOURCE -o $@ $< $(U)/rewrite_libos.o \
	  -lZydis
-include $(U)/rewrite_libos.d
-include $(UNIT_OBJ:.o=.d) $(UNIT_TESTS:.o=.d)

.PHONY: units
units: $(B)/tests/unit-vma $(B)/tests/fuzz-elf $(B)/tests/fuzz-rewrite \
	$(B)/tests/unit-libos
