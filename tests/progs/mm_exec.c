/* execve: arguments, environment, scripts, descriptors, errors, auxv. */
#include "check.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;
static char dir[] = "/tmp/mm_exec.XXXXXX";
static char self[4096], out[65536];

static char *in_dir(const char *name)
{
	static char paths[4][256];
	static int next;
	char *p = paths[next++ & 3];

	snprintf(p, 256, "%s/%s", dir, name);
	return p;
}

static void make(const char *name, const void *text, size_t size, int mode)
{
	int fd = open(in_dir(name), O_CREAT | O_TRUNC | O_WRONLY, 0600);

	if (write(fd, text, size) != (ssize_t)size)
		perror(name);
	fchmod(fd, mode);
	close(fd);
}

static void script(const char *name, const char *text)
{
	make(name, text, strlen(text), 0755);
}

/* Run path; its output goes to out; the wait status. 1000 + errno: execve
 * failed. */
static int run(const char *path, char *const argv[], char *const envp[])
{
	int fds[2], status;
	ssize_t n, got = 0;
	pid_t pid;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execve(path, argv, envp);
		n = errno;
		dprintf(1, "%d", (int)n);
		_exit(77);
	}
	close(fds[1]);
	while ((n = read(fds[0], out + got, sizeof(out) - 1 - got)) > 0)
		got += n;
	out[got] = 0;
	close(fds[0]);
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return 1000 + atoi(out);
	return status;
}

#define ARGV(...) ((char *[]){ __VA_ARGS__, NULL })

static void plain(void)
{
	CHECK(run("/bin/echo", ARGV("echo", "one", "two words", ""),
		  ARGV("A=1")) == 0);
	CHECK(!strcmp(out, "one two words \n"));
	CHECK(run("/usr/bin/env", ARGV("env"), ARGV("X=1", "Y=2 3", "Z=")) == 0);
	CHECK(!strcmp(out, "X=1\nY=2 3\nZ=\n"));
	CHECK(run("/bin/sh", ARGV("sh", "-c", "exit 3"), environ) == 3 << 8);
	CHECK(run("/bin/sh", ARGV("zero", "-c", "echo $0"), environ) == 0);
	CHECK(!strcmp(out, "zero\n"));
	CHECK(run("/bin/cat", ARGV("cat", "/proc/self/comm"), environ) == 0);
	CHECK(!strcmp(out, "cat\n"));
	CHECK(run("/bin/sh", ARGV("sh", "-c", "kill -9 $$"), environ) == 9);
}

static void scripts(void)
{
	char text[400];

	snprintf(text, sizeof(text), "#!%s --args one two \n", self);
	script("two", text);
	CHECK(run(in_dir("two"), ARGV("zero", "three"), environ) == 0);
	snprintf(text, sizeof(text), "%s|--args one two|%s|three|\n", self,
		 in_dir("two"));
	CHECK(!strcmp(out, text));
	snprintf(text, sizeof(text), "#! \t%s\t--args", self);
	script("blank", text);
	CHECK(run(in_dir("blank"), ARGV("zero"), environ) == 0);
	snprintf(text, sizeof(text), "%s|--args|%s|\n", self, in_dir("blank"));
	CHECK(!strcmp(out, text));
	script("sh", "#!/bin/sh\necho \"$0 $1\"\n");
	CHECK(run(in_dir("sh"), ARGV("zero", "x"), environ) == 0);
	snprintf(text, sizeof(text), "%s x\n", in_dir("sh"));
	CHECK(!strcmp(out, text));
	snprintf(text, sizeof(text), "#!%s\n", in_dir("sh"));
	script("nested", text);
	CHECK(run(in_dir("nested"), ARGV("zero", "x"), environ) == 0);
	snprintf(text, sizeof(text), "%s %s\n", in_dir("sh"), in_dir("nested"));
	CHECK(!strcmp(out, text));
	snprintf(text, sizeof(text), "#!%s\n", in_dir("loop"));
	script("loop", text);
	CHECK(run(in_dir("loop"), ARGV("zero"), environ) == 1000 + ELOOP);
	script("missing", "#!/no/such/interpreter\n");
	CHECK(run(in_dir("missing"), ARGV("zero"), environ) == 1000 + ENOENT);
	script("empty", "#!\n");
	CHECK(run(in_dir("empty"), ARGV("zero"), environ) == 1000 + ENOEXEC);
}

