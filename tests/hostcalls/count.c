/*
 * count.c - count the host's system calls of a command and of all that it
 * starts, by ptrace.
 *
 * usage: count FILE COMMAND [ARGUMENT...]
 * Writes one line "NUMBER COUNT" for each call that was made to FILE, by
 * number; ends with the command's status.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS 512
#define FOLLOW (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | \
		PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
		PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

static unsigned long counts[CALLS];

static void die(const char *what)
{
	perror(what);
	exit(125);
}

/* At its entry a call has not been answered. */
static void count(pid_t p)
{
	struct user_regs_struct r;

	if (!ptrace(PTRACE_GETREGS, p, 0, &r) && (long)r.rax == -ENOSYS &&
	    r.orig_rax < CALLS)
		counts[r.orig_rax]++;
}

/* The signal that p is to get as it goes on. */
static int stopped(pid_t p, int status)
{
	int sig = WSTOPSIG(status);

	if (sig == (SIGTRAP | 0x80))
		count(p);
	if (sig == (SIGTRAP | 0x80) || status >> 16 || sig == SIGSTOP)
		return 0;
	return sig;
}

static int follow(pid_t first)
{
	int status, result = 125;
	pid_t p;

	while ((p = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status))
			ptrace(PTRACE_SYSCALL, p, 0, stopped(p, status));
		else if (p == first)
			result = WIFEXITED(status) ? WEXITSTATUS(status) :
				 128 + WTERMSIG(status);
	}
	return result;
}

static pid_t start(char **command)
{
	pid_t p = fork();
	int status;

	if (p == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execvp(command[0], command);
		die(command[0]);
	}
	if (p < 0 || waitpid(p, &status, 0) != p || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, p, 0, FOLLOW) ||
	    ptrace(PTRACE_SYSCALL, p, 0, 0))
		die("ptrace");
	return p;
}

int main(int argc, char **argv)
{
	FILE *out = argc > 2 ? fopen(argv[1], "w") : NULL;
	int result;

	if (!out)
		die("usage: count FILE COMMAND [ARGUMENT...]");
	result = follow(start(argv + 2));
	for (int i = 0; i < CALLS; i++)
		if (counts[i])
			fprintf(out, "%d %lu\n", i, counts[i]);
	fclose(out);
	return result;
}
