/*
 * cache.h - what is kept between commands, in a directory of the user's own:
 * $XDG_CACHE_HOME/bailey, ~/.cache/bailey, or /var/cache/bailey for root.
 *
 *   images/<id>/        an unpacked image: pages (pages.h), manifest.json,
 *                       needs (needs.c), entry (struct cache_entry); made
 *                       under another name in images/ and renamed when it is
 *                       whole
 *   libos/<check>.elf   library OSes that images carried
 *   sources/<dev>-<ino> which image a file holds
 *   places/<id>         a link to the file that an image was last seen in
 *   hashes/table        of files of the host
 *
 * Everything here can be deleted at any time.  What another user could have
 * written is not used.
 */
#ifndef IMAGE_CACHE_H
#define IMAGE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "image/image.h"

/* Directory sub of the cache, made when it is missing; -1: there is none. */
int cache_open(const char *sub);
/* The path of the cache, without a slash at its end. */
bool cache_path(char *buf, size_t size);

/* ---- unpacked images ---------------------------------------------------- */
/* 1: there and whole; it stays as long as out->pages is open. */
int cache_find(const uint8_t id[16], struct image_unpacked *out,
	       char **manifest, size_t *size);
/* The same for who only wants to know: it does not count as use. */
int cache_look(const uint8_t id[16], struct image_unpacked *out,
	       char **manifest, size_t *size);
/* 1: removed, 0: it is in use, -1: it is not there. name: of a cache_item. */
int cache_remove(const char *name);
/* Removed even so: who uses it has its files open.  0, or -1 with errno. */
int cache_drop(const char *name);

/* ---- how much there is (room.c) ------------------------------------------ */
struct cache_item {
	char name[80];        /* the image's id; or of one that is being made */
	uint64_t bytes;       /* that it takes */
	struct timespec used; /* last */
	bool is_in_use, is_new;
};
/* What was used longest ago comes first; the caller frees. */
struct cache_item *cache_items(size_t *count);
/* 10 GiB, or a quarter of the file system if that is less. */
uint64_t cache_usual_limit(void);
/* Removes what is not in use until so many bytes more are below the limit (0:
 * the usual one). */
int cache_make_room(uint64_t bytes, uint64_t limit, struct err *e);

struct cache_new {
	int images, dir; /* directories: images/ and the new one */
	int pages;       /* its file, locked while it is being made */
	char name[80];   /* in images */
};
int cache_begin(struct cache_new *n, const uint8_t id[16], struct err *e);
/* libos: the check of its blob.  is_synced: to the disk first. */
int cache_finish(struct cache_new *n, const uint8_t id[16],
		 const uint8_t libos[16], const char *manifest, size_t size,
		 bool is_synced, struct err *e);
/* What it needs of the host, before cache_finish(); NULL: nothing was kept. */
void cache_put_needs(struct cache_new *n, const void *data, size_t size);
char *cache_needs(const uint8_t id[16], size_t most, size_t *size);
void cache_abandon(struct cache_new *n);
/* Path of a library OS, made from text if it is not there. */
int cache_libos(const uint8_t check[16], char *path, size_t size);
int cache_put_libos(const uint8_t check[16], const char *data, size_t size,
		    struct err *e);

/* ---- files -------------------------------------------------------------- */
/* Where the file of an image was when it was last unpacked. */
bool cache_place(const uint8_t id[16], char *path, size_t size);
void cache_place_add(const uint8_t id[16], const char *path);
bool cache_source_find(const struct stat *st, uint8_t id[16]);
void cache_source_add(const struct stat *st, const uint8_t id[16]);
bool cache_hash_find(const struct stat *st, uint8_t hash[16]);
void cache_hash_add(const struct stat *st, const uint8_t hash[16]);

#endif
