/*
 * after.c - what a program can begin after it has been resumed: processes,
 * threads, programs, libraries, files, sockets, signals.
 */
#include "save.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>

extern char **environ;
static long doubles(long *v) { return *v *= 2; }

static void processes_verify(void)
{
	char *const words[] = { (char *)"sh", (char *)"-c",
				(char *)"exit 5", NULL };
	char b[64] = "";
	pid_t pid;
	FILE *f;
	int st;

	pid = fork();
	if (!pid)
		_exit(3);
	CHECK(waitpid(pid, &st, 0) == pid && WEXITSTATUS(st) == 3);
	pid = vfork();
	if (!pid) {
		execv("/bin/sh", words);
		_exit(1);
	}
	CHECK(waitpid(pid, &st, 0) == pid && WEXITSTATUS(st) == 5);
	CHECK(!posix_spawn(&pid, "/bin/sh", NULL, NULL, words, environ));
	CHECK(waitpid(pid, &st, 0) == pid && WEXITSTATUS(st) == 5);
	CHECK(WEXITSTATUS(system("test $((6 * 7)) = 42 && exit 9")) == 9);
	f = popen("echo from a pipe | tr a-z A-Z", "r");
	CHECK(f && fgets(b, 64, f) && !strcmp(b, "FROM A PIPE\n"));
	CHECK(!pclose(f));
	CHECK_ERRNO(execv("/nowhere", words), ENOENT);
}

static void *thread(void *arg)
{
	doubles(arg);
	return arg;
}
static void threads_verify(void)
{
	pthread_t t[20];
	long v[20], sum = 0;
	int i, bad = 0;

	for (i = 0; i < 20; i++) {
		v[i] = i;
		bad += pthread_create(&t[i], NULL, thread, &v[i]);
	}
	for (i = 0; i < 20; i++) {
		bad += pthread_join(t[i], NULL);
		sum += v[i];
	}
	CHECK(!bad && sum == 380);
}

static void library_verify(void)
{
	double (*f)(double);
	void *h = dlopen("libm.so.6", RTLD_NOW);

	f = h ? (double (*)(double))dlsym(h, "cbrt") : NULL;
	CHECK(f && f(27.0) > 2.999 && f(27.0) < 3.001);
	if (h)
		dlclose(h);
}

static void objects_verify(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), c, s = -1, fd, p[2];
	char b[8], *map;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(!bind(l, (void *)&a, n) && !listen(l, 1));
	CHECK(!getsockname(l, (void *)&a, &n));
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(!connect(c, (void *)&a, n) && (s = accept(l, NULL, NULL)) >= 0);
	CHECK(write(c, "x", 1) == 1 && read(s, b, 8) == 1);
	CHECK(!pipe(p) && write(p[1], "y", 1) == 1 && read(p[0], b, 8) == 1);
	fd = open("new", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && write(fd, "new file", 8) == 8);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED && !memcmp(map, "new file", 8));
	CHECK(!unlink("new"));
	close(fd);
	fd = open("/usr/bin/env", O_RDONLY); /* a host tree, never asked yet */
	map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(map != MAP_FAILED && !memcmp(map, "\177ELF", 4));
	CHECK(!access("/usr/bin/sort", X_OK) && access("/usr/bin/no", F_OK));
}

static volatile int caught;
static void on_signal(int sig) { caught += sig; }
static void signals_verify(void)
{
	struct pollfd f = { -1, 0, 0 };
	double t = now_ms(CLOCK_MONOTONIC);

	signal(SIGALRM, on_signal);
	CHECK(!raise(SIGALRM) && caught == SIGALRM);
	alarm(1);
	CHECK_ERRNO(poll(&f, 1, 5000), EINTR);
	CHECK(caught == 2 * SIGALRM);
	CHECK(now_ms(CLOCK_MONOTONIC) - t > 900);
}

/* Last: become another program, which sees descriptors and environment. */
static void exec_verify(void)
{
	int p[2];
	char fd[16];

	CHECK(!pipe(p) && write(p[1], "kept", 4) == 4);
	snprintf(fd, sizeof(fd), "%d", p[0]);
	CHECK(!setenv("HANDED", "on", 1));
	execl("/bin/sh", "sh", "-c", "test $HANDED = on && test "
	      "$(head -c 4 <&$0) = kept && echo ok exec", fd, NULL);
	CHECK(!"exec");
}

static void ready_setup(void) { CHECK(1); }
static const struct save_case cases[] = {
	{ "ready", ready_setup, NULL },
	{ "processes", NULL, processes_verify },
	{ "threads", NULL, threads_verify },
	{ "library", NULL, library_verify },
	{ "objects", NULL, objects_verify },
	{ "signals", NULL, signals_verify },
	{ "exec", NULL, exec_verify },
};
SAVE_MAIN(cases)
