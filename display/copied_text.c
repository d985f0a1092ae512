/*
 * copied_text.c - text (copied.h).
 */
#include "display/copied.h"

#include <stdlib.h>
#include <string.h>
#include <winpr/string.h>

/* Little-endian UTF-16 with CR LF to UTF-8. */
bool copied_text_in(const uint8_t *data, size_t size, struct copied *out)
{
	size_t units = size / 2, n = 0;
	WCHAR *wide;
	char *text = NULL;
	int got;

	*out = (struct copied){ 0 };
	wide = size > COPIED_TEXT_MAX ? NULL : calloc(units + 1, sizeof(WCHAR));
	if (!wide)
		return false;
	memcpy(wide, data, units * sizeof(WCHAR));
	got = ConvertFromUnicode(CP_UTF8, 0, wide, -1, &text, 0, NULL, NULL);
	free(wide);
	if (got <= 0 || !text)
		return false;
	for (char *p = text; *p; p++)
		if (*p != '\r')
			text[n++] = *p;
	text[n] = 0;
	*out = (struct copied){ (uint8_t *)text, n };
	return true;
}

static char *with_crlf(const uint8_t *text, size_t length)
{
	char *out = malloc(length * 2 + 1), *to = out;

	if (!out)
		return NULL;
	for (size_t i = 0; i < length && text[i]; i++) {
		if (text[i] == '\n' && (!i || text[i - 1] != '\r'))
			*to++ = '\r';
		*to++ = (char)text[i];
	}
	*to = 0;
	return out;
}

bool copied_text_out(const uint8_t *data, size_t size, struct copied *out)
{
	char *lines = size > COPIED_TEXT_MAX ? NULL : with_crlf(data, size);
	WCHAR *wide = NULL;
	int n = lines ? ConvertToUnicode(CP_UTF8, 0, lines, -1, &wide, 0) : 0;

	free(lines);
	*out = (struct copied){ (uint8_t *)wide,
		n > 0 ? (size_t)n * sizeof(WCHAR) : 0 };
	return n > 0;
}
