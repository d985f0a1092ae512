/*
 * fake_host.c - the host ABI for the unit tests: memory, threads, sleeping,
 * streams, clocks and reports, over ordinary host calls.  See fake.h.
 *
 * What the library OS asks for is checked where the real host would let it
 * do harm to the test program: mappings only in the arena.
 */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <bailey/boot.h>
#include <bailey/host_abi.h>

#include "fake.h"
#include "fake_host.h"

#define ARENA_START 0x650000000000ul /* above the sanitizer's own heap */
#define ARENA_END BLY_BASE
#define THREADS_MAX 256

int (*fake_idle)(uint64_t deadline_ns);
unsigned fake_requests;
static int heap_fd;
static bool clock_is_still;
static uint64_t still_ns;

void die(const char *what, long a)
{
	fprintf(stderr, "fake host: %s (%lx)\n", what, a);
	abort();
}

static int fd_of(host_handle h)
{
	return h == BLY_FD_HEAP ? heap_fd : h;
}

/* ---- memory ---------------------------------------------------------- */
static void map_heap(void)
{
	heap_fd = memfd_create("heap", MFD_CLOEXEC);
	if (heap_fd < 0 || ftruncate(heap_fd, BLY_HEAP_SIZE) ||
	    mmap((void *)BLY_HEAP, BLY_HEAP_SIZE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, heap_fd,
		 0) != (void *)BLY_HEAP)
		die("no kernel heap", errno);
}

static void check_arena(const void *addr, size_t size)
{
	uint64_t a = (uint64_t)addr;

	if (a >= BLY_LOCAL && a < BLY_HEAP && size <= BLY_HEAP - a)
		return; /* the library OS's own */
	if (a < ARENA_START || a > ARENA_END || size > ARENA_END - a)
		die("memory outside the arena", (long)a);
}

int host_mem_map(void *addr, size_t size, int prot, int share, host_handle h,
		 uint64_t offset)
{
	int flags = MAP_FIXED | MAP_NORESERVE |
		    (share == HOST_MAP_SHARED ? MAP_SHARED : MAP_PRIVATE) |
		    (h == HOST_NO_HANDLE ? MAP_ANONYMOUS : 0);

	check_arena(addr, size);
	return mmap(addr, size, prot, flags,
		    h == HOST_NO_HANDLE ? -1 : fd_of(h),
		    (off_t)offset) == MAP_FAILED ? -errno : 0;
}

int host_mem_unmap(void *addr, size_t size)
{
	check_arena(addr, size);
	return munmap(addr, size) ? -errno : 0;
}

int host_mem_protect(void *addr, size_t size, int prot)
{
	check_arena(addr, size);
	return mprotect(addr, size, prot) ? -errno : 0;
}

int host_mem_advise(void *addr, size_t size, enum host_advice advice)
{
	static const int map[] = {
		[HOST_ADVISE_DISCARD] = MADV_DONTNEED,
		[HOST_ADVISE_FREE] = MADV_FREE,
		[HOST_ADVISE_RELEASE] = MADV_REMOVE,
		[HOST_ADVISE_HUGE] = MADV_HUGEPAGE,
		[HOST_ADVISE_NOHUGE] = MADV_NOHUGEPAGE,
		[HOST_ADVISE_WILLNEED] = MADV_WILLNEED,
	};

	if (advice == HOST_ADVISE_POPULATE)
		return 0;
	return madvise(addr, size, map[advice]) ? -errno : 0;
}

int host_mem_move(void *old_addr, size_t old_size, void *new_addr,
		  size_t new_size)
{
	check_arena(old_addr, old_size);
	check_arena(new_addr, new_size);
	return mremap(old_addr, old_size, new_size, MREMAP_MAYMOVE |
		      MREMAP_FIXED, new_addr) == MAP_FAILED ? -errno : 0;
}

/* ---- threads ----------------------------------------------------------- */
static pthread_mutex_t thread_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t threads[THREADS_MAX]; /* thread_lock */
static atomic_int thread_count = 1;

struct start {
	void (*fn)(void *);
	void *arg;
	struct host_thread_ids *ids;
	int process;
};

void fake_thread_here(int32_t *process, int32_t *thread)
{
	int n = atomic_fetch_add(&thread_count, 1);

	if (n >= THREADS_MAX)
		die("too many threads", n);
	pthread_mutex_lock(&thread_lock);
	threads[n] = pthread_self();
	pthread_mutex_unlock(&thread_lock);
	*thread = n;
	if (!*process)
		*process = n;
}

static void *thread_main(void *arg)
{
	struct start s = *(struct start *)arg;

	free(arg);
	s.fn(s.arg);
	die("a thread has returned", 0);
	return NULL;
}

