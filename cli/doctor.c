/*
 * doctor.c - `bailey doctor`: what this host offers, and what to change.
 *
 * Each check has a level: what must be there for anything to run, what only
 * adds to it, and what is for information.  Exit status: 0, or 125 if
 * something that is needed is missing.
 */
#include "cli/state.h"

#include <bailey/sandbox.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>
#include <unistd.h>

enum grade { GOOD, LESS, BAD };
struct report {
	json_t *json;     /* array, or NULL: print */
	bool is_coloured;
	int bad_count;
};

static void check(struct report *r, enum grade g, const char *what,
		  const char *found, const char *fix)
{
	static const char *const words[] = { "ok", "less", "MISSING" };
	static const char *const colours[] = { "\033[32m", "\033[33m",
					       "\033[31m" };

	r->bad_count += g == BAD;
	if (r->json) {
		json_array_append_new(r->json, json_pack("{s:s,s:s,s:s,s:s}",
			"check", what, "result", g == BAD ? "missing" :
			words[g], "found", found, "fix", g ? fix : ""));
		return;
	}
	printf("%s%-7s%s  %-22s %s\n", r->is_coloured ? colours[g] : "",
	       words[g], r->is_coloured ? "\033[0m" : "", what, found);
	if (g != GOOD && *fix)
		printf("         -> %s\n", fix);
}

/* ---- user namespaces ----------------------------------------------------------- */
static long sysctl_value(const char *path)
{
	char *text = read_file(path, NULL);

	return text ? atol(text) : -1;
}

/* Which setting of the host forbids them. */
static const char *namespace_fix(int err)
{
	if (sysctl_value("/proc/sys/kernel/unprivileged_userns_clone") == 0)
		return "sysctl -w kernel.unprivileged_userns_clone=1";
	if (sysctl_value("/proc/sys/kernel/"
			 "apparmor_restrict_unprivileged_userns") == 1)
		return "AppArmor forbids them: sysctl -w kernel."
			"apparmor_restrict_unprivileged_userns=0, or a "
			"profile with `userns,` for bailey";
	if (sysctl_value("/proc/sys/user/max_user_namespaces") == 0)
		return "sysctl -w user.max_user_namespaces=65536";
	if (err == ENOSPC)
		return "too many namespaces: raise user.max_user_namespaces "
			"(and max_pid_, max_net_, max_mnt_, max_ipc_, "
			"max_uts_namespaces)";
	if (err == EPERM)
		return "inside a container: its seccomp profile must allow "
			"unshare and clone (podman, docker: --security-opt "
			"seccomp=unconfined)";
	return "the host's kernel needs CONFIG_USER_NS, PID_NS, NET_NS, "
		"IPC_NS, UTS_NS";
}

static void check_namespaces(struct report *r, const struct sandbox_probe *p)
{
	if (p->user_namespaces)
		check(r, GOOD, "user namespaces", "allowed", "");
	else
		check(r, BAD, "user namespaces",
		      strerror(p->user_namespaces_errno),
		      namespace_fix(p->user_namespaces_errno));
	check(r, GOOD, "namespace limit", xasprintf("%ld (user."
		"max_user_namespaces)",
		sysctl_value("/proc/sys/user/max_user_namespaces")), "");
}

/* ---- the rest ------------------------------------------------------------------- */
static void check_wall(struct report *r, const struct sandbox_probe *p)
{
	check(r, p->seccomp ? GOOD : BAD, "seccomp filters",
	      p->seccomp ? "yes" : "no",
	      "the host's kernel needs CONFIG_SECCOMP_FILTER");
	check(r, p->openat2 ? GOOD : BAD, "openat2", p->openat2 ? "yes" : "no",
	      "Linux 5.6 or later is needed, or a container's seccomp profile "
	      "that knows the call");
	check(r, p->landlock_version ? GOOD : LESS, "Landlock",
	      p->landlock_version ? xasprintf("version %d",
					      p->landlock_version) : "no",
	      "a second wall for the monitor; add landlock to the kernel's "
	      "lsm= list");
	check(r, p->idmapped_mounts || geteuid() ? GOOD : LESS,
	      "idmapped mounts", geteuid() ? "not needed (not root)" :
	      p->idmapped_mounts ? "yes" : "no",
	      "as root, files of volumes that belong to root cannot be "
	      "written; run bailey as an ordinary user");
}

