/*
 * clones.c - see clones.h.
 *
 * The image is unpacked already; each clone is started by a child of its own
 * (a process starts one sandbox), a few at a time, which reports through
 * memory that we share.  The first goes alone: if it fails, so would all.  A
 * clone either runs or has left nothing behind; those that run stay when
 * another one fails.
 */
#include "cli/clones.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHOWN_ERRORS = 3 };

struct result {
	pid_t pid;
	bool is_started;
	char id[65], libos[256];
	struct err e;
};

/* ---- one clone ---------------------------------------------------------- */
static char *clone_name(const struct clones *c, const struct resuming *s,
			unsigned n)
{
	const char *pattern = c->name ? c->name : s->name;
	const char *hole = pattern ? strstr(pattern, "{}") : NULL;

	if (!pattern)
		return NULL;
	if (!hole)
		return xasprintf("%s-%u", pattern, n);
	return xasprintf("%.*s%u%s", (int)(hole - pattern), pattern, n,
			 hole + 2);
}

/* The first clone's library OS is linked to, not copied again. */
static int join(const struct resuming *s, const struct result *first,
		struct launch *l, struct err *e)
{
	struct resuming same = *s;

	if (*first->libos)
		snprintf(same.unpacked.libos, sizeof(same.unpacked.libos),
			 "%s", first->libos);
	return resuming_join(&same, l, e);
}

static void clone_start(const struct clones *c, const struct resuming *s,
			const struct request *r, struct result *all, unsigned n)
{
	struct launch l = { .request = *r, .relay = -1 };
	struct result *out = &all[n];
	struct sandbox_config *config = &l.request.config;

	sandbox_begin(config);
	config->name = clone_name(c, s, n);
	if (grants_ports(&l.request, c->ports, n, &out->e))
		return;
	config->ports = l.request.ports.v;
	config->port_count = l.request.ports.count;
	if (launch_claim(&l, &out->e))
		return;
	if (join(s, &all[0], &l, &out->e)) {
		launch_undo(&l);
		return;
	}
	if (launch_start(&l, &out->e))
		return;
	sandbox_release(&l.sandbox);
	snprintf(out->id, sizeof(out->id), "%s", l.state.id);
	if (strlen(config->libos) < sizeof(out->libos))
		strcpy(out->libos, config->libos);
	out->is_started = true;
}

static int clone_fork(const struct clones *c, const struct resuming *s,
		      const struct request *r, struct result *all, unsigned n)
{
	all[n].pid = fork();
	if (all[n].pid == 0) {
		clone_start(c, s, r, all, n);
		_exit(0);
	}
	return all[n].pid < 0 ? err_set(&all[n].e, STATUS_OURS, "fork: %s",
					strerror(errno)) : 0;
}

/* ---- all of them -------------------------------------------------------- */
static bool is_interrupted(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGINT) ||
		sigismember(&pending, SIGTERM) ||
		sigismember(&pending, SIGHUP);
}

/* Returns how many were tried. */
static unsigned start_all(const struct clones *c, const struct resuming *s,
			  const struct request *r, struct result *all)
{
	long width = sysconf(_SC_NPROCESSORS_ONLN) + 1;
	unsigned n = 0;
	long running = 0;

	while (n < c->count && !is_interrupted()) {
		if (n == 1 && !all[0].is_started)
			break;
		if (clone_fork(c, s, r, all, n++))
			break;
		running++;
		while (running && (running >= width || n == 1) &&
		       wait(NULL) > 0)
			running--;
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
	return n;
}

static int report(const struct clones *c, const struct resuming *s,
		  const struct result *all, unsigned tried, uint64_t ns)
{
	unsigned started = 0, failed = 0;

	for (unsigned n = 0; n < tried; n++) {
		if (all[n].is_started) {
			started++;
			printf("%s\n", all[n].id);
		} else if (failed++ < SHOWN_ERRORS) {
			fail("%s: %s", clone_name(c, s, n) ?: "clone",
			     *all[n].e.text ? all[n].e.text :
			     "ended while it was started");
		}
	}
	if (failed || tried < c->count)
		return fail("%u of %u clones run%s", started, c->count,
			    failed ? "" : "; interrupted");
	if (!c->is_quiet)
		fprintf(stderr, "%u clones in %.0f ms, %.1f ms each\n",
			started, (double)ns / 1e6,
			(double)ns / 1e6 / started);
	return 0;
}

int clones_start(const struct clones *c, const struct resuming *s,
		 const struct request *r)
{
	struct request same = *r;
	struct result *all = mmap(NULL, c->count * sizeof(*all), PROT_READ |
		PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t start = monotonic_ns();
	unsigned tried;
	struct err e;

	if (all == MAP_FAILED)
		return fail("%u clones: %s", c->count, strerror(errno));
	if (c->name && c->count > 1 && !strstr(c->name, "{}"))
		return fail("name \"%s\": {} is needed in it, for the clone's "
			    "number", c->name);
	if (!state_root(&e)) /* made once, by us */
		return message_error(&e);
	sandbox_share();
	/* signals are blocked: a clone is started whole or not at all */
	if (c->shares_network)
		same.config.empty_network = sandbox_empty_network();
	tried = start_all(c, s, &same, all);
	return report(c, s, all, tried, monotonic_ns() - start);
}
