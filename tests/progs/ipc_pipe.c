/* ipc_pipe.c - pipes and FIFOs: ends, sizes, packets, atomicity, opening. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

static volatile int pipe_signals;

static void on_sigpipe(int sig)
{
	pipe_signals += sig == SIGPIPE;
}

static void basics(void)
{
	char b[16];
	int p[2], n;
	struct stat st;

	CHECK(pipe(p) == 0);
	CHECK(write(p[1], "hello", 5) == 5);
	CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 5);
	CHECK(read(p[0], b, 2) == 2 && !memcmp(b, "he", 2));
	CHECK(read(p[0], b, 16) == 3 && !memcmp(b, "llo", 3));
	CHECK(fstat(p[0], &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK((st.st_mode & 07777) == 0600 && st.st_blksize == 4096);
	CHECK_ERRNO(lseek(p[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERRNO(pread(p[0], b, 1, 0), ESPIPE);
	CHECK_ERRNO(write(p[0], "x", 1), EBADF);
	CHECK_ERRNO(read(p[1], b, 1), EBADF);
	CHECK(write(p[1], "", 0) == 0);
	CHECK((fcntl(p[0], F_GETFL) & O_ACCMODE) == O_RDONLY);
	CHECK((fcntl(p[1], F_GETFL) & O_ACCMODE) == O_WRONLY);
	CHECK_ERRNO(fsync(p[1]), EINVAL);
	CHECK_ERRNO(ftruncate(p[1], 0), EINVAL);
	close(p[1]);
	CHECK(read(p[0], b, 1) == 0);
	close(p[0]);
	CHECK_ERRNO(pipe2(p, 0x40), EINVAL);
	CHECK_ERRNO(pipe((int *)8), EFAULT);
	CHECK(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0);
	CHECK(fcntl(p[0], F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(p[1], F_GETFL) == (O_WRONLY | O_NONBLOCK));
	CHECK_ERRNO(read(p[0], b, 1), EAGAIN);
	CHECK_ERRNO(write(p[1], (void *)8, 4), EFAULT);
	CHECK(read(p[0], b, 0) == 0);
	close(p[0]);
	close(p[1]);
}

static void broken(void)
{
	int p[2];
	struct pollfd pf;

	signal(SIGPIPE, on_sigpipe);
	pipe(p);
	close(p[0]);
	CHECK_ERRNO(write(p[1], "x", 1), EPIPE);
	CHECK(pipe_signals == 1);
	pf = (struct pollfd){ p[1], POLLOUT, 0 };
	CHECK(poll(&pf, 1, 0) == 1 && pf.revents == (POLLOUT | POLLERR));
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(write(p[1], "x", 1), EPIPE);
	close(p[1]);
}

static void sizes(void)
{
	static char big[200000];
	int p[2], n;

	pipe2(p, O_NONBLOCK);
	CHECK(fcntl(p[0], F_GETPIPE_SZ) == 65536);
	CHECK(write(p[1], big, sizeof(big)) == 65536);
	CHECK_ERRNO(write(p[1], "x", 1), EAGAIN);
	CHECK_ERRNO(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
	CHECK(fcntl(p[1], F_SETPIPE_SZ, 100000) == 131072);
	CHECK(write(p[1], big, 200000) == 65536);
	CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 131072);
	CHECK(read(p[0], big, 131072 - 10) == 131072 - 10);
	CHECK(read(p[0], big, 100) == 10);
	CHECK(fcntl(p[1], F_SETPIPE_SZ, 1) == 4096);
	CHECK(write(p[1], big, 100) == 100);
	CHECK_ERRNO(write(p[1], big, 4096), EAGAIN);
	CHECK(read(p[0], big, 5000) == 100);
	CHECK(write(p[1], big, 4096) == 4096);
	close(p[0]);
	close(p[1]);
}

static void packets(void)
{
	char b[64];
	int p[2], n;

	CHECK(pipe2(p, O_DIRECT | O_NONBLOCK) == 0);
	write(p[1], "first", 5);
	write(p[1], "second", 6);
	CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 11);
	CHECK(read(p[0], b, 64) == 5 && !memcmp(b, "first", 5));
	CHECK(read(p[0], b, 3) == 3 && !memcmp(b, "sec", 3));
	CHECK_ERRNO(read(p[0], b, 3), EAGAIN);
	close(p[0]);
	close(p[1]);
}

static void *reader(void *arg)
{
	char b[5000];
	long total = 0, n;

	while ((n = read(*(int *)arg, b, sizeof(b))) > 0)
		total += n;
	return (void *)total;
}

/* A blocked writer, vectors, and a child at the other end. */
static void blocking(void)
{
	static char big[300000];
	struct iovec v[3] = { { "ab", 2 }, { "", 0 }, { "cde", 3 } };
	pthread_t th;
	void *got;
	char b[8];
	int p[2], st;

	pipe(p);
	pthread_create(&th, NULL, reader, &p[0]);
	CHECK(write(p[1], big, sizeof(big)) == sizeof(big));
	close(p[1]);
	pthread_join(th, &got);
	CHECK((long)got == sizeof(big));
	close(p[0]);

	pipe(p);
	CHECK(writev(p[1], v, 3) == 5);
	v[0].iov_base = b;
	v[1].iov_base = b + 2;
	CHECK(readv(p[0], v, 2) == 2);
	CHECK(read(p[0], b, 8) == 3 && !memcmp(b, "cde", 3));
	if (!fork()) {
		close(p[0]);
		usleep(20000);
		_exit(write(p[1], "kid", 3) != 3);
	}
	close(p[1]);
	CHECK(read(p[0], b, 8) == 3 && !memcmp(b, "kid", 3));
	CHECK(read(p[0], b, 8) == 0);
	CHECK(wait(&st) > 0 && st == 0);
	close(p[0]);
}

