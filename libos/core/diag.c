/*
 * diag.c - messages for the user, and the end when an invariant is broken.
 */
#include <bailey/host_abi.h>
#include <libos/base.h>

static void vreport(enum host_report_kind kind, const char *fmt, va_list ap)
{
	char text[512];
	int n = vsnprintf(text, sizeof(text), fmt, ap);

	host_report(kind, 0, 0, text, MIN((size_t)n, sizeof(text) - 1));
}

void klog(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vreport(HOST_REPORT_LOG, fmt, ap);
	va_end(ap);
}

_Noreturn void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vreport(HOST_REPORT_CRASH, fmt, ap);
	va_end(ap);
	host_exit(134); /* as if by SIGABRT */
}
