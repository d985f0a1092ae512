/*
 * stream.c - byte streams between two sockets of the sandbox: Unix streams
 * and loopback TCP.
 *
 * The bytes lie in a ring in the receiving socket, guarded by its lock; the
 * ring starts at a page and doubles up to the limit.  When it runs empty it
 * starts again at the front, so that a ping-pong stays on one page.  What
 * travels with the bytes (descriptors, credentials) is a mark: a stretch of
 * stream positions.  A read stops behind a stretch with descriptors, and
 * where credentials change if the reader wants them.
 */
#include "sock.h"

#define RING_FIRST ((u32)PAGE_SIZE)

/* ---- the ring ---------------------------------------------------------------- */
void ring_free(struct ring *r)
{
	if (r->base)
		page_free(r->base, r->size / PAGE_SIZE);
	memset(r, 0, sizeof(*r));
}

static void ring_copy_out(const struct ring *r, u8 *to)
{
	u32 first = MIN(r->used, r->size - r->start);

	if (!r->used)
		return;
	memcpy(to, r->base + r->start, first);
	memcpy(to + first, r->base, r->used - first);
}

/* Make the ring hold want bytes if limit allows. */
static void ring_grow(struct ring *r, u32 want, u32 limit)
{
	u32 size = r->size ? r->size : RING_FIRST;
	u8 *base;

	while (size < want && size < limit)
		size *= 2;
	if (size <= r->size)
		return;
	base = page_alloc(size / PAGE_SIZE);
	if (!base)
		return;
	ring_copy_out(r, base);
	if (r->base)
		page_free(r->base, r->size / PAGE_SIZE);
	r->base = base;
	r->size = size;
	r->start = 0;
}

/* Append n bytes, which fit; returns how many could be copied or -EFAULT. */
static ssize_t ring_put(struct ring *r, struct uio *u, u32 n)
{
	u32 done = 0;

	while (done < n) {
		u32 at = (r->start + r->used) & (r->size - 1);
		u32 part = MIN(n - done, r->size - at);
		ssize_t got = uio_get(u, r->base + at, part);

		if (got <= 0)
			return done ? (ssize_t)done : got;
		r->used += (u32)got;
		done += (u32)got;
		if ((u32)got < part)
			break;
	}
	return (ssize_t)done;
}

static ssize_t ring_take(struct ring *r, struct uio *u, u32 n, bool peek)
{
	u32 done = 0, at;

	while (done < n) {
		u32 part;
		ssize_t got;

		at = (r->start + done) & (r->size - 1);
		part = MIN(n - done, r->size - at);
		got = uio_put(u, r->base + at, part);
		if (got <= 0) {
			if (!done)
				return got;
			break;
		}
		done += (u32)got;
		if ((u32)got < part)
			break;
	}
	if (peek)
		return (ssize_t)done;
	r->used -= done;
	r->pos += done;
	r->start = r->used ? (r->start + done) & (r->size - 1) : 0;
	return (ssize_t)done;
}

/* ---- marks -------------------------------------------------------------------- */
static bool same_cred(const struct scm *a, const struct scm *b)
{
	if (!a || !b || !a->has_cred || !b->has_cred)
		return (a && a->has_cred) == (b && b->has_cred);
	return !memcmp(&a->cred, &b->cred, sizeof(a->cred));
}

/* How many of n bytes one read may take, marks considered. */
static u32 marks_limit(const struct socket *s, u32 n)
{
	u64 pos = s->ring.pos, end = pos + n, known = pos;
	const struct scm *first = NULL;
	bool have_first = false;
	struct mark *m;

	list_for_each(m, &s->marks, node) {
		if (m->start >= end)
			break;
		if (s->opt.pass_cred) {
			if (m->start > known && !have_first)
				have_first = true; /* bytes of nobody */
			if (have_first && m->start > pos &&
			    !same_cred(first, m->scm))
				return (u32)(m->start - pos);
			if (!have_first)
				first = m->scm;
			have_first = true;
		}
		known = m->end;
		if (m->scm->file_count)
			return (u32)(MIN(end, m->end) - pos);
	}
	return n;
}

/* Hand over what was attached to the bytes [from, to) just read. */
static struct scm *marks_take(struct socket *s, u64 from, u64 to, bool peek)
{
	struct mark *m, *next;
	struct scm *got = NULL;

	list_for_each_safe(m, next, &s->marks, node) {
		if (m->start >= to)
			break;
		if (peek) {
			if (!got || m->scm->file_count) {
				if (got)
					scm_free(got);
				got = scm_copy(m->scm);
			}
			continue;
		}
		if (m->end <= to) {
			list_remove(&m->node);
			if (!got || m->scm->file_count) {
				struct scm *old = got;

				got = m->scm;
				m->scm = old;
			}
			if (m->scm)
				scm_free(m->scm);
			kfree(m);
		} else {
			/* Partly read: the files go now, the credentials
			 * stay for the rest. */
			struct scm *rest = scm_alloc();

			if (got && !m->scm->file_count) {
				kfree(rest);
				continue;
			}
			if (!rest)
				continue;
			rest->cred = m->scm->cred;
			rest->has_cred = m->scm->has_cred;
			if (got)
				scm_free(got);
			got = m->scm;
			m->scm = rest;
		}
	}
	return got;
}