static void bad_files(void)
{
	static char elf[65536];
	int fd = open("/bin/true", O_RDONLY);
	ssize_t n = read(fd, elf, sizeof(elf));
	Elf64_Ehdr *h = (void *)elf;

	close(fd);
	CHECK(n > 4096);
	CHECK(run("/no/such/program", ARGV("x"), environ) == 1000 + ENOENT);
	CHECK(run("/bin/true/x", ARGV("x"), environ) == 1000 + ENOTDIR);
	CHECK(run("/tmp", ARGV("x"), environ) == 1000 + EACCES);
	CHECK(run("", ARGV("x"), environ) == 1000 + ENOENT);
	make("plain", elf, n, 0644);
	CHECK(run(in_dir("plain"), ARGV("x"), environ) == 1000 + EACCES);
	make("copy", elf, n, 0755);
	CHECK(run(in_dir("copy"), ARGV("x"), environ) == 0);
	make("text", "echo hello\n", 11, 0755);
	CHECK(run(in_dir("text"), ARGV("x"), environ) == 1000 + ENOEXEC);
	make("nothing", "", 0, 0755);
	CHECK(run(in_dir("nothing"), ARGV("x"), environ) == 1000 + ENOEXEC);
	make("short", elf, 40, 0755);
	CHECK(run(in_dir("short"), ARGV("x"), environ) == 1000 + ENOEXEC);
	h->e_machine = EM_PPC64;
	make("foreign", elf, n, 0755);
	CHECK(run(in_dir("foreign"), ARGV("x"), environ) == 1000 + ENOEXEC);
	h->e_machine = EM_X86_64;
	h->e_phentsize = 10;
	make("phentsize", elf, n, 0755);
	CHECK(run(in_dir("phentsize"), ARGV("x"), environ) == 1000 + ENOEXEC);
	CHECK_ERRNO(execve((char *)8, ARGV("x"), environ), EFAULT);
	CHECK_ERRNO(execve("/bin/true", (char **)8, environ), EFAULT);
	CHECK_ERRNO(execve("/bin/true", ARGV((char *)8), environ), EFAULT);
}

static void big(void)
{
	static char arg[131072], *many[20];
	int i;

	memset(arg, 'x', sizeof(arg) - 1);
	CHECK(run("/bin/true", ARGV("x", arg), environ) == 0);
	for (i = 0; i < 19; i++)
		many[i] = arg;
	CHECK(run("/bin/true", many, environ) == 1000 + E2BIG);
	many[10] = NULL;
	CHECK(run("/bin/true", many, environ) == 0);
	arg[10] = 0;
}

static void descriptors(void)
{
	int kept = open("/dev/null", O_RDONLY);
	int closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int mfd = memfd_create("program", MFD_CLOEXEC), fd, status;
	char text[200], data[65536];
	ssize_t n;

	snprintf(text, sizeof(text),
		 "test -e /proc/self/fd/%d && ! test -e /proc/self/fd/%d",
		 kept, closed);
	CHECK(run("/bin/sh", ARGV("sh", "-c", text), environ) == 0);
	fd = open("/bin/true", O_RDONLY);
	while ((n = read(fd, data, sizeof(data))) > 0)
		if (write(mfd, data, n) != n)
			break;
	close(fd);
	fchmod(mfd, 0755);
	if (fork() == 0) {
		syscall(SYS_execveat, mfd, "", ARGV("x"), environ,
			AT_EMPTY_PATH);
		_exit(9);
	}
	wait(&status);
	/* still open for writing here */
	CHECK(status == 9 << 8 || status == 0);
	fd = open("/bin", O_RDONLY | O_DIRECTORY);
	if (fork() == 0) {
		syscall(SYS_execveat, fd, "true", ARGV("x"), environ, 0);
		_exit(9);
	}
	wait(&status);
	CHECK(status == 0);
	CHECK_ERRNO(syscall(SYS_execveat, fd, "true", ARGV("x"), environ,
			    0x4), EINVAL);
	CHECK_ERRNO(syscall(SYS_execveat, fd, "", ARGV("x"), environ, 0),
		    ENOENT);
	close(fd);
	close(kept);
	close(closed);
	close(mfd);
}

