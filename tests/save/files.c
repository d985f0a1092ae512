/* files.c - saved: files of the private layer, offsets, directories, locks. */
#include "save.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int has(int fd, long at, const char *text)
{
	char b[64] = "";

	return pread(fd, b, strlen(text), at) == (long)strlen(text) &&
	       !memcmp(b, text, strlen(text));
}

/* ---- contents, size, mode, times, links, holes */
static struct stat kept;

static void contents_setup(void)
{
	int fd = open("file", O_RDWR | O_CREAT, 0640);

	CHECK(write(fd, "contents", 8) == 8);
	CHECK(pwrite(fd, "far", 3, 5 << 20) == 3);
	close(fd);
	CHECK(!mkdir("dir", 0750) && !symlink("../file", "dir/sym"));
	CHECK(!link("file", "dir/hard"));
	CHECK(!utimensat(AT_FDCWD, "file", (struct timespec[]){ { 1000, 5 },
			 { 2000, 6 } }, 0));
	CHECK(!stat("file", &kept));
}
static void contents_verify(void)
{
	struct stat st;
	char b[32];
	int fd = open("dir/sym", O_RDWR);

	CHECK(fd >= 0 && has(fd, 0, "contents") && has(fd, 5 << 20, "far"));
	CHECK(!fstat(fd, &st) && st.st_ino == kept.st_ino);
	CHECK(st.st_dev == kept.st_dev && st.st_nlink == 2);
	CHECK(st.st_size == kept.st_size && st.st_mode == kept.st_mode);
	CHECK(st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 6);
	CHECK(st.st_blocks < 2000);
	CHECK(!stat("dir/hard", &st) && st.st_ino == kept.st_ino);
	CHECK(readlink("dir/sym", b, 32) == 7);
	close(fd);
	CHECK(!unlink("file") && !unlink("dir/hard") && !unlink("dir/sym"));
	CHECK(!rmdir("dir"));
}

/* ---- open files: offsets, append, deleted, without a name, on the host */
static int offset, copy, append, deleted, nameless, host, path_only;

