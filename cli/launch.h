/*
 * launch.h - what `run`, `resume` and `branch` have in common: from a
 * complete request to a running sandbox that is listed, and its foreground.
 *
 * Order: launch_claim (id, name, directory), the caller completes the
 * request's config, launch_start (streams, state.json, sandbox_start), then
 * launch_finish, which returns the command's exit status.
 */
#ifndef BAILEY_LAUNCH_H
#define BAILEY_LAUNCH_H

#include "cli/request.h"
#include "cli/state.h"

struct launch {
	struct request request;
	struct state state;
	struct sandbox sandbox;
	const char *origin; /* id of the image that it goes on from, or NULL */
	int relay;          /* our end of the console's stream, or -1 */
	bool is_stdin_used; /* the image came from there */
	bool is_alone;      /* runs on though nobody hears of it (baton.h) */
};

int launch_claim(struct launch *l, struct err *e);
/* On failure nothing is left behind. */
int launch_start(struct launch *l, struct err *e);
/* Until its end, or, for a detached one, no longer than it takes to print its
 * id.  One that came through a pipe ends again if nobody reads its id: then
 * the connection to where it came from is broken, and there it runs on. */
int launch_finish(struct launch *l);
/* Give the name and the directory back. */
void launch_undo(struct launch *l);

/* ---- the library OS's file (libos.c) ------------------------------------ */
enum { BUILD_ID_MAX = 41 };
/* Its build id in hexadecimal, "" if it has none. */
int libos_build_id(int fd, char id[BUILD_ID_MAX]);
/* The path of the one that belongs to this command, or NULL. */
const char *libos_installed(void);
/* Opens the one that the sandbox runs under, checked by its build id. */
int libos_open(const struct state *s, struct err *e);
/* The same file for later saves: a copy in the state directory, unless it is
 * the installed one.  path: where an image's was unpacked; returns where it
 * is to be started from, or NULL with e. */
const char *libos_keep(const struct state *s, const char *path, struct err *e);

/* ---- trees of the host (trees.c) ---------------------------------------- */
/* The library OS knows host trees by their number: LAYER and VOLUME mounts in
 * the order of mounting.  "Trees" of state.json lists them. */
json_t *trees_json(const struct sandbox_config *c);
/* image_file_fn over such a list (arg): a file's path on this host; refuses
 * whatever would lead out of the tree. */
bool trees_find(void *arg, uint32_t tree, const char *path, char *host,
		size_t size);

#endif
