# Host-built checks of libos/mm: the list of mappings against a model, and the
# ELF parser under mutated input, both with sanitizers.
SANITIZE := -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all

$(B)/tests/unit-vma: tests/unit/vma.c libos/mm/vma.c libos/mm/mm_impl.h
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) -Wall -Wextra -Wno-unused-parameter \
	  -Ilibos/include -Iinclude -o $@ $<
$(B)/tests/fuzz-elf: tests/fuzz/elf.c libos/mm/elf.c libos/mm/elf.h
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) -Wall -Wextra -DFUZZ_STANDALONE -o $@ $<

.PHONY: test-mm
test-mm: $(B)/tests/unit-vma $(B)/tests/fuzz-elf
	$(B)/tests/unit-vma
	$(B)/tests/fuzz-elf 300000