/* Two writers: no write of up to PIPE_BUF bytes is torn. */
static void atomic(void)
{
	char b[4096];
	int p[2], torn = 0, rounds = 0;

	pipe(p);
	for (int kid = 0; kid < 2; kid++)
		if (!fork()) {
			memset(b, 'a' + kid, sizeof(b));
			for (int i = 0; i < 50; i++)
				write(p[1], b, sizeof(b));
			_exit(0);
		}
	close(p[1]);
	for (;;) {
		long n = 0, r;

		while (n < 4096 && (r = read(p[0], b + n, 4096 - n)) > 0)
			n += r;
		if (n < 4096)
			break;
		rounds++;
		for (int i = 1; i < 4096; i++)
			torn += b[i] != b[0];
	}
	CHECK(rounds == 100 && torn == 0);
	while (wait(NULL) > 0)
		;
	close(p[0]);
}

static void on_alarm(int sig) { }

static void interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	char b[1];
	int p[2];

	pipe(p);
	sigaction(SIGUSR1, &sa, NULL);
	if (!fork()) {
		usleep(50000);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	CHECK_ERRNO(read(p[0], b, 1), EINTR);
	wait(NULL);
	sa.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &sa, NULL);
	if (!fork()) {
		usleep(30000);
		kill(getppid(), SIGUSR1);
		usleep(30000);
		write(p[1], "r", 1);
		_exit(0);
	}
	CHECK(read(p[0], b, 1) == 1 && b[0] == 'r');
	wait(NULL);
	close(p[0]);
	close(p[1]);
}

static void fifos(void)
{
	char name[64], b[8];
	int r, w, both;
	struct pollfd pf;
	struct stat st;

	snprintf(name, sizeof(name), "/tmp/ipc_fifo.%d", (int)getpid());
	CHECK(mkfifo(name, 0640) == 0);
	CHECK(stat(name, &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK_ERRNO(mkfifo(name, 0640), EEXIST);
	CHECK_ERRNO(open(name, O_WRONLY | O_NONBLOCK), ENXIO);
	r = open(name, O_RDONLY | O_NONBLOCK);
	CHECK(r >= 0);
	CHECK(read(r, b, 1) == 0);
	pf = (struct pollfd){ r, POLLIN, 0 };
	CHECK(poll(&pf, 1, 0) == 0);
	w = open(name, O_WRONLY | O_NONBLOCK);
	CHECK(w >= 0);
	CHECK_ERRNO(read(r, b, 1), EAGAIN);
	CHECK(write(w, "fifo", 4) == 4 && read(r, b, 8) == 4);
	close(w);
	CHECK(poll(&pf, 1, 0) == 1 && pf.revents == POLLHUP);
	CHECK(read(r, b, 1) == 0);
	close(r);
	both = open(name, O_RDWR);
	CHECK(both >= 0 && write(both, "x", 1) == 1 && read(both, b, 1) == 1);
	close(both);
	if (!fork()) {
		usleep(20000);
		w = open(name, O_WRONLY);
		write(w, "late", 4);
		_exit(0);
	}
	r = open(name, O_RDONLY);
	CHECK(r >= 0 && read(r, b, 8) == 4 && !memcmp(b, "late", 4));
	wait(NULL);
	close(r);
	CHECK(unlink(name) == 0);
}

int main(void)
{
	basics();
	broken();
	sizes();
	packets();
	blocking();
	atomic();
	interrupted();
	fifos();
	return check_done();
}
