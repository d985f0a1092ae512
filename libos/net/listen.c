/*
 * listen.c - connections that wait to be accepted.
 *
 * A listener's queue holds a reference to each child, which is a socket
 * without a file that is already joined to its client.
 */
#include "sock.h"

void stream_join(struct socket *a, struct socket *b)
{
	a->peer = socket_get(b);
	b->peer = socket_get(a);
	b->state = SS_ESTABLISHED;
	__atomic_store_n(&a->state, SS_ESTABLISHED, __ATOMIC_RELEASE);
}

void listen_queue(struct socket *l, struct socket *child)
{
	list_push_back(&l->accept_queue, &child->in_accept);
	l->accept_count++;
}

/* The next child, or NULL; *alive says whether more may come. */
static struct socket *listen_take(struct socket *s, bool *alive)
{
	struct socket *child = NULL;

	mutex_lock(&s->lock);
	if (!list_empty(&s->accept_queue)) {
		child = list_first(&s->accept_queue, struct socket,
				   in_accept);
		list_remove(&child->in_accept);
		s->accept_count--;
	}
	*alive = s->state == SS_LISTEN && !(s->shut & SHUT_READ);
	mutex_unlock(&s->lock);
	return child;
}

static bool can_accept(struct socket *s)
{
	return !list_empty(&s->accept_queue) || s->state != SS_LISTEN ||
		(s->shut & SHUT_READ);
}

/* Host connections may come too: look there, then sleep on both. */
static int accept_or_wait_host(struct socket *s, bool nonblock, u64 deadline,
			       struct socket **out)
{
	struct waiter w;
	int err;

	err = tcp_host_accept(s, out);
	if (err != -EAGAIN || nonblock)
		return err;
	waiter_init(&w, current());
	waitq_add(&s->read_wait, &w);
	task_prepare_sleep();
	err = can_accept(s) ? 0
		: host_handle_wait(s->handle, HOST_POLL_IN, deadline);
	waitq_remove(&w);
	return err ? err : 1;
}

static int accept_wait(struct socket *s, bool nonblock, u64 deadline,
		       struct socket **out)
{
	if (s->handle != HOST_NO_HANDLE)
		return accept_or_wait_host(s, nonblock, deadline, out);
	if (nonblock)
		return -EAGAIN;
	return wait_until(&s->read_wait, can_accept(s), deadline) ?: 1;
}

int listen_accept(struct socket *s, bool nonblock, struct socket **out)
{
	u64 deadline = socket_deadline(s->opt.receive_timeout_ns);
	bool alive;
	int err;

	if (s->state != SS_LISTEN)
		return -EINVAL;
	for (;;) {
		*out = listen_take(s, &alive);
		if (*out) {
			if (waitq_active(&s->space_wait))
				waitq_wake(&s->space_wait, EPOLL_WRITABLE);
			if (UNLIKELY(!list_empty(&s->connectors)))
				tcp_admit(s);
			return 0;
		}
		if (!alive)
			return -EINVAL;
		err = accept_wait(s, nonblock, deadline, out);
		if (err <= 0)
			return socket_wait_error(err, deadline);
	}
}
