# Saved images: round trips, damage, hostile records; with sanitizers.
ARCH := $(shell uname -m)
IMAGE_SRC := $(wildcard image/*.c image/arch/$(ARCH)/*.c) lib/err.c
IMAGE_FLAGS := -std=gnu11 -g -O1 -fsanitize=address,undefined \
	-fno-sanitize-recover=all -Wall -Wextra -Wno-unused-parameter \
	-D_GNU_SOURCE -Iinclude -I. -I$(B)/gen
IMAGE_LIBS := -lzstd -lxxhash -lsodium -lpthread

$(B)/tests/unit-image: tests/unit/image.c tests/unit/image_model.h \
		$(IMAGE_SRC) $(wildcard image/*.h include/bailey/*.h)
	@mkdir -p $(@D)
	$(CC) $(IMAGE_FLAGS) -o $@ $< $(IMAGE_SRC) $(IMAGE_LIBS)

run: $(B)/tests/unit-image
	@d=$$(TMPDIR=$$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) \
	  mktemp -d) && $(B)/tests/unit-image $$d; rc=$$?; rm -rf $$d; \
	exit $$rc
.PHONY: run
