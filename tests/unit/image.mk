# Saved images: round trips, damage, hostile records, mutated files; with
# sanitizers.
ARCH := $(shell uname -m)
IMAGE_SRC := $(wildcard image/*.c image/arch/$(ARCH)/*.c) lib/err.c
IMAGE_FLAGS := -std=gnu11 -g -O1 -fsanitize=address,undefined \
	-fno-sanitize-recover=all -Wall -Wextra -Wno-unused-parameter \
	-D_GNU_SOURCE -Iinclude -I. -I$(B)/gen
IMAGE_LIBS := -lzstd -lxxhash -lsodium -lpthread

IMAGE_OBJ := $(patsubst %.c,$(B)/tests/sanitized/%.o,$(IMAGE_SRC))

$(B)/tests/sanitized/%.o: %.c $(wildcard image/*.h include/bailey/*.h)
	@mkdir -p $(@D)
	$(CC) $(IMAGE_FLAGS) -c -o $@ $<
$(B)/tests/unit-image: tests/unit/image.c tests/unit/image_model.h \
		$(IMAGE_OBJ)
	$(CC) $(IMAGE_FLAGS) -o $@ $< $(IMAGE_OBJ) $(IMAGE_LIBS)
$(B)/tests/unit-image-life: tests/unit/image_life.c tests/unit/image_model.h \
		$(IMAGE_OBJ)
	$(CC) $(IMAGE_FLAGS) -o $@ $< $(IMAGE_OBJ) $(IMAGE_LIBS)
$(B)/tests/fuzz-image: tests/fuzz/image.c tests/unit/image_model.h \
		$(IMAGE_OBJ)
	$(CC) $(IMAGE_FLAGS) -DFUZZ_STANDALONE -o $@ $< $(IMAGE_OBJ) \
	  $(IMAGE_LIBS)

run: $(B)/tests/unit-image $(B)/tests/unit-image-life $(B)/tests/fuzz-image
	@d=$$(TMPDIR=$$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) \
	  mktemp -d) && mkdir $$d/life && $(B)/tests/unit-image $$d && \
	  $(B)/tests/unit-image-life $$d/life && \
	  $(B)/tests/fuzz-image $$d 3000; rc=$$?; rm -rf $$d; \
	exit $$rc
.PHONY: run