static void check_limits(struct report *r, const struct sandbox_probe *p)
{
	unsigned all = CGROUP_MEMORY | CGROUP_PIDS | CGROUP_CPU;

	check(r, p->cgroup == all ? GOOD : LESS, "cgroup limits", p->cgroup ?
	      xasprintf("version 2:%s%s%s",
			p->cgroup & CGROUP_MEMORY ? " memory" : "",
			p->cgroup & CGROUP_PIDS ? " pids" : "",
			p->cgroup & CGROUP_CPU ? " cpu" : "") :
	      "none that bailey may make",
	      geteuid() ? "the rest of --memory, --pids-limit, --cpus is kept "
	      "without the host (man bailey); for cgroups run bailey under "
	      "systemd-run --user --scope -p Delegate=yes" :
	      "the rest of --memory, --pids-limit, --cpus is kept without the "
	      "host (man bailey); it needs cgroup version 2 with these "
	      "controllers on /sys/fs/cgroup");
}

#define HWCAP2_FSGSBASE_BIT 2 /* <asm/hwcap2.h> */
static void check_processor(struct report *r)
{
	bool has = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT;

	check(r, has ? GOOD : BAD, "FSGSBASE", has ? "yes" : "no",
	      "needed from processor and kernel (Linux 5.9 or later without "
	      "nofsgsbase)");
}

static void check_clock(struct report *r)
{
	char *source = read_file("/sys/devices/system/clocksource/"
				 "clocksource0/current_clocksource", NULL);
	bool has_vdso = getauxval(AT_SYSINFO_EHDR) != 0;
	bool is_fast;

	if (source)
		source[strcspn(source, "\n")] = 0;
	is_fast = has_vdso && (!source || strcmp(source, "hpet")) &&
		(!source || strcmp(source, "acpi_pm"));
	check(r, is_fast ? GOOD : LESS, "clock", xasprintf("%s%s",
		source ? source : "unknown source", has_vdso ?
		"" : ", no vDSO"), "reading the clock takes a host call; "
		"use clocksource=tsc");
}

static void check_kernel(struct report *r)
{
	struct utsname u;
	int major = 0, minor = 0;

	uname(&u);
	sscanf(u.release, "%d.%d", &major, &minor);
	check(r, major > 5 || (major == 5 && minor >= 10) ? GOOD : BAD,
	      "host kernel", u.release, "Linux 5.10 or later is needed");
}

static void check_state(struct report *r)
{
	struct err e = { 0 };
	const char *root = state_root(&e);

	check(r, root ? GOOD : BAD, "state directory", root ? root : e.text,
	      "set XDG_RUNTIME_DIR to a directory of yours");
}

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	if (id == OPT_FORMAT && strcmp(arg, "json"))
		return err_set(e, STATUS_OURS, "the format is json");
	((struct report *)ctx)->json = json_array();
	return 0;
}

int cmd_doctor(int argc, char **argv)
{
	struct report r = { .is_coloured = has_colour(stdout) };
	struct sandbox_probe p = { 0 };
	struct err e;
	json_t *all;

	if (options_parse(CMD_DOCTOR, argc, argv, set, &r, &e) < 0)
		return message_error(&e);
	sandbox_probe(&p);
	check_kernel(&r);
	check_processor(&r);
	check_namespaces(&r, &p);
	check_wall(&r, &p);
	check_limits(&r, &p);
	check_clock(&r);
	check_state(&r);
	if (r.json) {
		all = json_pack("{s:b,s:o}", "ok", !r.bad_count, "checks",
				r.json);
		json_dumpf(all, stdout, JSON_INDENT(1));
		putchar('\n');
	} else if (r.bad_count) {
		printf("bailey cannot run programs here: %d to be changed\n",
		       r.bad_count);
	} else {
		printf("bailey can run programs here\n");
	}
	return r.bad_count ? STATUS_OURS : 0;
}
