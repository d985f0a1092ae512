/* Advisory locks and inotify. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char path[64];

static int set(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET,
			   .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &l);
}

/* In a child with its own description: what F_SETLK says. */
static int child_try(int type, off_t start, off_t len)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		int fd = open(path, O_RDWR);

		_exit(set(fd, F_SETLK, type, start, len) ? errno : 0);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void test_posix(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_len = 0 };
	int fd = open(path, O_RDWR), other;

	CHECK(set(fd, F_SETLK, F_WRLCK, 10, 10) == 0);
	CHECK(child_try(F_WRLCK, 0, 10) == 0);
	CHECK(child_try(F_RDLCK, 15, 1) == EAGAIN);
	CHECK(child_try(F_WRLCK, 20, 0) == 0);
	CHECK(set(fd, F_SETLK, F_UNLCK, 13, 3) == 0);
	CHECK(child_try(F_WRLCK, 13, 3) == 0);
	CHECK(child_try(F_WRLCK, 12, 1) == EAGAIN);
	CHECK(child_try(F_WRLCK, 16, 1) == EAGAIN);
	CHECK(set(fd, F_SETLK, F_RDLCK, 0, 0) == 0);
	CHECK(child_try(F_RDLCK, 0, 0) == 0);
	CHECK(child_try(F_WRLCK, 500, 1) == EAGAIN);
	CHECK(fcntl(fd, F_GETLK, &l) == 0 && l.l_type == F_UNLCK);
	other = open(path, O_RDONLY);
	close(other); /* drops the process's locks, as POSIX wants */
	CHECK(child_try(F_WRLCK, 0, 0) == 0);
	CHECK_ERRNO(set(fd, F_SETLK, 77, 0, 0), EINVAL);
	CHECK_ERRNO(set(fd, F_SETLK, F_RDLCK, -5, 1), EINVAL);
	close(fd);
	fd = open(path, O_RDONLY);
	CHECK_ERRNO(set(fd, F_SETLK, F_WRLCK, 0, 0), EBADF);
	close(fd);
}

static void test_flock(void)
{
	int a = open(path, O_RDWR), b = open(path, O_RDWR), c = dup(a);

	CHECK(flock(a, LOCK_SH) == 0 && flock(b, LOCK_SH | LOCK_NB) == 0);
	CHECK_ERRNO(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK(flock(b, LOCK_UN) == 0 && flock(a, LOCK_EX | LOCK_NB) == 0);
	CHECK_ERRNO(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	close(a);
	CHECK_ERRNO(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	close(c);
	CHECK(flock(b, LOCK_SH | LOCK_NB) == 0);
	CHECK_ERRNO(flock(b, 16), EINVAL);
	close(b);
}

static void test_ofd(void)
{
	int a = open(path, O_RDWR), b = open(path, O_RDWR);

	CHECK(set(a, F_OFD_SETLK, F_WRLCK, 0, 10) == 0);
	CHECK_ERRNO(set(b, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
	CHECK(set(b, F_OFD_SETLK, F_WRLCK, 10, 1) == 0);
	CHECK_ERRNO(set(a, F_SETLK, F_WRLCK, 10, 1), EAGAIN);
	close(a);
	CHECK(set(b, F_OFD_SETLK, F_WRLCK, 5, 1) == 0);
	close(b);
}

static void test_blocking(void)
{
	int fd = open(path, O_RDWR), gate[2], status;
	pid_t pid;
	char c;

	CHECK(pipe(gate) == 0 && set(fd, F_SETLK, F_WRLCK, 0, 0) == 0);
	pid = fork();
	if (!pid) {
		int own = open(path, O_RDWR);

		(void)!write(gate[1], "r", 1);
		_exit(set(own, F_SETLKW, F_WRLCK, 0, 0) ? 1 : 0);
	}
	CHECK(read(gate[0], &c, 1) == 1);
	usleep(20000);
	CHECK(waitpid(pid, &status, WNOHANG) == 0);
	CHECK(set(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	close(fd);
}

/* Each of two processes waits for what the other has. */
static void test_deadlock(void)
{
	int fd = open(path, O_RDWR), gate[2], status, mine;
	pid_t pid;
	char c;

	CHECK(pipe(gate) == 0 && set(fd, F_SETLK, F_WRLCK, 0, 1) == 0);
	pid = fork();
	if (!pid) {
		int own = open(path, O_RDWR);

		set(own, F_SETLK, F_WRLCK, 1, 1);
		(void)!write(gate[1], "r", 1);
		_exit(set(own, F_SETLKW, F_WRLCK, 0, 1) ? 1 : 0);
	}
	CHECK(read(gate[0], &c, 1) == 1);
	usleep(20000);
	mine = set(fd, F_SETLKW, F_WRLCK, 1, 1);
	CHECK(mine == -1 && errno == EDEADLK);
	CHECK(set(fd, F_SETLK, F_UNLCK, 0, 1) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	close(fd);
}

static int next_event(int fd, struct inotify_event *e, char *name)
{
	static char buf[4096]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	static ssize_t have, at;

	if (at >= have) {
		have = read(fd, buf, sizeof(buf));
		at = 0;
		if (have <= 0)
			return 0;
	}
	memcpy(e, buf + at, sizeof(*e));
	strcpy(name, e->len ? buf + at + sizeof(*e) : "");
	at += (ssize_t)(sizeof(*e) + e->len);
	return 1;
}

static void test_inotify(void)
{
	struct inotify_event e;
	char name[256], dir[80], file[100], moved[100];
	int in = inotify_init1(IN_NONBLOCK), wd, fd;
	struct pollfd p = { .fd = in, .events = POLLIN };

	snprintf(dir, sizeof(dir), "%s.d", path);
	snprintf(file, sizeof(file), "%s/f", dir);
	snprintf(moved, sizeof(moved), "%s/g", dir);
	CHECK(mkdir(dir, 0755) == 0);
	wd = inotify_add_watch(in, dir, IN_CREATE | IN_DELETE | IN_MOVE |
			       IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE_SELF);
	CHECK(wd == 1 && poll(&p, 1, 0) == 0);
	fd = open(file, O_CREAT | O_WRONLY, 0600);
	(void)!write(fd, "x", 1);
	close(fd);
	rename(file, moved);
	unlink(moved);
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
	while (next_event(in, &e, name))
		SHOW("event %#x %s cookie %d", e.mask, name, e.cookie != 0);
	CHECK(errno == EAGAIN);
	CHECK(rmdir(dir) == 0);
	while (next_event(in, &e, name))
		SHOW("event %#x %s", e.mask, name);
	CHECK_ERRNO(inotify_rm_watch(in, wd), EINVAL);
	CHECK_ERRNO(inotify_add_watch(in, dir, IN_CREATE), ENOENT);
	close(in);
}

int main(void)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/fs_locks.%d", getpid());
	fd = open(path, O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0);
	close(fd);
	test_posix();
	test_flock();
	test_ofd();
	test_blocking();
	test_deadlock();
	test_inotify();
	CHECK(unlink(path) == 0);
	return check_done();
}
