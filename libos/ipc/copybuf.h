/*
 * copybuf.h - buffers for data that goes from file to file inside the library
 * OS (splice, sendfile, copy_file_range).
 */
#ifndef LIBOS_IPC_COPYBUF_H
#define LIBOS_IPC_COPYBUF_H

#include <libos/base.h>

#define COPYBUF_SIZE 65536u
#define COPY_MAX 0x7ffff000u /* most bytes of one call, as Linux */

void *copybuf_take(void); /* NULL: no memory */
void copybuf_give(void *buf);

#endif
