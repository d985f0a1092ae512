/*
 * sink.c - see sink.h.
 *
 * A file has no name at all until it is whole (O_TMPFILE), so that even a
 * kill leaves nothing; where the file system cannot do that, it has a hidden
 * name beside the target.  Then it is linked or renamed over the target.
 */
#include "image/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "image/envelope.h"
#include "image/util.h"

#define FLUSH_EVERY (32u << 20)

/* ---- opening ------------------------------------------------------------ */
static int fail_open(struct sink *s, struct err *e)
{
	FAIL(e, "cannot write %s: %s", s->shown, strerror(errno));
	sink_discard(s);
	return -1;
}

/* A hidden name beside the target that nobody else has. */
static char *beside(const char *name)
{
	char *out;

	if (asprintf(&out, ".%.200s.%d-%llx.new", name, (int)getpid(),
		     (unsigned long long)now_ns()) < 0)
		return NULL;
	return out;
}

static int open_file(struct sink *s, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *parent = slash ? strndup(path, (size_t)(slash - path + 1)) :
			       strdup(".");

	s->name = strdup(slash ? slash + 1 : path);
	if (!parent || !s->name || !*s->name) {
		free(parent);
		errno = EISDIR;
		return fail_open(s, e);
	}
	s->dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(parent);
	if (s->dir < 0)
		return fail_open(s, e);
	s->fd = openat(s->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s->fd >= 0)
		return 0;
	s->temp = beside(s->name);
	if (s->temp)
		s->fd = openat(s->dir, s->temp, O_RDWR | O_CREAT | O_EXCL |
			       O_CLOEXEC, 0600);
	return s->fd < 0 ? fail_open(s, e) : 0;
}

static int open_path(struct sink *s, const char *path, struct err *e)
{
	struct stat st;
	bool is_there = !stat(path, &st);
	char *real;
	int rc = 0;

	if (is_there && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return fail_open(s, e);
	}
	/* A device or a named pipe is written to, not replaced. */
	if (is_there && !S_ISREG(st.st_mode)) {
		s->fd = open(path, O_WRONLY | O_CLOEXEC);
		return s->fd < 0 ? fail_open(s, e) : 0;
	}
	/* What a link names is replaced, not the link. */
	real = is_there ? realpath(path, NULL) : NULL;
	rc = open_file(s, real ? real : path, e);
	free(real);
	return rc;
}

int sink_open(struct sink *s, const char *path, const char *passphrase,
	      struct err *e)
{
	bool is_stream = !strcmp(path, "-");

	memset(s, 0, sizeof(*s));
	s->fd = s->dir = -1;
	snprintf(s->shown, sizeof(s->shown), "%s",
		 is_stream ? "standard output" : path);
	if (is_stream) {
		s->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		if (s->fd < 0)
			return fail_open(s, e);
	} else if (open_path(s, path, e)) {
		return -1;
	}
	if (passphrase && !(s->envelope = envelope_start(s, passphrase, e))) {
		sink_discard(s);
		return -1;
	}
	return 0;
}

/* ---- writing ------------------------------------------------------------ */
/* write() that reports a closed pipe instead of dying of it. */
static int put_quietly(int fd, const void *data, size_t size)
{
	const struct timespec none = { 0 };
	sigset_t pipe, old, pending;
	int rc, why;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe, &old);
	rc = write_all(fd, data, size);
	why = errno;
	if (rc && why == EPIPE && !sigismember(&pending, SIGPIPE))
		while (sigtimedwait(&pipe, NULL, &none) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = why;
	return rc;
}

static int fail_write(struct sink *s, struct err *e)
{
	if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
		return FAIL(e, "no room for %s: %s after %llu MB; nothing is "
			    "left there: free some or choose another place",
			    s->shown, strerror(errno),
			    (unsigned long long)(s->file_bytes >> 20));
	if (errno == EPIPE)
		return FAIL(e, "whoever reads %s has gone away: the image is "
			    "not whole", s->shown);
	return FAIL(e, "cannot write %s: %s", s->shown, strerror(errno));
}

int sink_put(struct sink *s, const void *data, size_t size, struct err *e)
{
	if (put_quietly(s->fd, data, size))
		return fail_write(s, e);
	s->file_bytes += size;
	/* Begin early, so that the fsync at the end has little left to do. */
	if (s->dir >= 0 && s->file_bytes - s->flushed >= FLUSH_EVERY) {
		sync_file_range(s->fd, (off_t)s->flushed,
				(off_t)(s->file_bytes - s->flushed),
				SYNC_FILE_RANGE_WRITE);
		s->flushed = s->file_bytes;
	}
	return 0;
}

int sink_write(struct sink *s, const void *data, size_t size, struct err *e)
{
	int rc = s->envelope ? envelope_write(s->envelope, s, data, size, e) :
			       sink_put(s, data, size, e);

	if (!rc)
		s->offset += size;
	return rc;
}

/* ---- the end ------------------------------------------------------------ */
static int give_name(struct sink *s)
{
	char self[64];

	if (!s->temp) {
		s->temp = beside(s->name);
		snprintf(self, sizeof(self), "/proc/self/fd/%d", s->fd);
		if (!s->temp || linkat(AT_FDCWD, self, s->dir, s->temp,
				       AT_SYMLINK_FOLLOW))
			return -1;
	}
	if (renameat(s->dir, s->temp, s->dir, s->name))
		return -1;
	free(s->temp);
	s->temp = NULL;
	return fsync(s->dir);
}

int sink_finish(struct sink *s, struct err *e)
{
	if (s->envelope && envelope_finish(s->envelope, s, e))
		return -1;
	if (s->dir >= 0 && (fsync(s->fd) || give_name(s)))
		return fail_write(s, e);
	/* The last chance of a network file system to report. */
	if (close(s->fd)) {
		s->fd = -1;
		return fail_write(s, e);
	}
	s->fd = -1;
	sink_discard(s);
	return 0;
}

void sink_discard(struct sink *s)
{
	envelope_free(s->envelope);
	if (s->fd >= 0)
		close(s->fd);
	if (s->temp && s->dir >= 0)
		unlinkat(s->dir, s->temp, 0);
	if (s->dir >= 0)
		close(s->dir);
	free(s->temp);
	free(s->name);
	s->envelope = NULL;
	s->temp = s->name = NULL;
	s->fd = s->dir = -1;
}
