/*
 * script.c - the "#!" line of a script: an interpreter and at most one
 * argument, which is the rest of the line without the blanks at its ends.
 *
 * As in Linux the interpreter's path must be complete within the first 256
 * bytes; an argument that does not fit is cut there.
 */
#include "exec_impl.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blanks(char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

int script_parse(char *line, size_t size, char **interp, char **arg)
{
	char *end, *p;
	bool cut;

	if (size < 3 || line[0] != '#' || line[1] != '!')
		return -ENOEXEC;
	if (size > SCRIPT_LINE_MAX)
		size = SCRIPT_LINE_MAX;
	end = memchr(line, '\n', size);
	cut = !end && size == SCRIPT_LINE_MAX;
	if (!end)
		end = line + size - cut;
	*end = '\0';
	while (end > line + 2 && is_blank(end[-1]))
		*--end = '\0';
	*interp = p = skip_blanks(line + 2);
	if (!*p)
		return -ENOEXEC;
	while (*p && !is_blank(*p))
		p++;
	if (!*p && cut)
		return -ENOEXEC; /* perhaps only the start of a longer path */
	if (*p)
		*p++ = '\0';
	p = skip_blanks(p);
	*arg = *p ? p : NULL;
	return 0;
}
