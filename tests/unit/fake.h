/*
 * fake.h - how a test sets its fake host (fake_host*.c).  Self-contained: the
 * library OS's side and the host's side both include it.
 *
 * Handles are ordinary descriptors.  The kernel heap is a shared memory
 * object at its own address; guest memory is the test program's, and what
 * the library OS maps lies right below its own region.  Tree 0 is a folder
 * made for the run.  Threads and processes are threads of the test program.
 */
#ifndef TESTS_UNIT_FAKE_H
#define TESTS_UNIT_FAKE_H

#include <stddef.h>
#include <stdint.h>

/* Heap, boot record's place, tree 0 (empty). */
void fake_start(void);
void fake_end(void);

/* A still clock: time passes only by fake_clock_advance() and by waits, which
 * return at once at their deadline, or run the next timer through fake_idle.
 * For tests of one thread; a wait that nothing can end is an error. */
void fake_clock_still(uint64_t monotonic_ns);
void fake_clock_advance(uint64_t ns);
/* Supplied by the test program: time may pass until deadline_ns; true if it
 * did something that may have ended the wait. */
extern int (*fake_idle)(uint64_t deadline_ns);
/* The clock, for fake_idle. */
void fake_clock_set(uint64_t monotonic_ns);

/* What is in tree 0.  Folders come before what is in them. */
void fake_tree_dir(const char *path, unsigned mode);
void fake_tree_file(const char *path, const char *text, unsigned mode);
void fake_tree_link(const char *path, const char *target);
/* The content on the host, or NULL; the caller's until the next call. */
const char *fake_tree_read(const char *path);

/* The guest may ask for more than its buffers hold: that is a fault at their
 * ends.  Otherwise it is an error of the library OS's. */
extern int fake_guest_overruns;

extern unsigned fake_requests; /* to the monitor, so far */
/* The n-th allocation from now fails, and the next does not; 0: none. */
extern unsigned fake_heap_fail;
extern long fake_heap_objects; /* kmalloc'd and not freed */
extern long fake_heap_pages;   /* of page runs, likewise */

/* A pipe of the host: its two handles. */
void fake_pipe(int32_t ends[2]);
/* A connected pair of stream sockets of the host. */
void fake_socketpair(int32_t ends[2]);

/* Threads of the test program that run tasks of the library OS. */
void fake_thread_here(int32_t *process, int32_t *thread);
void fake_sleep_ms(unsigned ms);
_Noreturn void fake_thread_end(uint32_t *alive);

#endif
