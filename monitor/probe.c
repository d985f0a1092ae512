/*
 * probe.c - what this host offers: tried in a child process, for `doctor`.
 */
#include "mon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* All namespaces that a sandbox needs; 0 or an errno. */
static int try_namespaces(void)
{
	unsigned long flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS |
			      CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
	pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	int status;

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return errno;
	waitpid(pid, &status, 0);
	return 0;
}

void sandbox_probe(struct sandbox_probe *p)
{
	struct open_how how = { .flags = O_PATH,
				.resolve = RESOLVE_BENEATH };
	uint32_t action = SECCOMP_RET_KILL_PROCESS;
	long fd;

	memset(p, 0, sizeof(*p));
	p->user_namespaces_errno = try_namespaces();
	p->user_namespaces = !p->user_namespaces_errno;
	p->seccomp = !syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0,
			      &action);
	fd = syscall(SYS_landlock_create_ruleset, NULL, 0,
		     LANDLOCK_CREATE_RULESET_VERSION);
	p->landlock_version = fd > 0 ? (int)fd : 0;
	fd = syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how));
	p->openat2 = fd >= 0;
	monitor_close((int)fd);
	p->idmapped_mounts = geteuid() == 0;
	p->cgroup = cgroup_probe();
}
