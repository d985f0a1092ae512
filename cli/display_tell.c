/*
 * display_tell.c - what only the screen's own server knows: the password of
 * the next log-in, its certificate, the screen's size.  A program is started
 * inside for that, as `exec` does; the server tells the password to nobody
 * else.
 */
#include "cli/display.h"
#include "cli/state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 512, WORD_MAX = 128 };

static _Noreturn void ask(const char *id, int out, const char *const what[])
{
	const char *argv[16] = { "bailey", "exec", id,
		DISPLAY_GUEST "/bailey-display", "--tell" };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; what[i] && i < 8; i++)
		argv[5 + i] = what[i];
	dup2(null, 0);
	dup2(out, 1);
	dup2(null, 2);
	execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
	_exit(STATUS_OURS);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until it has said all or time is over. */
static void read_answer(int fd, char *text, int ms)
{
	int64_t end = now_ms() + ms, left;
	struct pollfd p = { fd, POLLIN, 0 };
	size_t n = 0;

	while (n < ANSWER_MAX - 1 && (left = end - now_ms()) > 0 &&
	       poll(&p, 1, (int)left) > 0) {
		ssize_t got = read(fd, text + n, ANSWER_MAX - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	text[n] = 0;
}

/* The sandbox's word: it is shown, and given to programs. */
static bool is_plain(const char *s)
{
	return *s && strlen(s) < WORD_MAX &&
		strspn(s, "abcdefghijklmnopqrstuvwxyz"
		       "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-") == strlen(s);
}

bool display_tell(const char *id, const char *const what[], char *said[],
		  int ms)
{
	char text[ANSWER_MAX], *rest = text, *line;
	int fds[2], status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return false;
	pid = fork();
	if (!pid)
		ask(id, fds[1], what);
	close(fds[1]);
	read_answer(fds[0], text, pid > 0 ? ms : 0);
	close(fds[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	for (int i = 0; what[i]; i++) {
		line = strsep(&rest, "\n");
		if (!line || !rest || !is_plain(line))
			return false;
		said[i] = xstrdup(line);
	}
	return true;
}
