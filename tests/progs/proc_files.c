/*
 * proc_files.c - /proc of the process itself and of the system, as programs
 * parse it.
 */
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char text[1 << 17];

static ssize_t slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = 0, r;

	if (fd < 0)
		return -1;
	while ((r = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += r;
	text[n] = 0;
	close(fd);
	return r < 0 ? -1 : n;
}

static int has(const char *path, const char *what)
{
	return slurp(path) > 0 && strstr(text, what) != NULL;
}

static long field(const char *path, const char *name)
{
	char *p;

	if (slurp(path) <= 0 || !(p = strstr(text, name)))
		return -1;
	return strtol(p + strlen(name), NULL, 10);
}

static void test_stat(void)
{
	char comm[64], state;
	int pid, ppid, pgrp, sid, fields = 0;
	struct stat st;

	CHECK(slurp("/proc/self/stat") > 0);
	CHECK(sscanf(text, "%d (%63[^)]) %c %d %d %d", &pid, comm, &state,
		     &ppid, &pgrp, &sid) == 6);
	CHECK(pid == getpid() && ppid == getppid());
	CHECK(state == 'R');
	CHECK(pgrp == getpgrp() && sid == getsid(0));
	for (char *p = strchr(text, ')'); p && *p; p++)
		fields += *p == ' ';
	CHECK(fields == 50);
	CHECK(stat("/proc/self/status", &st) == 0 && st.st_size == 0);
	CHECK(field("/proc/self/status", "\nPid:\t") == getpid());
	CHECK(field("/proc/self/status", "\nPPid:\t") == getppid());
	CHECK(field("/proc/self/status", "\nThreads:\t") == 1);
	CHECK(field("/proc/self/status", "\nUid:\t") == (long)getuid());
	CHECK(field("/proc/self/status", "\nVmSize:") > 100);
	CHECK(field("/proc/self/status", "\nVmRSS:") > 10);
	CHECK(has("/proc/self/status", "State:\tR (running)\n"));
	CHECK(slurp("/proc/self/statm") > 0 && atol(text) > 10);
}

static void test_words(int argc, char **argv)
{
	char comm[32], path[256], target[256];
	ssize_t n;

	n = slurp("/proc/self/cmdline");
	CHECK(n == (ssize_t)strlen(argv[0]) + 1 && !strcmp(text, argv[0]));
	prctl(PR_SET_NAME, "new name");
	CHECK(has("/proc/self/comm", "new name\n"));
	CHECK(has("/proc/self/stat", "(new name)"));
	int fd = open("/proc/self/comm", O_WRONLY);
	CHECK(write(fd, "other", 5) == 5);
	close(fd);
	prctl(PR_GET_NAME, comm);
	CHECK(!strcmp(comm, "other"));
	n = readlink("/proc/self/exe", target, sizeof(target) - 1);
	CHECK(n > 0);
	target[n > 0 ? n : 0] = 0;
	CHECK(strstr(target, "proc_files") || strstr(target, "/"));
	CHECK(access("/proc/self/exe", R_OK | X_OK) == 0);
	chdir("/tmp");
	n = readlink("/proc/self/cwd", target, sizeof(target));
	CHECK(n == 4 && !memcmp(target, "/tmp", 4));
	snprintf(path, sizeof(path), "%d", getpid());
	n = readlink("/proc/self", target, sizeof(target));
	CHECK(n == (ssize_t)strlen(path) && !memcmp(target, path, n));
	snprintf(path, sizeof(path), "%d/task/%d", getpid(), getpid());
	n = readlink("/proc/thread-self", target, sizeof(target));
	CHECK(n == (ssize_t)strlen(path) && !memcmp(target, path, n));
	CHECK(slurp("/proc/self/auxv") >= 16);
	CHECK(slurp("/proc/self/environ") >= 0);
	CHECK(readlink("/proc/self/ns/pid", target, sizeof(target)) > 5);
	CHECK(!memcmp(target, "pid:[", 5));
}

static void test_maps(void)
{
	char line[64];
	void *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	CHECK(slurp("/proc/self/maps") > 0);
	snprintf(line, sizeof(line), "%lx-", (unsigned long)p);
	CHECK(strstr(text, "[stack]\n") != NULL);
	CHECK(strstr(text, "[vdso]\n") != NULL);
	CHECK(strstr(text, " r-xp ") != NULL);
	CHECK(strstr(text, "libc.so.6\n") != NULL);
	mprotect(p, 4096, PROT_READ | PROT_WRITE);
	slurp("/proc/self/maps");
	snprintf(line, sizeof(line), "%08lx rw-p ", (unsigned long)p + 4096);
	CHECK(strstr(text, line) != NULL);
	snprintf(line, sizeof(line), "-%08lx r--p ", (unsigned long)p + 8192);
	CHECK(strstr(text, line) != NULL || strstr(text, "r--p") != NULL);
	munmap(p, 8192);
	CHECK(has("/proc/self/smaps", "\nVmFlags: rd "));
	CHECK(has("/proc/self/smaps_rollup", "[rollup]\nRss: "));
}

static void test_fd(void)
{
	char path[64], target[64], c;
	int p[2], fd, n = 0, memfd, found = 0;
	struct stat st, st2;
	struct dirent *d;
	DIR *dir;

	pipe(p);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	CHECK(readlink(path, target, sizeof(target)) > 6 &&
	      !memcmp(target, "pipe:[", 6));
	CHECK(stat(path, &st) == 0 && fstat(p[0], &st2) == 0 &&
	      st.st_ino == st2.st_ino && S_ISFIFO(st.st_mode));
	CHECK(lstat(path, &st) == 0 && (st.st_mode & 0777) == 0500);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[1]);
	CHECK(lstat(path, &st) == 0 && (st.st_mode & 0777) == 0300);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0);
	CHECK(write(fd, "x", 1) == 1 && read(p[0], &c, 1) == 1 && c == 'x');
	close(fd);
	memfd = memfd_create("thing", 0);
	write(memfd, "abc", 3);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	n = readlink(path, target, sizeof(target));
	CHECK(n == 22 && !memcmp(target, "/memfd:thing (deleted)", 22));
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && read(fd, target, 8) == 3);
	close(fd);
	fd = open("/dev/null", O_RDWR);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target));
	CHECK(n == 9 && !memcmp(target, "/dev/null", 9));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(has(path, "pos:\t0\nflags:\t0100002\n"));
	dir = opendir("/proc/self/fd");
	CHECK(dir != NULL);
	while (dir && (d = readdir(dir)))
		found += atoi(d->d_name) == fd && d->d_type == DT_LNK;
	CHECK(found == 1);
	if (dir)
		closedir(dir);
	close(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_ERRNO(readlink(path, target, sizeof(target)), ENOENT);
	close(memfd);
	close(p[0]);
	close(p[1]);
}

