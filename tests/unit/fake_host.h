/* fake_host.h - what the files of the fake host share. */
#ifndef TESTS_UNIT_FAKE_HOST_H
#define TESTS_UNIT_FAKE_HOST_H

#include <fcntl.h>
#include <stdbool.h>

_Noreturn void die(const char *what, long a);
/* The calling thread's task has been told to look at its work. */
bool fake_work_pending(void);
void fake_tree_start(void);
void fake_tree_end(void);

#endif
