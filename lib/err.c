/*
 * err.c - see err.h.
 */
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *e, int status, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -1;
	e->status = status;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -1;
}
