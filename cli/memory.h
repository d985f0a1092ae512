/*
 * memory.h - what a running sandbox costs that no other shares (memory.c).
 */
#ifndef CLI_MEMORY_H
#define CLI_MEMORY_H

#include "cli/targets.h"

/* control: a connection of its own, on which nothing was asked yet.  NULL:
 * the host does not show it to this user. */
json_t *memory_json(const struct state *s, int control);

#endif