static void vector(void)
{
	Elf64_Phdr *p = (void *)getauxval(AT_PHDR);
	unsigned char *random = (void *)getauxval(AT_RANDOM);
	unsigned long n = getauxval(AT_PHNUM), i, loads = 0, sum = 0;

	CHECK(p && n > 2 && getauxval(AT_PHENT) == sizeof(*p));
	for (i = 0; i < n; i++)
		loads += p[i].p_type == PT_LOAD;
	CHECK(loads >= 2);
	CHECK(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_CLKTCK) == 100);
	CHECK(getauxval(AT_ENTRY) != 0 && getauxval(AT_BASE) != 0);
	CHECK(getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid());
	CHECK(getauxval(AT_SECURE) == 0);
	CHECK(!strcmp((char *)getauxval(AT_PLATFORM), "x86_64"));
	for (i = 0; i < 16; i++)
		sum += random[i];
	CHECK(sum != 0);
	CHECK(strstr((char *)getauxval(AT_EXECFN), "mm_exec") != NULL);
	CHECK(((unsigned long)__builtin_frame_address(0) >> 32) != 0);
}

static void *exec_from_thread(void *arg)
{
	execl("/bin/sh", "sh", "-c", "exit 5", NULL);
	return NULL;
}

static void *idle(void *arg)
{
	for (;;)
		pause();
}

static void from_thread(void)
{
	pthread_t t;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		pthread_create(&t, NULL, idle, NULL);
		pthread_create(&t, NULL, exec_from_thread, NULL);
		idle(NULL);
	}
	waitpid(pid, &status, 0);
	CHECK(status == 5 << 8);
}

static void spawned(void)
{
	int status = 0, marker = 1;
	pid_t pid;

	CHECK(posix_spawn(&pid, "/bin/sh", NULL, NULL,
			  ARGV("sh", "-c", "exit 4"), environ) == 0);
	waitpid(pid, &status, 0);
	CHECK(status == 4 << 8);
	CHECK(posix_spawn(&pid, "/no/such", NULL, NULL, ARGV("x"), environ) ==
	      ENOENT);
	pid = vfork();
	if (pid == 0) {
		marker = 2;
		execl("/no/such", "x", NULL);
		_exit(6);
	}
	waitpid(pid, &status, 0);
	CHECK(status == 6 << 8);
	CHECK(marker == 1 || marker == 2);
	CHECK(system("exit 7") == 7 << 8);
}

static void signals_reset(void)
{
	sigset_t set;

	for (int sig = 1; sig < 65; sig++) /* whatever we were started with */
		signal(sig, SIG_DFL);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, exit);
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK(run("/bin/cat", ARGV("cat", "/proc/self/status"), environ) == 0);
	CHECK(strstr(out, "SigBlk:\t0000000008000000") != NULL);
	/* 32 and 33 belong to the C library and may be ignored by heritage */
	CHECK(strstr(out, "SigIgn:\t") != NULL &&
	      (strtoull(strstr(out, "SigIgn:\t") + 8, NULL, 16) &
	       0xfffffffe7fffffffull) == 0x200);
	CHECK(strstr(out, "SigCgt:\t0000000000000000") != NULL);
}

int main(int argc, char **argv)
{
	if (argc > 1) { /* run as a script's interpreter: show the arguments */
		while (*argv)
			printf("%s|", *argv++);
		printf("\n");
		return 0;
	}
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ||
	    !mkdtemp(dir))
		return 2;
	plain();
	scripts();
	bad_files();
	big();
	descriptors();
	vector();
	from_thread();
	spawned();
	signals_reset();
	return system("rm -rf /tmp/mm_exec.??????") || check_done();
}
