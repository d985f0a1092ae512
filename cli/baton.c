/*
 * baton.c - see baton.h.
 */
#include "cli/baton.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CHUNK (256u << 10)

static int write_whole(int fd, const void *data, size_t size)
{
	const char *p = data;
	ssize_t n;

	for (; size; p += n, size -= (size_t)n) {
		n = write(fd, p, size);
		if (n < 0 && errno != EINTR)
			return -1;
		n = n < 0 ? 0 : n;
	}
	return 0;
}

/* -1: the end came first, or with errno. */
static int read_whole(int fd, void *data, size_t size)
{
	char *p = data;
	ssize_t n;

	for (; size; p += n, size -= (size_t)n) {
		n = read(fd, p, size);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return -1;
	}
	return 0;
}

/* ---- source ------------------------------------------------------------- */
static _Noreturn void send_main(int from, int to)
{
	char *buf = xcalloc(1, 4 + CHUNK);
	uint32_t size;
	ssize_t n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	do {
		n = read(from, buf + 4, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			_exit(1);
		size = (uint32_t)n;
		memcpy(buf, &size, 4);
		if (write_whole(to, buf, 4 + (size_t)n))
			_exit(1);
	} while (n);
	_exit(0);
}

int baton_send(int to, int *pid, struct err *e)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return err_set(e, STATUS_OURS, "pipe: %s", strerror(errno));
	*pid = fork();
	if (*pid == 0) {
		close(ends[1]);
		send_main(ends[0], to);
	}
	close(ends[0]);
	if (*pid > 0)
		return ends[1];
	close(ends[1]);
	return err_set(e, STATUS_OURS, "fork: %s", strerror(errno));
}

/* ---- target ------------------------------------------------------------- */
static int spool_file(void)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? memfd_create("bailey-image", MFD_CLOEXEC) : fd;
}

int baton_receive(int *go, struct err *e)
{
	char *buf = xcalloc(1, CHUNK);
	int to = spool_file();
	uint32_t size = 0;

	while (to >= 0 && !read_whole(0, &size, 4) && size) {
		if (size > CHUNK || read_whole(0, buf, size))
			break;
		if (write_whole(to, buf, size)) {
			close(to);
			to = -1;
		}
	}
	free(buf);
	if (to < 0)
		return err_set(e, STATUS_OURS, "cannot take the image: %s",
			       strerror(errno));
	/* a part of it is for the reader of images to find */
	*go = fcntl(0, F_DUPFD_CLOEXEC, 3);
	if (*go < 0 || lseek(to, 0, SEEK_SET) || dup2(to, 0) < 0)
		return err_set(e, STATUS_OURS, "standard input: %s",
			       strerror(errno));
	close(to);
	return 0;
}

int baton_await(int go, const char *id, struct err *e)
{
	char word[sizeof(BATON_GO)] = "";

	if (printf(BATON_PREPARED "%s\n", id) < 0 || fflush(stdout) ||
	    read_whole(go, word, sizeof(word) - 1) ||
	    strcmp(word, BATON_GO))
		return err_set(e, STATUS_OURS, "the other side has broken off; "
			       "nothing was started");
	close(go);
	return 0;
}
