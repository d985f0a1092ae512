/*
 * resuming.h - from an image to a request that launch.h can start: what
 * `resume` and `branch` have in common.
 *
 * The image is a stranger's word.  What of this host its sandbox gets is what
 * the request grants: system directories as every sandbox has them, volumes
 * and a root file system that the user named, published ports, the network.
 * An image that was saved with more than that is refused, and says with what.
 */
#ifndef BAILEY_RESUMING_H
#define BAILEY_RESUMING_H

#include "cli/launch.h"
#include "cli/progress.h"

struct resuming {
	const char *file;            /* "-": standard input */
	const char *passphrase_file;
	struct progress progress;
	bool any_processor;          /* as the user says, who takes the risk */
	bool is_many;                /* started by others, each by its own */
	/* the image: */
	struct image_unpacked unpacked;
	json_t *manifest;
	const char *name;            /* that it had, or NULL */
	char id[33];
	bool is_ported;              /* had published ports */
};

/* Opens and checks the image, completes r (options are set before), unpacks.
 * Nothing has been started or is left behind on failure. */
int resuming_prepare(struct resuming *s, struct request *r, struct err *e);
/* Between launch_claim and launch_start: the library OS of the image. */
int resuming_join(const struct resuming *s, struct launch *l, struct err *e);
/* An image at path, asking for its passphrase if it has one and none was
 * given. */
struct image *image_open_asking(const char *path, const char *passphrase_file,
				struct err *e);

/* An image's id in hexadecimal; returns out. */
const char *id_text(const uint8_t id[16], char out[33]);

/* ---- grants.c ----------------------------------------------------------- */
/* Fills l with the trees in the order of the image, from what r grants. */
int grants_match(const struct request *r, const json_t *trees,
		 struct mount_list *l, struct err *e);
/* Where an image's trees are on this host, as trees_find() takes it: system
 * directories, and the root file system if it is given; nothing else. */
json_t *grants_trees(const json_t *manifest, const char *rootfs);
/* -p with "HOST+:GUEST" for a clone: HOST counts up from it. */
int grants_ports(struct request *r, const struct strings *ports,
		 unsigned clone, struct err *e);

#endif