void marks_free(struct list *marks)
{
	struct mark *m, *next;

	list_for_each_safe(m, next, marks, node) {
		list_remove(&m->node);
		scm_free(m->scm);
		kfree(m);
	}
}

void stream_purge(struct socket *s, struct list *marks)
{
	list_init(marks);
	while (!list_empty(&s->marks)) {
		struct list *n = s->marks.next;

		list_remove(n);
		list_push_back(marks, n);
	}
	s->ring.used = 0;
	ring_free(&s->ring);
}

/* ---- sending --------------------------------------------------------------------- */
u32 stream_limit(const struct socket *r)
{
	const struct socket *sender = r->peer;
	u32 limit = STREAM_RING_MAX;

	if (r->family == AF_UNIX)
		limit = sender ? sender->opt.send_buffer : SOCK_DEFAULT_BUFFER;
	else if (sender && sender->opt.send_locked)
		limit = sender->opt.send_buffer + r->opt.receive_buffer;
	return MIN(MAX(limit, RING_FIRST), STREAM_RING_MAX);
}

bool stream_has_room(const struct socket *r)
{
	return r->ring.used <= stream_limit(r) / 2;
}

/* May s write now, as poll sees it?  If not, it will be woken. */
bool stream_peer_writable(struct socket *s)
{
	struct socket *r = s->peer;
	bool ok;

	if (!r)
		return true;
	if (!r->ring.used)
		return true;
	mutex_lock(&r->lock);
	ok = r->dead || stream_has_room(r);
	if (!ok)
		r->want_space = true;
	mutex_unlock(&r->lock);
	return ok;
}

/* Attach what io carries to the n bytes at the end of r's ring. */
static void attach_mark(struct socket *r, struct mark *m, u32 n,
			struct sock_io *io)
{
	m->end = r->ring.pos + r->ring.used;
	m->start = m->end - n;
	m->scm = io->scm;
	io->scm = NULL;
	list_push_back(&r->marks, &m->node);
}

/* What to send along with the bytes: explicit, or because someone asked. */
static int prepare_mark(struct socket *s, struct socket *r,
			struct sock_io *io, struct mark **out)
{
	*out = NULL;
	if (LIKELY(!io->scm && !s->opt.pass_cred && !r->opt.pass_cred))
		return 0;
	if (s->family != AF_UNIX)
		return 0;
	if (!io->scm)
		io->scm = scm_with_cred();
	if (!io->scm)
		return -ENOMEM;
	if (!io->scm->has_cred) {
		cred_of_current(&io->scm->cred);
		io->scm->has_cred = true;
	}
	*out = kmalloc(sizeof(**out));
	if (!*out)
		return -ENOMEM;
	scm_count(io->scm);
	return 0;
}

/* Copy what fits into r.  Bytes, or 0 for no room. */
static ssize_t send_some(struct socket *r, struct sock_io *io,
			 struct mark **mark)
{
	u32 limit = stream_limit(r);
	size_t want = io->data->left;
	u32 n;
	ssize_t done;

	if (r->ring.used >= limit)
		return 0;
	n = (u32)MIN(want, (size_t)(limit - r->ring.used));
	if (r->ring.used + n > r->ring.size)
		ring_grow(&r->ring, r->ring.used + n, limit);
	n = MIN(n, r->ring.size - r->ring.used);
	if (!n)
		return r->ring.size ? 0 : -ENOBUFS;
	done = ring_put(&r->ring, io->data, n);
	if (done > 0 && *mark) {
		attach_mark(r, *mark, (u32)done, io);
		*mark = NULL;
	}
	return done;
}

/* Why s may not write to r; r locked. */
static int send_refused(struct socket *s, struct socket *r)
{
	if (s->error && s->family != AF_UNIX)
		return socket_take_error(s);
	if ((s->shut & SHUT_WRITE) ||
	    (s->family == AF_UNIX && (r->dead || (r->shut & SHUT_READ))))
		return -EPIPE;
	return 0;
}

/* A TCP peer that is gone takes the first bytes and answers with a reset,
 * which the next call will see. */
static ssize_t send_to_closed(struct socket *s, struct sock_io *io)
{
	size_t n = io->data->left;

	uio_advance(io->data, n);
	mutex_lock(&s->lock);
	s->error = EPIPE;
	s->shut = SHUT_BOTH;
	s->state = SS_CLOSED;
	s->reset = true;
	mutex_unlock(&s->lock);
	socket_wake_all(s, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);
	return (ssize_t)n;
}

/* Asks for a wake-up if the answer is no. */
static bool can_send(struct socket *s)
{
	return s->error || (s->shut & SHUT_WRITE) || stream_peer_writable(s);
}

