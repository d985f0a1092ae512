/*
 * passphrase.c - see passphrase.h.
 */
#include "cli/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { PASSPHRASE_MAX = 1024 };

static char *error(struct err *e, const char *text)
{
	err_set(e, STATUS_OURS, "%s", text);
	return NULL;
}

char *passphrase_read(const char *file, struct err *e)
{
	char *text = read_file(file, NULL);

	if (!text)
		return error(e, xasprintf("passphrase file %s: %s", file,
					  strerror(errno)));
	text[strcspn(text, "\r\n")] = 0;
	if (!*text)
		return error(e, xasprintf("passphrase file %s: its first line "
					  "is empty", file));
	return text;
}

void passphrase_forget(char *p)
{
	if (p)
		explicit_bzero(p, strlen(p));
}

/* One line, without echo; the terminal is as before afterwards. */
static char *ask_once(int fd, const char *prompt)
{
	char *line = xcalloc(1, PASSPHRASE_MAX);
	struct termios before, quiet;
	ssize_t n;

	if (tcgetattr(fd, &before))
		return NULL;
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
	quiet.c_lflag |= ICANON | ECHONL | ISIG;
	tcsetattr(fd, TCSAFLUSH, &quiet);
	dprintf(fd, "%s: ", prompt);
	n = read(fd, line, PASSPHRASE_MAX - 1);
	tcsetattr(fd, TCSAFLUSH, &before);
	if (n <= 0)
		return NULL;
	line[strcspn(line, "\r\n")] = 0;
	return line;
}

char *passphrase_ask(const char *what, bool twice, struct err *e)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	char *first, *second = NULL;

	if (fd < 0)
		return error(e, "a passphrase is needed, and there is no "
			     "terminal to ask at; give --passphrase-file FILE");
	first = ask_once(fd, xasprintf("passphrase %s", what));
	if (first && *first && twice)
		second = ask_once(fd, "the same again");
	close(fd);
	if (!first || !*first)
		return error(e, "no passphrase was given");
	if (twice && (!second || strcmp(first, second)))
		return error(e, "the two passphrases differ");
	passphrase_forget(second);
	return first;
}
