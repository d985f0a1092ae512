/*
 * save.c - freezing for the monitor, and the copies that write a saved
 * sandbox's memory.
 *
 * FREEZE stops every thread; then the command copies the kernel heap.  THAW
 * with WRITE makes a copy-on-write copy of each picoprocess, with a thread of
 * the library OS in it, and lets the program run on (or leaves it frozen).
 * Each copy writes the pages of its space to the stream; the last one ends
 * the stream.  A stream that cannot be written ends the save and nothing
 * else.
 */
#include <libos/save.h>

#include <libos/exec.h>
#include <libos/heap.h>
#include <libos/ktime.h>
#include <libos/lock.h>
#include <libos/mm.h>
#include <libos/park.h>
#include <libos/proc.h>
#include <libos/task.h>

#define GROUPS_MAX 4096u

/* What a resume has to know of the moment of the freeze (resume.c). */
struct save_clocks save_clocks;

static host_handle stream = HOST_NO_HANDLE; /* of the save that goes on */
static struct mutex record_lock; /* one whole record at a time; guards: */
static u64 records;
static int stream_error;
static u32 writers;              /* atomic: copies that have not finished */

static void stream_close(void)
{
	host_stream_close(stream);
	__atomic_store_n(&stream, HOST_NO_HANDLE, __ATOMIC_SEQ_CST);
}

/* ---- records ------------------------------------------------------------------ */
static int write_all(struct host_iovec *iov, unsigned count)
{
	while (count) {
		int64_t n = host_stream_write(stream, iov, count,
					      HOST_NO_OFFSET);

		if (n == -HOST_EINTR)
			continue;
		if (n <= 0)
			return n ? (int)n : -EIO;
		while (count && (u64)n >= iov->size) {
			n -= (int64_t)iov->size;
			iov++;
			count--;
		}
		if (count) {
			iov->base = (char *)iov->base + n;
			iov->size -= (u64)n;
		}
	}
	return 0;
}

#define PARTS_MAX 2
int save_record(enum save_kind kind, u64 space, u64 address,
		const struct host_iovec *parts, unsigned count)
{
	struct save_record r = { .magic = SAVE_MAGIC, .kind = kind,
				 .space = space, .address = address };
	struct host_iovec iov[1 + PARTS_MAX] = { { &r, sizeof(r) } };
	int err;

	for (unsigned i = 0; i < count; i++) {
		iov[1 + i] = parts[i];
		r.size += (u32)parts[i].size;
	}
	mutex_lock(&record_lock);
	if (!stream_error)
		stream_error = write_all(iov, 1 + count);
	records++;
	err = stream_error;
	mutex_unlock(&record_lock);
	return err;
}

/* ---- the copies ----------------------------------------------------------------- */
static void writer_main(void *arg)
{
	struct save_space *s = arg;

	mm_save_write(s);
	mm_save_free(s);
	if (__atomic_sub_fetch(&writers, 1, __ATOMIC_SEQ_CST))
		return;
	save_record(SAVE_END, 0, records, NULL, 0);
	stream_close();
}

/* On a parked thread of the picoprocess. */
static void writer_start(void *arg)
{
	struct task *t = current();
	struct save_space *s = mm_save_list(t->proc->mm,
					    (u64)t->host.process);

	if (s && kthread_create_copy("save", writer_main, s))
		return;
	mm_save_free(s);
	stream_error = -ENOMEM;
	__atomic_fetch_sub(&writers, 1, __ATOMIC_SEQ_CST);
}

static void count_group(struct task *t, void *arg)
{
	__atomic_fetch_add(&writers, 1, __ATOMIC_SEQ_CST);
}

static void write_group(struct task *t, void *arg)
{
	park_run(t, writer_start, NULL);
}

/* Every writer is counted before the first runs, and one more for us: none
 * of them is the last too early. */
static void write_all_groups(void)
{
	records = 0;
	stream_error = 0;
	__atomic_store_n(&writers, 1, __ATOMIC_SEQ_CST);
	park_for_each_group(count_group, NULL);
	park_for_each_group(write_group, NULL);
	if (__atomic_sub_fetch(&writers, 1, __ATOMIC_SEQ_CST))
		return;
	save_record(SAVE_END, 0, records, NULL, 0);
	stream_close();
}

/* A resume begins with host processes that have used no time. */
static void note_cpu_times(void)
{
	struct proc *p;

	mutex_lock(&tasklist_lock);
	list_for_each(p, &all_procs, in_all)
		if (p->state == PROC_ALIVE)
			p->cpu_saved_ns = proc_cpu_ns(p);
	mutex_unlock(&tasklist_lock);
}

/* ---- what the monitor asks for ---------------------------------------------------- */
static int freeze(const struct host_event *ev)
{
	int err;

	if (ev->handle_count && stream != HOST_NO_HANDLE)
		return -EALREADY;
	err = ev->handle_count ? rewrite_before_save() : 0;
	if (!err)
		err = park_freeze();
	if (err)
		return err;
	save_clocks.number++;
	save_clocks.monotonic_ns = clock_monotonic_ns();
	save_clocks.boot_ns = clock_boot_ns();
	save_clocks.realtime_ns = clock_realtime_ns();
	if (ev->handle_count) {
		note_cpu_times();
		hostfs_frozen();
		heap_trim();
		stream = ev->handles[0];
	}
	return 0;
}

void save_freeze(const struct host_event *ev)
{
	int err = freeze(ev);

	if (err && ev->handle_count)
		host_stream_close(ev->handles[0]);
	host_report(HOST_REPORT_FROZEN, ev->token, -err, "", 0);
}

void save_thaw(u32 what)
{
	if (!park_is_frozen())
		return;
	if (stream != HOST_NO_HANDLE && !writers) {
		if (what & HOST_THAW_WRITE)
			write_all_groups();
		else
			stream_close();
	}
	if (!(what & HOST_THAW_STAY))
		park_thaw();
}

void save_forget(void)
{
	stream = HOST_NO_HANDLE;
	writers = 0;
	mutex_init(&record_lock);
}
