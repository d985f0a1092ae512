/*
 * tamper.c - an image that is well-formed and yet not for this host.
 * usage: tamper version|features FILE    (changes FILE; not encrypted)
 * version: says the next version of the format, under right checksums.
 * features: says that the saving processor had everything.
 */
#include <bailey/image_format.h>

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

static struct image_header header;
static struct image_trailer trailer;
static char *packed;

static void need(int fd, void *to, size_t size, off_t at)
{
	if (pread(fd, to, size, at) != (ssize_t)size)
		exit(2);
}

static void say_features(void)
{
	struct image_index *x = malloc(trailer.index_raw);
	size_t room = ZSTD_compressBound(trailer.index_raw);

	if (ZSTD_decompress(x, trailer.index_raw, packed, trailer.index_size) !=
	    trailer.index_raw)
		exit(3);
	memset(x->features, 0xff, sizeof(x->features));
	packed = realloc(packed, room);
	trailer.index_size = (uint32_t)ZSTD_compress(packed, room, x,
						     trailer.index_raw, 3);
}

/* As include/bailey/image_format.h says. */
static void seal(void)
{
	crypto_generichash_state s;
	uint8_t index[16];

	header.check = XXH3_64bits(&header, offsetof(struct image_header,
						     check));
	crypto_generichash(index, 16, (uint8_t *)packed, trailer.index_size,
			   NULL, 0);
	crypto_generichash_init(&s, NULL, 0, 16);
	crypto_generichash_update(&s, (uint8_t *)&header, sizeof(header));
	crypto_generichash_update(&s, index, 16);
	crypto_generichash_final(&s, trailer.id, 16);
	trailer.check = XXH3_64bits(&trailer, offsetof(struct image_trailer,
						       check));
}

int main(int argc, char **argv)
{
	int fd = argc == 3 ? open(argv[2], O_RDWR) : -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return 1;
	need(fd, &header, sizeof(header), 0);
	need(fd, &trailer, sizeof(trailer), st.st_size - sizeof(trailer));
	packed = malloc(trailer.index_size);
	need(fd, packed, trailer.index_size, trailer.index_offset);
	if (!strcmp(argv[1], "version"))
		header.version++;
	else
		say_features();
	seal();
	if (pwrite(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    ftruncate(fd, trailer.index_offset) ||
	    pwrite(fd, packed, trailer.index_size, trailer.index_offset) < 0 ||
	    pwrite(fd, &trailer, sizeof(trailer), trailer.index_offset +
		   trailer.index_size) != sizeof(trailer))
		return 4;
	return 0;
}
