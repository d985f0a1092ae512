/*
 * terminal.c - the user's terminal: raw mode, size, and the stream that
 * stands for it inside.
 */
#include "cli/session.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static int raw_fd = -1; /* the terminal that is in raw mode */

void terminal_restore(void)
{
	if (raw_fd >= 0)
		tcsetattr(raw_fd, TCSADRAIN, &saved);
	raw_fd = -1;
}

bool terminal_needs_return(void)
{
	struct termios t;

	return raw_fd >= 0 && !tcgetattr(raw_fd, &t) && !(t.c_oflag & OPOST);
}

void terminal_raw(bool keep_output)
{
	struct termios t;
	int fd = isatty(0) ? 0 : isatty(1) ? 1 : -1;

	if (fd < 0 || tcgetattr(fd, &saved))
		return;
	t = saved;
	cfmakeraw(&t);
	if (keep_output)
		t.c_oflag = saved.c_oflag;
	if (tcsetattr(fd, TCSADRAIN, &t))
		return;
	raw_fd = fd;
	atexit(terminal_restore);
}

void terminal_size(uint32_t *rows, uint32_t *columns)
{
	struct winsize w;

	*rows = 24;
	*columns = 80;
	if (ioctl(1, TIOCGWINSZ, &w) && ioctl(0, TIOCGWINSZ, &w))
		return;
	if (!w.ws_row || !w.ws_col)
		return;
	*rows = w.ws_row;
	*columns = w.ws_col;
}

bool terminal_is_interactive(void)
{
	return isatty(0) && isatty(1);
}

int terminal_pair(int *relay, int *inside, struct err *e)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return err_set(e, STATUS_OURS, "no terminal: %s",
			       strerror(errno));
	fcntl(sv[0], F_SETFL, O_NONBLOCK);
	fcntl(sv[1], F_SETFL, O_NONBLOCK); /* the library OS waits by poll */
	*relay = sv[0];
	*inside = sv[1];
	return 0;
}
