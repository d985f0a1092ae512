/*
 * unix_gc.c - descriptors in flight: Unix sockets that can be reached only
 * through messages queued at Unix sockets which nobody can reach.
 *
 * Each Unix socket counts the references that messages hold to its file.  A
 * socket whose file has no others is a candidate; candidates that are held
 * by a queue of something reachable are reachable too; the rest is garbage,
 * and its queues are emptied, which closes it.
 */
#include "sock.h"

static struct mutex gc_lock = MUTEX_INIT;
static struct list in_flight = LIST_INIT(in_flight); /* gc_lock */
static u32 in_flight_count;

static struct socket *unix_of(struct file *f)
{
	struct socket *s = socket_of(f);

	return s && s->family == AF_UNIX ? s : NULL;
}

void scm_count(struct scm *m)
{
	u32 i;

	if (!m->file_count || m->in_flight)
		return;
	mutex_lock(&gc_lock);
	m->in_flight = true;
	for (i = 0; i < m->file_count; i++) {
		struct socket *s = unix_of(m->files[i]);

		if (!s)
			continue;
		if (!s->un.in_flight++)
			list_push_back(&in_flight, &s->un.in_flight_list);
		in_flight_count++;
	}
	mutex_unlock(&gc_lock);
}

void scm_uncount(struct scm *m)
{
	u32 i;

	if (!m->in_flight)
		return;
	mutex_lock(&gc_lock);
	m->in_flight = false;
	for (i = 0; i < m->file_count; i++) {
		struct socket *s = unix_of(m->files[i]);

		if (!s)
			continue;
		if (!--s->un.in_flight)
			list_remove(&s->un.in_flight_list);
		in_flight_count--;
	}
	mutex_unlock(&gc_lock);
}

/* ---- walking what a socket's queues hold -------------------------------------- */
typedef void visit_fn(struct socket *s);

static void visit_scm(const struct scm *m, visit_fn *fn)
{
	u32 i;

	for (i = 0; m && i < m->file_count; i++) {
		struct socket *s = unix_of(m->files[i]);

		if (s && s->un.in_flight)
			fn(s);
	}
}

static void visit_queue(struct socket *s, visit_fn *fn)
{
	struct message *m;
	struct mark *k;

	list_for_each(k, &s->marks, node)
		visit_scm(k->scm, fn);
	list_for_each(m, &s->messages, node)
		visit_scm(m->scm, fn);
}

/* A listener holds what is queued at its children, too. */
static void visit_all(struct socket *s, visit_fn *fn)
{
	struct socket *c;

	mutex_lock(&s->lock);
	visit_queue(s, fn);
	list_for_each(c, &s->accept_queue, in_accept) {
		mutex_lock(&c->lock);
		visit_queue(c, fn);
		mutex_unlock(&c->lock);
	}
	mutex_unlock(&s->lock);
}

static void drop_ref(struct socket *s)
{
	s->un.gc_refs--;
}

static void reach(struct socket *s)
{
	s->un.gc_refs++; /* more than none: see spread() */
}

/* ---- the three passes ------------------------------------------------------------ */
static void count_external(void)
{
	struct socket *s;

	/* gc_refs: references from outside the candidates' queues */
	list_for_each(s, &in_flight, un.in_flight_list) {
		u32 refs = s->file ? s->file->ref.count : ~0u;

		s->un.gc_reached = false;
		s->un.gc_refs = refs == s->un.in_flight ? refs : ~0u / 2;
	}
	list_for_each(s, &in_flight, un.in_flight_list)
		if (s->un.gc_refs < ~0u / 4)
			visit_all(s, drop_ref);
}

static void spread(void)
{
	struct socket *s;
	bool changed = true;

	while (changed) {
		changed = false;
		list_for_each(s, &in_flight, un.in_flight_list) {
			if (s->un.gc_reached || !s->un.gc_refs)
				continue;
			s->un.gc_reached = changed = true;
			visit_all(s, reach);
		}
	}
}

/* Move what a garbage socket's queue holds away. */
static void take_queue(struct socket *s, struct list *marks,
		       struct list *messages)
{
	struct mark *k, *kn;
	struct message *m, *mn;

	list_for_each_safe(k, kn, &s->marks, node) {
		list_remove(&k->node);
		list_push_back(marks, &k->node);
	}
	list_for_each_safe(m, mn, &s->messages, node) {
		list_remove(&m->node);
		list_push_back(messages, &m->node);
	}
	s->message_count = s->message_bytes = 0;
}

static void collect(struct list *marks, struct list *messages)
{
	struct socket *s, *c;

	list_for_each(s, &in_flight, un.in_flight_list) {
		if (s->un.gc_reached)
			continue;
		mutex_lock(&s->lock);
		take_queue(s, marks, messages);
		list_for_each(c, &s->accept_queue, in_accept) {
			mutex_lock(&c->lock);
			take_queue(c, marks, messages);
			mutex_unlock(&c->lock);
		}
		mutex_unlock(&s->lock);
	}
}

void unix_gc(void)
{
	struct list marks, messages;

	if (LIKELY(!in_flight_count))
		return;
	list_init(&marks);
	list_init(&messages);
	mutex_lock(&gc_lock);
	count_external();
	spread();
	collect(&marks, &messages);
	mutex_unlock(&gc_lock);
	marks_free(&marks);
	messages_free(&messages);
}
