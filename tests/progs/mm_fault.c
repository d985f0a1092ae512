/* What a bad access gives: signal, code and address; stacks that grow. */
#include "check.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define PAGE 4096ul
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static sigjmp_buf back;
static volatile int got_signal, got_code;
static char *volatile got_address;

static void handler(int sig, siginfo_t *info, void *context)
{
	got_signal = sig;
	got_code = info->si_code;
	got_address = info->si_addr;
	siglongjmp(back, 1);
}

static void catch_faults(void)
{
	static char stack[65536];
	struct sigaction sa = { .sa_sigaction = handler,
				.sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };

	sigaltstack(&alt, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

static int reads(volatile char *p)
{
	got_signal = got_code = 0;
	if (sigsetjmp(back, 1) == 0)
		(void)*p;
	return got_signal;
}

static int writes(volatile char *p)
{
	got_signal = got_code = 0;
	if (sigsetjmp(back, 1) == 0)
		*p = 1;
	return got_signal;
}

static void segments(void)
{
	char *p = mmap(0, 4 * PAGE, RW, ANON, -1, 0);

	CHECK(reads(NULL) == SIGSEGV && got_code == SEGV_MAPERR &&
	      got_address == NULL);
	CHECK(writes((char *)64) == SIGSEGV && got_address == (char *)64);
	mprotect(p + PAGE, PAGE, PROT_READ);
	mprotect(p + 2 * PAGE, PAGE, PROT_NONE);
	CHECK(writes(p + 100) == 0 && p[100] == 1);
	CHECK(reads(p + PAGE) == 0);
	CHECK(writes(p + PAGE + 5) == SIGSEGV && got_code == SEGV_ACCERR &&
	      got_address == p + PAGE + 5);
	CHECK(reads(p + 2 * PAGE) == SIGSEGV && got_code == SEGV_ACCERR);
	munmap(p + 3 * PAGE, PAGE);
	CHECK(reads(p + 3 * PAGE) == SIGSEGV && got_code == SEGV_MAPERR);
	mprotect(p + PAGE, PAGE, RW);
	CHECK(writes(p + PAGE + 5) == 0);
	munmap(p, 3 * PAGE);
}

/* A handler that repairs the page and returns: the access goes on. */
static char *repaired;
static volatile int repairs;

static void repair(int sig, siginfo_t *info, void *context)
{
	repairs++;
	mprotect(repaired, PAGE, RW);
}

static void repairing(void)
{
	struct sigaction sa = { .sa_sigaction = repair,
				.sa_flags = SA_SIGINFO }, old;
	int i;

	repaired = mmap(0, PAGE, PROT_NONE, ANON, -1, 0);
	sigaction(SIGSEGV, &sa, &old);
	for (i = 0; i < 100; i++) {
		*(volatile char *)repaired = (char)i;
		mprotect(repaired, PAGE, PROT_READ);
	}
	CHECK(repairs == 100);
	CHECK(*repaired == 99);
	sigaction(SIGSEGV, &old, NULL);
	munmap(repaired, PAGE);
}

static void file_ends(void)
{
	char name[] = "/tmp/mm_fault.XXXXXX";
	int fd = mkstemp(name);
	char *p, *q;

	unlink(name);
	CHECK(ftruncate(fd, PAGE + 100) == 0);
	p = mmap(0, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	q = mmap(0, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(writes(p + PAGE + 200) == 0);
	CHECK(reads(p + 2 * PAGE) == SIGBUS && got_code == BUS_ADRERR &&
	      got_address == p + 2 * PAGE);
	CHECK(reads(q + 3 * PAGE) == SIGBUS);
	CHECK(ftruncate(fd, 3 * PAGE) == 0);
	CHECK(reads(p + 2 * PAGE) == 0 && p[2 * PAGE] == 0);
	CHECK(pwrite(fd, "new", 3, 2 * PAGE) == 3);
	CHECK(!memcmp(p + 2 * PAGE, "new", 3));
	CHECK(reads(q + 2 * PAGE) == 0 && !memcmp(q + 2 * PAGE, "new", 3));
	CHECK(reads(p + 3 * PAGE) == SIGBUS);
	CHECK(ftruncate(fd, PAGE) == 0);
	CHECK(reads(p + PAGE) == SIGBUS && reads(p) == 0);
	CHECK(ftruncate(fd, 2 * PAGE) == 0);
	CHECK(reads(p + PAGE) == 0 && p[PAGE + 200] == 0);
	munmap(p, 4 * PAGE);
	munmap(q, 4 * PAGE);
	close(fd);
}

static void in_calls(void)
{
	char *p = mmap(0, 2 * PAGE, PROT_READ, ANON, -1, 0);
	int fds[2], fd = memfd_create("calls", 0);
	char *f;

	CHECK(pipe(fds) == 0 && write(fds[1], "abcdefgh", 8) == 8);
	CHECK_ERRNO(read(fds[0], p, 4), EFAULT);
	CHECK_ERRNO(write(fds[1], (void *)8, 4), EFAULT);
	mprotect(p, PAGE, RW);
	munmap(p + PAGE, PAGE);
	CHECK(read(fds[0], p, 4) > 0);
	/* a mapping made before its file had the page */
	f = mmap(0, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	CHECK(ftruncate(fd, 2 * PAGE) == 0);
	CHECK(write(fds[1], "12345678", 8) == 8);
	CHECK(read(fds[0], f + PAGE, 4) == 4);
	munmap(f, 2 * PAGE);
	munmap(p, PAGE);
}

static int use_stack(int kilobytes)
{
	volatile char block[1024];

	block[0] = (char)kilobytes;
	return kilobytes ? use_stack(kilobytes - 1) + block[0] : 0;
}

static void overflow(void)
{
	static volatile int depth;

	if (sigsetjmp(back, 1) == 0)
		depth = use_stack(1 << 20);
}

static void stacks(void)
{
	int status;
	char *p;

	CHECK(use_stack(6000) != 12345);
	got_signal = 0;
	overflow();
	CHECK(got_signal == SIGSEGV);
	if (fork() == 0) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile char *)8 = 1;
		_exit(0);
	}
	wait(&status);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	/* with room for the guard gap below */
	p = mmap(0, 1024 * PAGE, PROT_NONE, ANON, -1, 0);
	munmap(p, 1024 * PAGE);
	p = mmap(p + 1000 * PAGE, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN,
		 -1, 0);
	CHECK(p != MAP_FAILED && writes(p) == 0);
	CHECK(writes(p - 1) == 0 && p[-1] == 1);
	CHECK(writes(p - 3 * PAGE) == 0 && p[-100] == 0);
	munmap(p - 3 * PAGE, 4 * PAGE);
}

int main(void)
{
	catch_faults();
	segments();
	repairing();
	file_ends();
	in_calls();
	stacks();
	return check_done();
}
