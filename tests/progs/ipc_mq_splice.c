/* ipc_mq_splice.c - POSIX message queues; splice, tee, vmsplice, sendfile,
 * copy_file_range. */
#include "check.h"

#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static volatile int notes, note_value;

static void on_note(int sig, siginfo_t *si, void *c)
{
	notes += si->si_code == SI_MESGQ;
	note_value = si->si_value.sival_int;
}

static void queues(void)
{
	struct mq_attr at = { .mq_maxmsg = 3, .mq_msgsize = 16 }, got;
	struct sigaction sa = { .sa_sigaction = on_note,
				.sa_flags = SA_SIGINFO };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGUSR1,
			       .sigev_value.sival_int = 12 };
	struct timespec past = { 1, 0 };
	struct pollfd pf;
	char name[32], b[16];
	unsigned prio;
	mqd_t q, r;
	int st;

	snprintf(name, sizeof(name), "/ipc_mq.%d", (int)getpid());
	CHECK_ERRNO(mq_open(name, O_RDONLY), ENOENT);
	CHECK_ERRNO(mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &at);
	CHECK(q >= 0);
	CHECK_ERRNO(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &at), EEXIST);
	CHECK(mq_getattr(q, &got) == 0 && got.mq_maxmsg == 3 &&
	      got.mq_msgsize == 16 && got.mq_flags == O_NONBLOCK);
	CHECK_ERRNO(mq_receive(q, b, 16, NULL), EAGAIN);
	CHECK(mq_send(q, "low", 3, 1) == 0);
	CHECK(mq_send(q, "high", 4, 9) == 0);
	CHECK(mq_send(q, "high2", 5, 9) == 0);
	CHECK_ERRNO(mq_send(q, "x", 1, 1), EAGAIN);
	CHECK_ERRNO(mq_send(q, b, 17, 1), EMSGSIZE);
	CHECK_ERRNO(mq_send(q, "x", 1, 32768), EINVAL);
	CHECK_ERRNO(mq_receive(q, b, 15, NULL), EMSGSIZE);
	CHECK(mq_getattr(q, &got) == 0 && got.mq_curmsgs == 3);
	pf = (struct pollfd){ q, POLLIN | POLLOUT, 0 };
	CHECK(poll(&pf, 1, 0) == 1 && pf.revents == POLLIN);
	CHECK(mq_receive(q, b, 16, &prio) == 4 && prio == 9 &&
	      !memcmp(b, "high", 4));
	CHECK(mq_receive(q, b, 16, &prio) == 5 && prio == 9);
	CHECK(mq_receive(q, b, 16, &prio) == 3 && prio == 1);
	got.mq_flags = 0;
	CHECK(mq_setattr(q, &got, &at) == 0 && at.mq_flags == O_NONBLOCK);
	CHECK_ERRNO(mq_timedreceive(q, b, 16, NULL, &past), ETIMEDOUT);
	sigaction(SIGUSR1, &sa, NULL);
	CHECK(mq_notify(q, &ev) == 0);
	CHECK_ERRNO(mq_notify(q, &ev), EBUSY);
	mq_send(q, "n", 1, 0);
	CHECK(notes == 1 && note_value == 12);
	mq_send(q, "m", 1, 0);
	CHECK(notes == 1);
	CHECK(mq_notify(q, &ev) == 0 && mq_notify(q, NULL) == 0);
	mq_receive(q, b, 16, NULL);
	mq_receive(q, b, 16, NULL);
	r = mq_open(name, O_WRONLY);
	CHECK_ERRNO(mq_receive(r, b, 16, NULL), EBADF);
	if (!fork()) {
		usleep(20000);
		_exit(mq_send(r, "from child", 10, 3));
	}
	CHECK(mq_receive(q, b, 16, &prio) == 10 && prio == 3);
	wait(&st);
	CHECK(st == 0);
	CHECK(mq_unlink(name) == 0);
	CHECK_ERRNO(mq_unlink(name), ENOENT);
	CHECK(mq_send(r, "still", 5, 0) == 0);
	mq_close(r);
	mq_close(q);
	CHECK_ERRNO(mq_send(q, "x", 1, 0), EBADF);
	at = (struct mq_attr){ .mq_maxmsg = 0, .mq_msgsize = 1 };
	CHECK_ERRNO(mq_open(name, O_CREAT | O_RDWR, 0600, &at), EINVAL);
}

static int tmp_with(const char *text)
{
	int f = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	write(f, text, strlen(text));
	lseek(f, 0, SEEK_SET);
	return f;
}

