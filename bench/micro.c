/*
 * micro.c - small measurements, run natively and inside by bench/run.py.
 *
 * usage: micro NAME [FILE [COUNT]]
 * Prints one number: nanoseconds for one operation.  epoll_10000 has a port
 * for FILE: it waits there for so many connections, of which some have sent
 * something.  COUNT operations are measured, and a twentieth more are made
 * before (bench/run.py counts on that).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PACKAGE "/usr/share/perl"
#define PACKAGE_FILES 400
#define CONNECTIONS 10000

static const char *file_name = "/usr/bin/true";
static int fd_a, fd_b;
static char buffer[4096];

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void op_getppid(void) { syscall(SYS_getppid); }
static void op_clock(void)
{
	struct timespec ts;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
}
static void op_sigprocmask(void)
{
	uint64_t set = 0;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &set, 8);
}
static void op_futex_wake(void)
{
	static uint32_t word;

	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void setup_zero(void) { fd_a = open("/dev/zero", O_RDONLY); }
static void setup_null(void) { fd_a = open("/dev/null", O_WRONLY); }
static void op_read1(void)
{
	if (read(fd_a, buffer, 1) != 1)
		die("read");
}
static void op_write1(void)
{
	if (write(fd_a, buffer, 1) != 1)
		die("write");
}

static void setup_file(void)
{
	fd_a = open(file_name, O_RDWR);
	if (fd_a < 0)
		die(file_name);
	if (write(fd_a, buffer, sizeof(buffer)) != sizeof(buffer))
		die("write");
}
static void op_pread(void)
{
	if (pread(fd_a, buffer, sizeof(buffer), 0) != sizeof(buffer))
		die("pread");
}
static void op_pwrite(void)
{
	if (pwrite(fd_a, buffer, sizeof(buffer), 0) != sizeof(buffer))
		die("pwrite");
}
static void op_open(void)
{
	int fd = open("/usr/bin/true", O_RDONLY);

	if (fd < 0)
		die("open");
	close(fd);
}
/* Of the file given: on a volume inside. */
static void op_volume_open(void)
{
	struct stat st;
	int fd = open(file_name, O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		die(file_name);
	close(fd);
}
static void op_volume_stat(void)
{
	struct stat st;

	if (stat(file_name, &st))
		die(file_name);
}
static void op_stat(void)
{
	struct stat st;

	if (stat("/usr/bin/true", &st))
		die("stat");
}

static void echo_loop(int in, int out)
{
	char c;

	while (read(in, &c, 1) == 1)
		if (write(out, &c, 1) != 1)
			break;
	_exit(0);
}
static void setup_pipe(void)
{
	int to[2], from[2];

	if (pipe(to) || pipe(from))
		die("pipe");
	if (fork() == 0) {
		close(to[1]);
		close(from[0]);
		echo_loop(to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	fd_a = to[1];
	fd_b = from[0];
}
static void setup_socketpair(void)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		die("socketpair");
	if (fork() == 0) {
		close(s[0]);
		echo_loop(s[1], s[1]);
	}
	close(s[1]);
	fd_a = fd_b = s[0];
}
static void op_pingpong(void)
{
	char c = 1;

	if (write(fd_a, &c, 1) != 1 || read(fd_b, &c, 1) != 1)
		die("ping-pong");
}

static void op_fork(void)
{
	pid_t p = fork();

	if (p == 0)
		_exit(0);
	if (p < 0 || waitpid(p, NULL, 0) != p)
		die("fork");
}
/* The end of one does not meet the beginning of the next. */
static void op_fork_apart(void)
{
	op_fork();
	usleep(150000);
}
static void op_exec(void)
{
	pid_t p = fork();

	if (p == 0) {
		execl("/bin/true", "true", NULL);
		_exit(127);
	}
	if (p < 0 || waitpid(p, NULL, 0) != p)
		die("fork");
}
static void *nothing(void *arg) { return arg; }
static void op_pthread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, nothing, NULL))
		die("pthread_create");
	pthread_join(t, NULL);
}
static void op_mmap(void)
{
	char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	for (int i = 0; i < 65536; i += 4096)
		p[i] = 1;
	munmap(p, 65536);
}
/* A gigabyte that is the child's too. */
static void setup_gigabyte(void)
{
	size_t size = (size_t)1 << 30;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
}

/* One end of a stream of messages, whose reader is another process. */
static void read_all(int fd)
{
	char message[64];

	while (read(fd, message, sizeof(message)) > 0)
		;
	_exit(0);
}
static void setup_messages(int reader, int writer)
{
	fd_a = writer;
	if (fork() == 0) {
		close(writer);
		read_all(reader);
	}
	close(reader);
}
static void setup_pipe_64(void)
{
	int p[2];

	if (pipe(p))
		die("pipe");
	setup_messages(p[0], p[1]);
}
static void setup_unix_64(void)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		die("socketpair");
	setup_messages(s[0], s[1]);
}
static void op_message(void)
{
	if (write(fd_a, buffer, 64) != 64)
		die("write");
}