/* The number is set before the thread runs; the creator waits for it. */
static void *thread_first(void *arg)
{
	struct start *s = arg;

	fake_thread_here(&s->ids->process, &s->ids->thread);
	return thread_main(arg);
}

static int thread_create(const struct host_start *s)
{
	struct start *copy = malloc(sizeof(*copy));
	pthread_attr_t attr;
	pthread_t id;
	int err;

	*copy = (struct start){ s->start, s->arg, s->ids, 0 };
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&id, &attr, thread_first, copy);
	pthread_attr_destroy(&attr);
	if (err)
		free(copy);
	return -err;
}

int host_thread_create(const struct host_start *s)
{
	return thread_create(s);
}

int host_process_create(const struct host_start *s)
{
	return thread_create(s);
}

_Noreturn void host_thread_exit(void)
{
	pthread_exit(NULL);
}

_Noreturn void fake_thread_end(uint32_t *alive)
{
	atomic_store((_Atomic uint32_t *)alive, 0);
	host_sync_wake(alive, 1);
	pthread_exit(NULL);
}

int host_interrupt(struct host_thread_ids ids)
{
	return -pthread_kill(threads[ids.thread], SIGURG);
}

static void on_interrupt(int sig)
{
}

void fake_sleep_ms(unsigned ms)
{
	usleep(ms * 1000);
}

/* ---- clocks -------------------------------------------------------------- */
#define EPOCH_NS 1700000000000000000ull /* still clock: realtime - monotonic */

void fake_clock_still(uint64_t monotonic_ns)
{
	clock_is_still = true;
	still_ns = monotonic_ns;
}

void fake_clock_advance(uint64_t ns)
{
	still_ns += ns;
}

void fake_clock_set(uint64_t monotonic_ns)
{
	if (monotonic_ns > still_ns)
		still_ns = monotonic_ns;
}

static uint64_t monotonic(void)
{
	struct timespec ts;

	if (clock_is_still)
		return still_ns;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int host_clock_read(enum host_clock clock, int32_t id, uint64_t *ns)
{
	*ns = monotonic() + (clock == HOST_CLOCK_REALTIME ? EPOCH_NS : 0);
	return 0;
}

void host_clock_init(uint64_t vdso);
void host_clock_init(uint64_t vdso)
{
}

/* Nothing is resumed here. */
void host_clock_shift(int64_t monotonic_ns, int64_t boot_ns);
void host_clock_shift(int64_t monotonic_ns, int64_t boot_ns)
{
}

void host_request_resumed(void);
void host_request_resumed(void)
{
}

static struct timespec left(uint64_t deadline_ns)
{
	uint64_t now = monotonic();
	uint64_t ns = deadline_ns > now ? deadline_ns - now : 0;

	return (struct timespec){ (time_t)(ns / 1000000000u),
				  (long)(ns % 1000000000u) };
}

/* With a still clock: true if the wait is over by its deadline. */
static bool still_wait(uint64_t deadline_ns)
{
	if (fake_idle && fake_idle(deadline_ns))
		return false;
	if (deadline_ns == HOST_FOREVER)
		die("a wait that nothing ends", 0);
	fake_clock_set(deadline_ns);
	return true;
}

int host_sync_wait(uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
	struct timespec ts;
	long r;

	if (clock_is_still) {
		if (atomic_load((_Atomic uint32_t *)word) != value)
			return -EAGAIN;
		return still_wait(deadline_ns) ? -ETIMEDOUT : 0;
	}
	ts = left(deadline_ns);
	r = syscall(SYS_futex, word, FUTEX_WAIT, value,
		    deadline_ns == HOST_FOREVER ? NULL : &ts, NULL, 0);
	return r < 0 ? -errno : 0;
}

int host_sync_wake(uint32_t *word, unsigned count)
{
	long r = syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);

	return r < 0 ? -errno : (int)r;
}

/* ---- streams --------------------------------------------------------------- */
/* An interrupt reaches a thread only inside such a wait. */
static int wait_interrupted(struct pollfd *p, unsigned n,
			    const struct timespec *ts)
{
	sigset_t none;
	int r;

	if (fake_work_pending())
		return -EINTR;
	sigemptyset(&none);
	r = ppoll(p, n, ts, &none);
	return r < 0 ? -errno : r;
}

static int wait_stream(host_handle h, short events)
{
	struct pollfd p = { fd_of(h), events, 0 };
	int r = wait_interrupted(&p, 1, NULL);

	return r < 0 ? r : 0;
}

