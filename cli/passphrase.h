/*
 * passphrase.h - what an encrypted image is opened with: the first line of a
 * file, or typed at the terminal without being shown.
 */
#ifndef BAILEY_PASSPHRASE_H
#define BAILEY_PASSPHRASE_H

#include "cli/cli.h"

/* NULL with e; the caller forgets it with passphrase_forget. */
char *passphrase_read(const char *file, struct err *e);
/* what: "for web.bly"; twice: asked again, must be the same. */
char *passphrase_ask(const char *what, bool twice, struct err *e);
void passphrase_forget(char *p);

#endif