static void splices(void)
{
	char b[64];
	int f = tmp_with("0123456789"), g = tmp_with(""), p[2], q[2];
	loff_t off = 4;
	struct iovec v[2] = { { "vec", 3 }, { "tors", 4 } };

	pipe2(p, O_NONBLOCK);
	pipe2(q, O_NONBLOCK);
	CHECK(splice(f, NULL, p[1], NULL, 4, 0) == 4);
	CHECK(lseek(f, 0, SEEK_CUR) == 4);
	CHECK(splice(f, &off, p[1], NULL, 100, 0) == 6 && off == 10);
	CHECK(splice(f, &off, p[1], NULL, 100, 0) == 0);
	CHECK(tee(p[0], q[1], 64, 0) == 10);
	CHECK(read(q[0], b, 64) == 10 && !memcmp(b, "0123456789", 10));
	CHECK(splice(p[0], NULL, g, NULL, 3, 0) == 3);
	off = 5;
	CHECK(splice(p[0], NULL, g, &off, 3, 0) == 3 && off == 8);
	CHECK(pread(g, b, 64, 0) == 8 && !memcmp(b, "012\0\000345", 8));
	CHECK(splice(p[0], NULL, q[1], NULL, 64, 0) == 4);
	CHECK_ERRNO(splice(p[0], NULL, q[1], NULL, 64, 0), EAGAIN);
	CHECK(read(q[0], b, 64) == 4 && !memcmp(b, "6789", 4));
	CHECK_ERRNO(splice(f, NULL, g, NULL, 1, 0), EINVAL);
	CHECK_ERRNO(splice(p[0], &off, g, NULL, 1, 0), ESPIPE);
	CHECK_ERRNO(splice(p[0], NULL, p[1], NULL, 1, 0), EINVAL);
	CHECK_ERRNO(splice(p[1], NULL, g, NULL, 1, 0), EBADF);
	CHECK_ERRNO(splice(p[0], NULL, g, NULL, 1, 0x100), EINVAL);
	CHECK_ERRNO(tee(p[0], g, 1, 0), EINVAL);
	CHECK_ERRNO(tee(p[0], q[1], 1, 0), EAGAIN);
	CHECK(vmsplice(p[1], v, 2, 0) == 7);
	v[0] = (struct iovec){ b, 64 };
	CHECK(vmsplice(p[0], v, 1, 0) == 7 && !memcmp(b, "vectors", 7));
	close(p[1]);
	CHECK(splice(p[0], NULL, q[1], NULL, 64, 0) == 0);
	close(q[0]);
	pipe(p);
	write(p[1], "a", 1);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(splice(p[0], NULL, q[1], NULL, 1, 0), EPIPE);
	close(p[0]);
	close(p[1]);
	close(q[1]);
	close(f);
	close(g);
}

static void sends(void)
{
	static char big[300000], back[300000];
	char b[64];
	int f = tmp_with("0123456789"), g = tmp_with("abc"), s[2], st;
	off_t off = 7;
	long n, all = 0;

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	CHECK(sendfile(s[0], f, NULL, 5) == 5);
	CHECK(lseek(f, 0, SEEK_CUR) == 5);
	CHECK(sendfile(s[0], f, &off, 50) == 3 && off == 10);
	CHECK(lseek(f, 0, SEEK_CUR) == 5);
	CHECK(sendfile(s[0], f, &off, 50) == 0);
	CHECK(read(s[1], b, 64) == 8 && !memcmp(b, "01234789", 8));
	lseek(g, 0, SEEK_END);
	CHECK(sendfile(g, f, NULL, 100) == 5);
	CHECK(pread(g, b, 64, 0) == 8 && !memcmp(b, "abc56789", 8));
	CHECK_ERRNO(sendfile(f, s[0], NULL, 1), EINVAL);
	off = -1;
	CHECK_ERRNO(sendfile(s[0], f, &off, 1), EINVAL);
	CHECK_ERRNO(sendfile(s[0], 999, NULL, 1), EBADF);
	for (n = 0; n < (long)sizeof(big); n++)
		big[n] = (char)(n * 7 + n / 251);
	pwrite(f, big, sizeof(big), 0);
	if (!fork()) {
		off = 0;
		close(s[1]);
		while (off < (off_t)sizeof(big))
			if (sendfile(s[0], f, &off, sizeof(big) - off) <= 0)
				_exit(1);
		_exit(0);
	}
	close(s[0]);
	while ((n = read(s[1], back + all, sizeof(back) - all)) > 0)
		all += n;
	wait(&st);
	CHECK(st == 0 && all == sizeof(big) && !memcmp(big, back, all));
	close(s[1]);
	close(f);
	close(g);
}

static void copies(void)
{
	char b[64];
	int f = tmp_with("0123456789"), g = tmp_with(""), p[2], ro, ap;
	char name[64];
	loff_t in = 2, out = 3;

	CHECK(copy_file_range(f, &in, g, &out, 4, 0) == 4);
	CHECK(in == 6 && out == 7 && lseek(f, 0, SEEK_CUR) == 0);
	CHECK(pread(g, b, 64, 0) == 7 && !memcmp(b, "\0\0\0002345", 7));
	CHECK(copy_file_range(f, NULL, g, NULL, 100, 0) == 10);
	CHECK(lseek(f, 0, SEEK_CUR) == 10 && lseek(g, 0, SEEK_CUR) == 10);
	CHECK(copy_file_range(f, NULL, g, NULL, 100, 0) == 0);
	in = 0;
	out = 5;
	CHECK(copy_file_range(f, &in, f, &out, 5, 0) == 5);
	CHECK(pread(f, b, 64, 0) == 10 && !memcmp(b, "0123401234", 10));
	in = 0;
	out = 2;
	CHECK_ERRNO(copy_file_range(f, &in, f, &out, 5, 0), EINVAL);
	CHECK_ERRNO(copy_file_range(f, &in, g, &out, 5, 1), EINVAL);
	pipe(p);
	CHECK_ERRNO(copy_file_range(f, &in, p[1], NULL, 5, 0), EINVAL);
	snprintf(name, sizeof(name), "/tmp/ipc_copy.%d", (int)getpid());
	ap = open(name, O_CREAT | O_WRONLY | O_APPEND, 0600);
	ro = open(name, O_RDONLY);
	CHECK_ERRNO(copy_file_range(f, &in, ap, NULL, 5, 0), EBADF);
	CHECK_ERRNO(copy_file_range(f, &in, ro, NULL, 5, 0), EBADF);
	CHECK_ERRNO(copy_file_range(ap, NULL, g, NULL, 5, 0), EBADF);
	close(ap);
	ro = open("/tmp", O_RDONLY);
	CHECK_ERRNO(copy_file_range(ro, NULL, g, NULL, 5, 0), EISDIR);
	unlink(name);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	queues();
	splices();
	sends();
	copies();
	return check_done();
}
