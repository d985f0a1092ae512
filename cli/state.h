/*
 * state.h - what is kept about sandboxes between commands.
 *
 * In the state directory ($XDG_RUNTIME_DIR/bailey, /run/bailey for root, else
 * /tmp/bailey-UID; ours alone, mode 0700):
 *   ID/            one directory per sandbox, ID is 64 hexadecimal digits;
 *                  state.json (written once, before the start) and the
 *                  monitor's files (sandbox.h)
 *   names/NAME     symbolic link to ID: making it is what claims the name
 *
 * A sandbox is "running" while its control socket accepts connections,
 * "exited" when it has an exit file with a status, "created" in between.
 */
#ifndef BAILEY_STATE_H
#define BAILEY_STATE_H

#include <jansson.h>
#include <time.h>

#include "cli/cli.h"

enum state_status { STATE_CREATED, STATE_RUNNING, STATE_EXITED };
struct state {
	char *id, *name, *dir;
	json_t *json;              /* state.json */
	enum state_status status;
	int exit_code;             /* when exited */
	char *reason;              /* why it failed, or "" */
	time_t ended;
};

/* The state directory, made if need be; NULL with e. */
const char *state_root(struct err *e);
/* A new id and directory; claims the name (NULL: a random one). */
int state_create(struct state *s, const char *name, bool replace,
		 struct err *e);
int state_save(struct state *s, struct err *e);
/* By name, id, or unambiguous start of an id. */
int state_find(const char *which, struct state *s, struct err *e);
/* All of them, oldest first; those that were started with --rm and have
 * ended are removed on the way. */
struct states { struct state *v; size_t count; };
int state_list(struct states *l, struct err *e);
void state_remove(struct state *s);
void state_refresh(struct state *s);
const char *state_status_name(enum state_status s);
/* A connection to its monitor, or -1 with e. */
int state_connect(const struct state *s, struct err *e);
json_t *state_command(const struct state *s); /* array of strings */

char *name_random(void);

#endif
