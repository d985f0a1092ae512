/*
 * events.c - what the monitor tells a running sandbox: signals, window
 * sizes, processes to start, questions.  Runs on the service thread.
 */
#include <libos/core.h>
#include <libos/heap.h>
#include <libos/proc.h>
#include <libos/save.h>
#include <libos/signal.h>
#include <libos/task.h>
#include <libos/tty.h>
#include <libos/vfs.h>

#define PAYLOAD_MAX 0x10000

static char *payload; /* the event's; the service thread's alone */

struct spawn_request {
	struct task *t;
	struct boot_spawn *s; /* followed by its strings */
	u32 token;
};

static void report_started(u32 token, int err, const char *why)
{
	host_report(HOST_REPORT_STARTED, token, -err, why, strlen(why));
}

/* First code of the new process, in a copy of the first picoprocess. */
static void spawn_started(void *arg)
{
	struct spawn_request *r = arg;
	struct task *t = r->t;
	char why[256] = "";
	int err;

	host_mem_unmap((void *)GUEST_MIN, BLY_BASE - GUEST_MIN);
	host_mem_unmap((void *)BLY_WINDOWS, GUEST_MAX - BLY_WINDOWS);
	err = spawn_exec(t, r->s, r->s, why, sizeof(why));
	report_started(r->token, err, why);
	kfree(r->s);
	kfree(r);
	if (err)
		task_exit_group((err == -ENOENT ? 127 : 126) << 8);
}

static int spawn(const struct host_event *ev, char *why, size_t why_size)
{
	struct spawn_request *r = kzalloc(sizeof(*r));
	struct boot_spawn *s = kmalloc(ev->payload_size);

	if (!r || !s || ev->payload_size < sizeof(*s))
		return -ENOMEM;
	memcpy(s, payload, ev->payload_size);
	for (unsigned i = 0; i < 3; i++)
		s->handles[i] = i < ev->handle_count ? ev->handles[i]
						     : HOST_NO_HANDLE;
	r->s = s;
	r->token = ev->token;
	r->t = spawn_prepare(s, s, s->handles, why, why_size);
	if (!r->t)
		return -ENOMEM;
	r->t->proc->spawn_token = ev->token;
	r->t->kthread_fn = spawn_started;
	r->t->kthread_arg = r;
	proc_link(r->t->proc, NULL, r->t->tid, r->t->tid);
	return task_start_host(r->t, true);
}

void proc_spawn_exited(struct proc *p, u32 status)
{
	if (p->spawn_token)
		host_report(HOST_REPORT_EXITED, p->spawn_token, (s32)status,
			    "", 0);
}

static const char *proc_state_name(const struct proc *p)
{
	return p->state == PROC_ZOMBIE ? "zombie"
	       : p->is_stopped	       ? "stopped"
				       : "running";
}

static size_t json_string(char *out, size_t size, const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 8 < size; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == 0)
			c = ' ';
		if (c == '"' || c == '\\')
			n += (size_t)snprintf(out + n, size - n, "\\%c", c);
		else if (c < 32)
			n += (size_t)snprintf(out + n, size - n, "\\u%04x", c);
		else
			out[n++] = (char)c;
	}
	out[n] = '\0';
	return n;
}

static void answer_ps(u32 token)
{
	const size_t size = 0xc000;
	char *text = kmalloc(size), cmd[512];
	size_t n = 0;
	s32 count = 0;
	struct proc *p;

	if (!text)
		return;
	n += (size_t)snprintf(text, size, "[");
	mutex_lock(&tasklist_lock);
	list_for_each(p, &all_procs, in_all) {
		size_t len = p->cmdline_size;

		count++;
		if (n + 700 > size)
			continue; /* counted, but there is no room to list it */
		while (len && !p->cmdline[len - 1])
			len--;
		json_string(cmd, sizeof(cmd), p->cmdline ? p->cmdline : "",
			    len);
		n += (size_t)snprintf(text + n, size - n,
			"%s{\"pid\":%d,\"ppid\":%d,\"state\":\"%s\","
			"\"threads\":%u,\"uid\":%u,\"command\":\"%s\"}",
			n > 1 ? "," : "", p->pid,
			p->parent ? p->parent->pid : 0, proc_state_name(p),
			p->thread_count, p->leader ? p->leader->cred.euid : 0,
			cmd);
	}
	mutex_unlock(&tasklist_lock);
	n += (size_t)snprintf(text + n, size - n, "]");
	host_report(HOST_REPORT_ANSWER, token, count, text, MIN(n, size - 1));
	kfree(text);
}

static void handle_event(const struct host_event *ev)
{
	siginfo_t info = { 0 };
	char why[256] = "";
	int err;

	switch (ev->kind) {
	case HOST_EVENT_SIGNAL:
		info.si_signo = (int)ev->a;
		info.si_code = SI_USER;
		if (ev->a >= 1 && ev->a <= NSIG && init_proc)
			signal_send_proc(init_proc, (int)ev->a, &info);
		break;
	case HOST_EVENT_WINDOW:
		console_resize((u32)ev->b, (u32)(ev->a >> 16),
			       (u32)(ev->a & 0xffff));
		break;
	case HOST_EVENT_HANGUP:
		console_hangup((u32)ev->b);
		break;
	case HOST_EVENT_SPAWN:
		err = spawn(ev, why, sizeof(why));
		if (err < 0)
			report_started(ev->token, err, why);
		break;
	case HOST_EVENT_FREEZE:
		save_freeze(ev);
		break;
	case HOST_EVENT_THAW:
		save_thaw((u32)ev->a);
		break;
	case HOST_EVENT_PS:
		answer_ps(ev->token);
		break;
	default:
		break;
	}
}

bool events_ready(void *arg, u32 events)
{
	struct host_event ev;

	if (!payload)
		payload = kmalloc(PAYLOAD_MAX);
	while (payload && host_event_next(&ev, payload, PAYLOAD_MAX) == 0)
		handle_event(&ev);
	return !(events & (HOST_POLL_HUP | HOST_POLL_ERR));
}