/* Past the sanitizer's own checks: a guest's address may be any, and is the
 * kernel's to refuse.  The library OS's must be right. */
static int64_t transfer(int with_offset, int without, host_handle h,
			const struct host_iovec *iov, unsigned count,
			uint64_t offset)
{
	long r;

	for (unsigned i = 0; i < count; i++)
		if ((uint64_t)iov[i].base >= BLY_BASE &&
		    (uint64_t)iov[i].base < BLY_END &&
		    __asan_region_is_poisoned(iov[i].base, iov[i].size))
			die("poisoned buffer", (long)iov[i].base);
	if (offset >= HOST_AT_ONCE)
		r = syscall(without, fd_of(h), iov, (long)count);
	else
		r = syscall(with_offset, fd_of(h), iov, (long)count, offset,
			    0l);
	return r < 0 ? -errno : r;
}

int64_t host_stream_read(host_handle h, const struct host_iovec *iov,
			 unsigned count, uint64_t offset)
{
	int err = offset == HOST_NO_OFFSET ? wait_stream(h, POLLIN) : 0;

	return err ? err : transfer(SYS_preadv, SYS_readv, h, iov, count,
				    offset);
}

int64_t host_stream_write(host_handle h, const struct host_iovec *iov,
			  unsigned count, uint64_t offset)
{
	int err = offset == HOST_NO_OFFSET ? wait_stream(h, POLLOUT) : 0;

	return err ? err : transfer(SYS_pwritev, SYS_writev, h, iov, count,
				    offset);
}

host_handle host_stream_accept(host_handle h, struct host_addr *peer)
{
	return -EAGAIN;
}

int host_stream_close(host_handle h)
{
	return close(h) ? -errno : 0;
}

int host_poll(struct host_pollfd *fds, unsigned count, uint64_t deadline_ns)
{
	struct pollfd *p = (void *)fds; /* the same */
	struct timespec ts = { 0, 0 };
	int r;

	if (deadline_ns == 0 || clock_is_still) {
		r = ppoll(p, count, &ts, NULL);
		if (r || deadline_ns == 0)
			return r < 0 ? -errno : r;
		return still_wait(deadline_ns) ? 0 : -EINTR;
	}
	ts = left(deadline_ns);
	return wait_interrupted(p, count,
				deadline_ns == HOST_FOREVER ? NULL : &ts);
}

int host_pollset_ctl(host_handle set, int op, host_handle h, uint32_t events,
		     uint64_t cookie)
{
	struct epoll_event ev = { events, { .u64 = cookie } };

	return epoll_ctl(set, op, fd_of(h), &ev) ? -errno : 0;
}

int host_pollset_wait(host_handle set, struct host_poll_event *ev,
		      unsigned count, uint64_t deadline_ns)
{
	struct host_pollfd p = { set, HOST_POLL_IN, 0 };
	int r = deadline_ns ? host_poll(&p, 1, deadline_ns) : 1;

	if (r <= 0)
		return r;
	r = epoll_wait(set, (struct epoll_event *)(void *)ev, (int)count, 0);
	return r < 0 ? -errno : r;
}

int host_stream_shutdown(host_handle h, int how)
{
	fake_requests++;
	return shutdown(h, how) ? -errno : 0;
}

void fake_pipe(int32_t ends[2])
{
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC))
		die("no pipe", errno);
}

void fake_socketpair(int32_t ends[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		       ends))
		die("no sockets", errno);
}

/* ---- the monitor's other answers --------------------------------------------- */
int host_random(void *buf, size_t size)
{
	fake_requests++;
	memset(buf, 0x5a, size); /* every run is the same */
	return 0;
}

int host_event_next(struct host_event *ev, void *payload, size_t size)
{
	return -EAGAIN;
}

int host_report(enum host_report_kind kind, uint32_t token, int32_t status,
		const char *text, size_t size)
{
	if (kind == HOST_REPORT_LOG || kind == HOST_REPORT_CRASH)
		fprintf(stderr, "libos: %.*s\n", (int)size, text);
	if (kind == HOST_REPORT_CRASH)
		abort();
	return 0;
}

_Noreturn void host_exit(int32_t status)
{
	die("the sandbox has ended", status);
	abort();
}

void fake_start(void)
{
	struct sigaction sa = { .sa_handler = on_interrupt };
	sigset_t urg;

	sigaction(SIGURG, &sa, NULL);
	sigemptyset(&urg);
	sigaddset(&urg, SIGURG);
	pthread_sigmask(SIG_BLOCK, &urg, NULL);
	signal(SIGPIPE, SIG_IGN);
	map_heap();
	fake_tree_start();
}

void fake_end(void)
{
	fake_tree_end();
}
