/*
 * namespaces.c - makes the monitor the first process of its own user, pid,
 * mount, network, ipc and uts namespaces, with an empty root and without any
 * capability.
 *
 * An ordinary user's monitor is born in all of them (start.c: clone).  Root's
 * is born in a new pid namespace only, becomes user 65534 here, and then
 * makes the rest just as an ordinary user would: nothing of root is left.
 *
 * The network: with --network host the monitor stays in the host's network,
 * because it makes the connections; the picoprocesses get an empty one in
 * any case (loader.c), although they could not call socket() anyway.  Root's
 * clones that one command starts share an empty one, which none of them owns
 * (sandbox_empty_network).
 */
#include "mon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int step_error(struct err *e, const char *step)
{
	return err_set(e, 125, "cannot isolate the sandbox: %s: %s", step,
		       strerror(errno));
}

static int write_proc(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t size = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, size);
	close(fd);
	return n == (ssize_t)size ? 0 : -1;
}

int sandbox_empty_network(void)
{
	const char *path = "/proc/thread-self/ns/net";
	int own = open(path, O_RDONLY | O_CLOEXEC), fd = -1;

	if (own >= 0 && !geteuid() && !unshare(CLONE_NEWNET)) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (setns(own, CLONE_NEWNET))
			_exit(125); /* cannot be: it was ours */
	}
	monitor_close(own);
	return fd;
}

/* Root becomes an ordinary user that owns nothing. */
static int become_nobody(struct monitor *m, struct err *e)
{
	bool has_network = m->network_host || m->network >= 0;

	if (m->network >= 0 && setns(m->network, CLONE_NEWNET))
		return step_error(e, "network");
	if (setgroups(0, NULL) || setresgid(m->gid, m->gid, m->gid) ||
	    setresuid(m->uid, m->uid, m->uid))
		return step_error(e, "giving up root");
	/* Changing the user made /proc/self root's; the map is written there. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) ||
	    unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC |
		    CLONE_NEWUTS | (has_network ? 0 : CLONE_NEWNET)))
		return err_set(e, 125, "this host refuses user namespaces "
			       "(%s); `bailey doctor` says what to set",
			       strerror(errno));
	return 0;
}

static int map_user(const struct monitor *m, struct err *e)
{
	char text[64];

	if (write_proc("/proc/self/setgroups", "deny") && errno != ENOENT)
		return step_error(e, "setgroups");
	snprintf(text, sizeof(text), "%u %u 1\n", m->uid, m->uid);
	if (write_proc("/proc/self/uid_map", text))
		return step_error(e, "user map");
	snprintf(text, sizeof(text), "%u %u 1\n", m->gid, m->gid);
	if (write_proc("/proc/self/gid_map", text))
		return step_error(e, "group map");
	return 0;
}

/* What no program started from here on could have, the picoprocesses' too. */
static void bound_capabilities(void)
{
	for (int cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno == EINVAL)
			break;
}

int namespaces_enter(struct monitor *m, struct err *e)
{
	setsid();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return step_error(e, "no_new_privs");
	if (m->was_root && become_nobody(m, e))
		return -1;
	if (map_user(m, e))
		return -1;
	/* No terminal, no hint of the host's name or directory. */
	if (sethostname("bailey", 6) || setdomainname("", 0))
		return step_error(e, "host name");
	bound_capabilities();
	umask(0);
	return 0;
}

/* Everything that is mounted goes; what is left is an empty directory that
 * nobody can write to.  The old root is out of reach of all paths after the
 * first step, and gone after the second. */
int namespaces_close_root(struct monitor *m, struct err *e)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return step_error(e, "private mounts");
	if (mount("none", "/proc", "tmpfs",
		  MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=0"))
		return step_error(e, "empty root");
	if (chdir("/proc") || syscall(SYS_pivot_root, ".", "."))
		return step_error(e, "pivot_root");
	return 0;
}

int namespaces_drop_root(struct err *e)
{
	if (umount2(".", MNT_DETACH) || chdir("/"))
		return step_error(e, "the old root");
	return 0;
}

int privileges_drop(struct err *e)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2];

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	memset(none, 0, sizeof(none));
	if (syscall(SYS_capset, &h, none))
		return step_error(e, "capabilities");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return step_error(e, "dumpable");
	return 0;
}