static int thread_count(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *d;
	int n = 0;

	while (dir && (d = readdir(dir)))
		n += d->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

static volatile int thread_tid;
static int gate[2];
static void *thread_main(void *arg)
{
	char c;

	thread_tid = syscall(SYS_gettid);
	read(gate[0], &c, 1);
	return NULL;
}

static void test_tasks(void)
{
	char path[64];
	struct stat st;
	pthread_t t;

	pipe(gate);
	CHECK(thread_count() == 1);
	CHECK(stat("/proc/self/task", &st) == 0 && st.st_nlink == 3);
	pthread_create(&t, NULL, thread_main, NULL);
	while (!thread_tid)
		usleep(100);
	CHECK(thread_count() == 2);
	CHECK(field("/proc/self/status", "\nThreads:\t") == 2);
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread_tid);
	CHECK(slurp(path) > 0 && atoi(text) == thread_tid);
	write(gate[1], "x", 1);
	pthread_join(t, NULL);
}

/* Within two seconds: a busy machine takes its time. */
static int becomes(const char *path, const char *text)
{
	for (int tries = 0; tries < 200 && !has(path, text); tries++)
		usleep(10000);
	return has(path, text);
}

static void test_child(void)
{
	char path[64];
	int p[2];
	pid_t pid;

	pipe(p);
	pid = fork();
	if (pid == 0) {
		char c;

		read(p[0], &c, 1);
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	CHECK(field(path, "\nPPid:\t") == getpid());
	CHECK(becomes(path, "State:\tS (sleeping)\n"));
	kill(pid, 9);
	CHECK(becomes(path, "State:\tZ (zombie)\n"));
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	CHECK(slurp(path) == 0);
	waitpid(pid, NULL, 0);
	CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
	CHECK_ERRNO(open("/proc/999999999", O_RDONLY), ENOENT);
}

static void test_system(void)
{
	double up = 0, idle = 0;
	int fd;

	CHECK(field("/proc/meminfo", "MemTotal:") > 1000);
	CHECK(field("/proc/meminfo", "\nMemAvailable:") > 1000);
	CHECK(slurp("/proc/uptime") > 0 &&
	      sscanf(text, "%lf %lf", &up, &idle) == 2 && up > 0);
	CHECK(slurp("/proc/loadavg") > 0 && strchr(text, '/'));
	CHECK(has("/proc/stat", "cpu  ") && strstr(text, "\nbtime "));
	CHECK(has("/proc/cpuinfo", "processor\t: 0\n"));
	CHECK(has("/proc/filesystems", "nodev\ttmpfs\n"));
	CHECK(has("/proc/mounts", " /proc proc "));
	CHECK(has("/proc/self/mountinfo", " / / "));
	CHECK(has("/proc/self/limits", "Max open files "));
	CHECK(has("/proc/version", "Linux version "));
	CHECK(has("/proc/sys/kernel/ostype", "Linux\n"));
	CHECK(slurp("/proc/sys/kernel/random/uuid") == 37 && text[14] == '4');
	CHECK(slurp("/proc/sys/kernel/cap_last_cap") > 0 && atoi(text) >= 37);
	CHECK(has("/proc/net/dev", "    lo:"));
	CHECK(has("/proc/net/tcp", "local_address"));
	CHECK(slurp("/sys/devices/system/cpu/online") > 0 && text[0] == '0');
	fd = open("/proc/uptime", O_RDONLY);
	CHECK(read(fd, text, 4) == 4 && lseek(fd, 0, SEEK_SET) == 0 &&
	      read(fd, text, 64) > 4);
	CHECK_ERRNO(write(fd, "x", 1), EBADF);
	close(fd);
	CHECK_ERRNO(mkdir("/proc/new", 0755), ENOENT);
	CHECK_ERRNO(open("/proc/self/nothing", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("/proc/self/status/x", O_RDONLY), ENOTDIR);
}

int main(int argc, char **argv)
{
	test_stat();
	test_words(argc, argv);
	test_maps();
	test_fd();
	test_tasks();
	test_child();
	test_system();
	return check_done();
}