static void open_setup(void)
{
	offset = open("offset", O_RDWR | O_CREAT, 0600);
	CHECK(write(offset, "0123456789", 10) == 10);
	CHECK(lseek(offset, 3, SEEK_SET) == 3 && (copy = dup(offset)) >= 0);
	append = open("offset", O_WRONLY | O_APPEND | O_CLOEXEC);
	CHECK(append >= 0);
	deleted = open("deleted", O_RDWR | O_CREAT, 0600);
	CHECK(write(deleted, "ghost", 5) == 5 && !unlink("deleted"));
	nameless = open(".", O_TMPFILE | O_RDWR, 0600);
	CHECK(nameless >= 0 && write(nameless, "tmp", 3) == 3);
	host = open("/etc/os-release", O_RDONLY);
	CHECK(host >= 0 && lseek(host, 12, SEEK_SET) == 12);
	path_only = open("offset", O_PATH);
	CHECK(path_only >= 0);
}
static void open_verify(void)
{
	char b[32], link[64];
	struct stat st;

	CHECK(lseek(copy, 0, SEEK_CUR) == 3);
	CHECK(read(offset, b, 2) == 2 && !memcmp(b, "34", 2));
	CHECK(read(copy, b, 2) == 2 && !memcmp(b, "56", 2)); /* one offset */
	CHECK(write(append, "ab", 2) == 2 && has(offset, 10, "ab"));
	CHECK(fcntl(append, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(append, F_GETFL) & O_APPEND);
	CHECK_ERRNO(read(append, b, 1), EBADF);
	CHECK(has(deleted, 0, "ghost") && !fstat(deleted, &st) &&
	      !st.st_nlink);
	CHECK(write(deleted, "!", 1) == 1 && has(deleted, 0, "ghost!"));
	CHECK(has(nameless, 0, "tmp"));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", nameless);
	CHECK(!linkat(AT_FDCWD, link, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	CHECK(!stat("named", &st) && st.st_size == 3 && !unlink("named"));
	CHECK(lseek(host, 0, SEEK_CUR) == 12 && read(host, b, 8) == 8);
	CHECK(!fstat(path_only, &st) && st.st_size == 12);
	CHECK_ERRNO(read(path_only, b, 1), EBADF);
	CHECK(readlink("/proc/self/fd/0", b, 32) > 0);
	unlink("offset");
}

/* ---- an offset that parent and child share */
static int common, sync_pipe[2];
static int reads_on(void)
{
	char b[4];

	return read(sync_pipe[0], b, 1) == 1 && read(common, b, 4) == 4 &&
	       !memcmp(b, "4567", 4);
}
CHILD(sharer, reads_on())

static void common_setup(void)
{
	char b[4];

	CHECK(!pipe(sync_pipe));
	common = open("common", O_RDWR | O_CREAT, 0600);
	CHECK(write(common, "0123456789", 10) == 10);
	FORK(sharer);
	lseek(common, 0, SEEK_SET);
	CHECK(read(common, b, 4) == 4);
}
static void common_verify(void)
{
	CHECK(write(sync_pipe[1], "x", 1) == 1 && ENDED(sharer) == 0);
	CHECK(lseek(common, 0, SEEK_CUR) == 8);
	unlink("common");
}

/* ---- a directory in the middle of being read */
static DIR *dir;
static char seen[300];
static int read_some(int n)
{
	struct dirent *d;
	int got = 0;

	while (got < n && (d = readdir(dir)))
		if (d->d_name[0] == 'n')
			seen[atoi(d->d_name + 1)]++, got++;
	return got;
}
static void directory_setup(void)
{
	char b[96];
	int i;

	CHECK(!mkdir("many", 0700));
	for (i = 0; i < 300; i++) {
		snprintf(b, sizeof(b), "many/n%d-long-name-%040d", i, i);
		close(creat(b, 0600));
	}
	CHECK((dir = opendir("many")) && read_some(100) == 100);
}
static void directory_verify(void)
{
	char b[96];
	int i, bad = 0;

	CHECK(read_some(300) == 200);
	for (i = 0; i < 300; i++) {
		bad += seen[i] != 1;
		snprintf(b, sizeof(b), "many/n%d-long-name-%040d", i, i);
		bad += unlink(b);
	}
	CHECK(!bad);
	closedir(dir);
	CHECK(!rmdir("many"));
}

/* ---- locks of three kinds: held, waited for */
static int flock_fd, ofd;
static volatile int *lock_state; /* 0: may get it; 1 to 3: about to wait */
static long record(int fd, int cmd, int type, long at)
{
	struct flock l = { .l_type = type, .l_start = at, .l_len = 1 };

	return fcntl(fd, cmd, &l);
}
static int waits_for_flock(void)
{
	int fd = open("lock", O_RDWR);

	if (!flock(fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
		return 0;
	lock_state[1] = 1;
	return !flock(fd, LOCK_EX) && lock_state[0] == 1;
}
static int waits_for_record(void)
{
	int fd = open("record", O_RDWR);

	lock_state[2] = 1;
	return !record(fd, F_SETLKW, F_WRLCK, 5) && lock_state[0] == 1;
}
static int waits_for_ofd(void)
{
	int fd = open("ofd", O_RDWR);

	lock_state[3] = 1;
	return !record(fd, F_OFD_SETLKW, F_WRLCK, 7) && lock_state[0] == 1;
}
static int tries(void)
{
	int fd = open("record", O_RDWR), f2 = open("lock", O_RDWR);
	struct flock l = { .l_type = F_WRLCK, .l_len = 100 };

	return fcntl(fd, F_GETLK, &l) == 0 && l.l_type == F_WRLCK &&
	       l.l_pid == getppid() && l.l_start == 5 && l.l_len == 1 &&
	       flock(f2, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
}
CHILD(flocker, waits_for_flock())
CHILD(recorder, waits_for_record())
CHILD(ofder, waits_for_ofd())
CHILD(trier, tries())
static int record_fd;

static void locks_setup(void)
{
	lock_state = shared_memory(4096);
	flock_fd = open("lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	record_fd = open("record", O_RDWR | O_CREAT, 0600);
	ofd = open("ofd", O_RDWR | O_CREAT, 0600);
	CHECK(!flock(flock_fd, LOCK_EX));
	CHECK(!record(record_fd, F_SETLK, F_WRLCK, 5));
	CHECK(!record(ofd, F_OFD_SETLK, F_WRLCK, 7));
	FORK(flocker);
	FORK(recorder);
	FORK(ofder);
	CHECK(comes(&lock_state[1]) && comes(&lock_state[2]));
	CHECK(comes(&lock_state[3]));
}
static void locks_verify(void)
{
	CHECK(ALIVE(flocker) && ALIVE(recorder) && ALIVE(ofder));
	FORK(trier);
	CHECK(ENDED(trier) == 0);
	lock_state[0] = 1;
	CHECK(!flock(flock_fd, LOCK_UN));
	CHECK(!record(record_fd, F_SETLK, F_UNLCK, 5));
	CHECK(!record(ofd, F_OFD_SETLK, F_UNLCK, 7));
	CHECK(ENDED(flocker) == 0);
	CHECK(ENDED(recorder) == 0);
	CHECK(ENDED(ofder) == 0);
	unlink("lock");
	unlink("record");
	unlink("ofd");
}

/* ---- devices */
static int null, zero, urandom;

static void devices_setup(void)
{
	null = open("/dev/null", O_RDWR);
	zero = open("/dev/zero", O_RDONLY);
	urandom = open("/dev/urandom", O_RDONLY);
	CHECK(null >= 0 && zero >= 0 && urandom >= 0);
}
static void devices_verify(void)
{
	char b[16] = { 1 }, c[16] = { 0 };

	CHECK(write(null, b, 16) == 16 && read(null, b, 16) == 0);
	CHECK(read(zero, b, 16) == 16 && !memcmp(b, c, 16));
	CHECK(read(urandom, b, 16) == 16 && memcmp(b, c, 16));
}

static const struct save_case cases[] = {
	CASE(contents), CASE(open), CASE(common), CASE(directory),
	CASE(locks), CASE(devices),
};
SAVE_MAIN(cases)
