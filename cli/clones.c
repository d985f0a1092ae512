/*
 * clones.c - see clones.h.
 *
 * The image is unpacked already; a few children start one clone after the
 * other and report through memory that all share.  The first goes alone: if
 * it fails, so would all.  A clone either runs or has left nothing behind;
 * those that run stay when another one fails.
 */
#include "cli/clones.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHOWN_ERRORS = 3, WORKER_CLONES = 32 };

struct result {
	bool is_tried, is_started;
	char id[65], libos[256];
	struct err e;
};
struct batch { /* shared with the workers */
	atomic_uint next; /* clone to be started */
	struct result all[];
};

static bool is_interrupted(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGINT) ||
		sigismember(&pending, SIGTERM) ||
		sigismember(&pending, SIGHUP);
}

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

/* Starts clones until there are none left, or enough for one process: what
 * each leaves in its memory, the next one's monitor begins with. */
static _Noreturn void worker(const struct clones *c, const struct resuming *s,
			     const struct request *r, struct batch *b)
{
	unsigned n, done;

	for (done = 0; done < WORKER_CLONES && !is_interrupted(); done++) {
		n = atomic_fetch_add(&b->next, 1);
		if (n >= c->count)
			break;
		b->all[n].is_tried = true;
		clone_start(c, s, r, b->all, n);
		if (n == 0)
			break;
	}
	_exit(0);
}

/* ---- all of them -------------------------------------------------------- */
/* The first goes alone: if it fails, so would all. */
static void start_all(const struct clones *c, const struct resuming *s,
		      const struct request *r, struct batch *b)
{
	long width = sysconf(_SC_NPROCESSORS_ONLN) + 1, running = 0;
	unsigned next;

	while ((next = atomic_load(&b->next)) < c->count && !is_interrupted()) {
		pid_t pid;

		if (next && !b->all[0].is_started)
			break;
		pid = fork();
		if (pid == 0)
			worker(c, s, r, b);
		if (pid < 0) {
			err_set(&b->all[next].e, STATUS_OURS, "fork: %s",
				strerror(errno));
			b->all[next].is_tried = true;
			break;
		}
		running++;
		while (running && (running >= width || !next) &&
		       wait(NULL) > 0)
			running--;
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

static int report(const struct clones *c, const struct resuming *s,
		  const struct result *all, uint64_t ns)
{
	unsigned started = 0, failed = 0;

	for (unsigned n = 0; n < c->count; n++) {
		if (!all[n].is_tried)
			continue;
		if (all[n].is_started) {
			started++;
			printf("%s\n", all[n].id);
		} else if (failed++ < SHOWN_ERRORS) {
			fail("%s: %s", clone_name(c, s, n) ?: "clone",
			     *all[n].e.text ? all[n].e.text :
			     "ended while it was started");
		}
	}
	if (started < c->count)
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
	struct batch *b = mmap(NULL, sizeof(*b) +
		c->count * sizeof(b->all[0]), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t start = monotonic_ns();
	struct err e;

	if (b == MAP_FAILED)
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
	start_all(c, s, &same, b);
	return report(c, s, b->all, monotonic_ns() - start);
}