/* Many connections that are quiet, a few that have something to be read. */
static int listen_at(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port) };
	int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) || listen(s, 4096))
		die("listen");
	return s;
}
static void setup_connections(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct rlimit l;
	int s;

	if (getrlimit(RLIMIT_NOFILE, &l))
		die("getrlimit");
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
	s = listen_at((uint16_t)atoi(file_name));
	fd_a = epoll_create1(0);
	for (int i = 0; i < CONNECTIONS; i++) {
		ev.data.fd = accept4(s, NULL, NULL, SOCK_NONBLOCK);
		if (ev.data.fd < 0 ||
		    epoll_ctl(fd_a, EPOLL_CTL_ADD, ev.data.fd, &ev))
			die("accept");
	}
	sleep(1);
}
static void op_epoll(void)
{
	struct epoll_event ev[64];

	if (epoll_wait(fd_a, ev, 64, -1) != 10)
		die("epoll_wait");
}

/* The files of a package, one after the other. */
static char *package[PACKAGE_FILES];
static unsigned package_count;
static void collect(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	char *path;

	while (d && (e = readdir(d)) && package_count < PACKAGE_FILES) {
		if (e->d_name[0] == '.' ||
		    asprintf(&path, "%s/%s", dir, e->d_name) < 0 ||
		    lstat(path, &st))
			continue;
		if (S_ISDIR(st.st_mode))
			collect(path);
		else if (S_ISREG(st.st_mode))
			package[package_count++] = path;
	}
	if (d)
		closedir(d);
}
static void setup_package(void)
{
	collect(PACKAGE);
	if (!package_count)
		die(PACKAGE);
}
static const char *next_of_package(void)
{
	static unsigned at;

	return package[at++ % package_count];
}
static void op_package_open(void)
{
	int fd = open(next_of_package(), O_RDONLY);

	if (fd < 0)
		die("open");
	close(fd);
}
static void op_package_read(void)
{
	const char *path = next_of_package();
	int fd = open(path, O_RDONLY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || read(fd, buffer, sizeof(buffer)) < 0)
		die(path);
	close(fd);
}

static volatile int signalled;
static void on_signal(int s) { signalled = s; }
static void setup_signal(void) { signal(SIGUSR1, on_signal); }
static void op_signal(void) { raise(SIGUSR1); }

static const struct {
	const char *name;
	void (*setup)(void);
	void (*op)(void);
	unsigned count;
} benches[] = {
	{ "getppid", NULL, op_getppid, 2000000 },
	{ "clock_gettime", NULL, op_clock, 2000000 },
	{ "sigprocmask", NULL, op_sigprocmask, 2000000 },
	{ "futex_wake", NULL, op_futex_wake, 2000000 },
	{ "read_zero", setup_zero, op_read1, 1000000 },
	{ "write_null", setup_null, op_write1, 1000000 },
	{ "pread_4k", setup_file, op_pread, 500000 },
	{ "pwrite_4k", setup_file, op_pwrite, 300000 },
	{ "open_close", NULL, op_open, 200000 },
	{ "stat", NULL, op_stat, 400000 },
	{ "volume_open", NULL, op_volume_open, 50000 },
	{ "volume_stat", NULL, op_volume_stat, 50000 },
	{ "pipe_pingpong", setup_pipe, op_pingpong, 40000 },
	{ "socketpair_pingpong", setup_socketpair, op_pingpong, 40000 },
	{ "fork_exit_wait", NULL, op_fork, 5000 },
	{ "fork_exec_wait", NULL, op_exec, 300 },
	{ "fork_1g", setup_gigabyte, op_fork, 20 },
	{ "fork_1g_apart", setup_gigabyte, op_fork_apart, 20 },
	{ "pipe_64", setup_pipe_64, op_message, 2000000 },
	{ "unix_64", setup_unix_64, op_message, 1000000 },
	{ "epoll_10000", setup_connections, op_epoll, 200000 },
	{ "package_open", setup_package, op_package_open, 200000 },
	{ "package_read", setup_package, op_package_read, 100000 },
	{ "pthread", NULL, op_pthread, 5000 },
	{ "mmap_64k", NULL, op_mmap, 20000 },
	{ "signal_self", setup_signal, op_signal, 200000 },
};

int main(int argc, char **argv)
{
	if (argc > 2)
		file_name = argv[2];
	for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
		uint64_t start;
		unsigned n = benches[i].count;

		if (argc < 2 || strcmp(argv[1], benches[i].name))
			continue;
		if (argc > 3)
			n = (unsigned)atoi(argv[3]);
		if (benches[i].setup)
			benches[i].setup();
		for (unsigned k = 0; k < n / 20 + 1; k++)
			benches[i].op();
		start = now();
		for (unsigned k = 0; k < n; k++)
			benches[i].op();
		printf("%.1f\n", (double)(now() - start) / n);
		return 0;
	}
	fprintf(stderr, "usage: micro NAME [FILE [COUNT]]; names:");
	for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++)
		fprintf(stderr, " %s", benches[i].name);
	fprintf(stderr, "\n");
	return 2;
}
