/*
 * libos_string.c - the library OS's own memory and string functions, and its
 * snprintf, against expectations.
 */
#include "unit.h"

UNIT(string_printf)
{
	char b[64];

	EQ(snprintf(b, sizeof(b), "%5d|%-5d|%05x", -42, 7, 0xab), 17);
	CHECK(!strcmp(b, "  -42|7    |000ab"));
	EQ(snprintf(b, 4, "%s", "abcdef"), 6);
	CHECK(!strcmp(b, "abc"));
	snprintf(b, sizeof(b), "%lu %lx %c%%", ~0ul, ~0ul, 'x');
	CHECK(!strcmp(b, "18446744073709551615 ffffffffffffffff x%"));
	snprintf(b, sizeof(b), "%.3s|%8.3s|%-8s|", "abcdef", "xyzzy", "ab");
	CHECK(!strcmp(b, "abc|     xyz|ab      |"));
	snprintf(b, sizeof(b), "%ld", (long)(-0x7fffffffffffffffl - 1));
	CHECK(!strcmp(b, "-9223372036854775808"));
	EQ(snprintf(NULL, 0, "%d", 12345), 5);
}
