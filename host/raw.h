/*
 * raw.h - the host system calls of a picoprocess, all of them.
 *
 * Nineteen stubs, in host/arch/<arch>/: each is one system call with the
 * arguments in order and returns what the host returned (a negative error
 * number, never errno).  Nothing else in the library OS may issue a system
 * call; the wall (monitor/wall.tbl) is written against this list.
 */
#ifndef HOST_RAW_H
#define HOST_RAW_H

#include <stddef.h>
#include <stdint.h>

#include <bailey/host_abi.h>

struct raw_timespec { int64_t sec, nsec; };
struct raw_msghdr {
	void *name;
	uint32_t name_size, pad0;
	struct host_iovec *iov;
	size_t iov_count;
	void *control;
	size_t control_size;
	uint32_t flags, pad1;
};
struct raw_cmsg { /* followed by data */
	size_t size;
	int32_t level, type;
};
enum { RAW_SOL_SOCKET = 1, RAW_SCM_RIGHTS = 1 };
enum { RAW_MSG_DONTWAIT = 0x40, RAW_MSG_NOSIGNAL = 0x4000,
       RAW_MSG_CTRUNC = 8, RAW_MSG_TRUNC = 0x20 };

int64_t raw_mmap(void *addr, size_t size, int prot, int flags, int fd,
		 uint64_t offset);
int64_t raw_munmap(void *addr, size_t size);
int64_t raw_mprotect(void *addr, size_t size, int prot);
int64_t raw_mremap(void *old_addr, size_t old_size, size_t new_size,
		   int flags, void *new_addr);
int64_t raw_madvise(void *addr, size_t size, int advice);
int64_t raw_futex(uint32_t *word, int op, uint32_t value,
		  const struct raw_timespec *timeout, uint32_t *word2,
		  uint32_t value3);
/* The child calls start(arg) on its stack; child_tid may be NULL. */
int64_t raw_clone(uint64_t flags, void *stack, int32_t *parent_tid,
		  uint32_t *child_tid, void (*start)(void *), void *arg);
/* *alive = 0, then exit without touching the stack again. */
_Noreturn void raw_exit_clear(uint32_t *alive);
int64_t raw_sigaltstack(const void *ss, void *old);
int64_t raw_tgkill(int process, int thread, int sig);
int64_t raw_preadv2(int fd, const struct host_iovec *iov, unsigned long count,
		    uint64_t offset, uint64_t offset_high, int flags);
int64_t raw_pwritev2(int fd, const struct host_iovec *iov, unsigned long count,
		     uint64_t offset, uint64_t offset_high, int flags);
int64_t raw_epoll_ctl(int epfd, int op, int fd, void *event);
int64_t raw_epoll_pwait(int epfd, void *events, int max, int timeout_ms,
			const void *mask, size_t mask_size);
int64_t raw_ppoll(struct host_pollfd *fds, unsigned long count,
		  const struct raw_timespec *timeout, const void *mask,
		  size_t mask_size);
int64_t raw_accept4(int fd, void *addr, uint32_t *size, int flags);
int64_t raw_sendmsg(int fd, const struct raw_msghdr *m, int flags);
int64_t raw_recvmsg(int fd, struct raw_msghdr *m, int flags);
int64_t raw_close(int fd);

/* The same calls as waits: -EINTR at once when the thread has work to look
 * at, with no gap in which an interrupt could be lost.  (raw_ppoll and
 * raw_epoll_pwait are waits too; raw_epoll_poll never waits.) */
int64_t raw_preadv2_wait(int fd, const struct host_iovec *iov,
			 unsigned long count, uint64_t offset,
			 uint64_t offset_high, int flags);
int64_t raw_pwritev2_wait(int fd, const struct host_iovec *iov,
			  unsigned long count, uint64_t offset,
			  uint64_t offset_high, int flags);
/* raw_ppoll for a timeout of 0: not a wait, so nothing interrupts it. */
int64_t raw_ppoll_now(struct host_pollfd *fds, unsigned long count,
		      const struct raw_timespec *timeout, const void *mask,
		      size_t mask_size);
int64_t raw_epoll_poll(int epfd, void *events, int max, int timeout_ms,
		       const void *mask, size_t mask_size);

/* The monitor's answer to a clock that the process cannot read itself. */
int host_clock_request(enum host_clock clock, int32_t id, uint64_t *ns);
/* After a resume: no request is under way. */
void host_request_resumed(void);
/* Find the host's clock code; base 0: there is none. */
void host_clock_init(uint64_t vdso);
/* From now on the monotonic and the boot clock are the host's plus this:
 * after a resume they go on from where they were. */
void host_clock_shift(int64_t monotonic_ns, int64_t boot_ns);
/* A deadline of ours as one of the host's monotonic clock. */
uint64_t host_clock_deadline(uint64_t deadline_ns);
/* The address of one of its functions, or 0. */
uint64_t host_clock_symbol(const char *name);
/* Does it answer without the host kernel?  That may change, to no. */
int host_clock_works(void);


#endif