static int wait_for_room(struct socket *s, u64 *deadline)
{
	int err;

	if (!*deadline)
		*deadline = socket_deadline(s->opt.send_timeout_ns);
	err = wait_until(&s->write_wait, can_send(s), *deadline);
	return socket_wait_error(err, *deadline);
}

/* After a failure: what was sent counts. */
static ssize_t send_result(ssize_t done, ssize_t err)
{
	return done ? done : err;
}

ssize_t stream_send(struct socket *s, struct sock_io *io)
{
	struct socket *r = s->peer;
	u64 deadline = 0;
	struct mark *mark;
	ssize_t done = 0, n;
	int err = prepare_mark(s, r, io, &mark);

	if (err)
		return err;
	do {
		mutex_lock(&r->lock);
		n = send_refused(s, r);
		if (UNLIKELY(!n && r->dead)) {
			mutex_unlock(&r->lock);
			done += send_to_closed(s, io);
			break;
		}
		if (!n)
			n = io->data->left ? send_some(r, io, &mark) : 0;
		mutex_unlock(&r->lock);
		if (n > 0) {
			done += n;
			socket_wake_read(r, EPOLL_READABLE);
			if (UNLIKELY(io->data->left && !mark))
				prepare_mark(s, r, io, &mark);
		} else if (n == 0 && io->data->left) {
			n = io->nonblock ? -EAGAIN
				: wait_for_room(s, &deadline);
		}
	} while (n >= 0 && io->data->left);
	kfree(mark);
	return n < 0 ? send_result(done, n) : done;
}

/* ---- receiving -------------------------------------------------------------------- */
static bool can_receive(struct socket *s, u32 more_than)
{
	return s->ring.used > more_than || s->error ||
		(s->shut & SHUT_READ) || s->dead;
}

/* Take what is there; wakes a sender that waits for room. */
static ssize_t receive_some(struct socket *s, struct sock_io *io, bool *stop)
{
	bool peek = io->flags & MSG_PEEK, wake = false;
	u32 n = (u32)MIN((size_t)s->ring.used, io->data->left);
	u64 from = s->ring.pos;
	ssize_t done;

	if (UNLIKELY(!list_empty(&s->marks))) {
		u32 limit = marks_limit(s, n);

		*stop = limit < n;
		n = limit;
	}
	if (UNLIKELY((io->flags & MSG_TRUNC) && s->family != AF_UNIX)) {
		struct ring *r = &s->ring; /* discard */

		r->used -= n;
		r->pos += n;
		r->start = r->used ? (r->start + n) & (r->size - 1) : 0;
		uio_advance(io->data, n);
		done = (ssize_t)n;
	} else {
		done = ring_take(&s->ring, io->data, n, peek);
	}
	if (done > 0 && UNLIKELY(!list_empty(&s->marks))) {
		struct scm *got = marks_take(s, from, from + (u64)done, peek);

		if (got && io->scm) {
			/* a later part of the same sender's bytes */
			*stop = *stop || got->file_count;
			if (got->file_count) {
				struct scm *old = io->scm;

				io->scm = got;
				got = old;
			}
			scm_free(got);
		} else if (got) {
			io->scm = got;
			*stop = *stop || got->file_count;
		}
	}
	if (s->want_space && stream_has_room(s)) {
		s->want_space = false;
		wake = true;
	}
	mutex_unlock(&s->lock);
	if (wake && s->peer)
		socket_wake_write(s->peer, EPOLL_WRITABLE);
	return done;
}

/* Nothing to read: the reason to return, 1 to wait. */
static ssize_t receive_empty(struct socket *s, struct sock_io *io)
{
	int err = socket_take_error(s);

	if (err)
		return err;
	if (s->shut & SHUT_READ)
		return 0;
	return io->nonblock ? -EAGAIN : 1;
}

static int wait_for_data(struct socket *s, u32 more_than, u64 *deadline)
{
	int err;

	if (!*deadline)
		*deadline = socket_deadline(s->opt.receive_timeout_ns);
	err = wait_until(&s->read_wait, can_receive(s, more_than), *deadline);
	return socket_wait_error(err, *deadline);
}

ssize_t stream_receive(struct socket *s, struct sock_io *io)
{
	size_t target = (io->flags & MSG_WAITALL) ? io->data->left
		: MIN((size_t)s->opt.low_water, io->data->left);
	size_t wanted = io->data->left;
	u64 deadline = 0;
	size_t done = 0;
	bool stop = false;
	ssize_t n = 0;

	while (wanted && !stop) {
		mutex_lock(&s->lock);
		if (s->ring.used) {
			n = receive_some(s, io, &stop); /* unlocks */
			if (n <= 0)
				break;
			done += (size_t)n;
			if (done >= target || (io->flags & MSG_PEEK))
				break;
			continue;
		}
		mutex_unlock(&s->lock);
		if (done && (s->error || io->nonblock))
			break;
		n = receive_empty(s, io);
		if (n <= 0)
			break;
		n = wait_for_data(s, 0, &deadline);
		if (n)
			break;
	}
	if (io->scm || (s->opt.pass_cred && done))
		control_put_scm(s, io);
	return done ? (ssize_t)done : n;
}
