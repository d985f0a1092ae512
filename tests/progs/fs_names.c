/* Names: make, link, rename, remove, symbolic links, directories. */
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

static char dir[64];

static int make_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	int ok = fd >= 0 && write(fd, text, strlen(text)) ==
			    (ssize_t)strlen(text);

	close(fd);
	return ok;
}

static const char *content(const char *name)
{
	static char buf[64];
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	close(fd);
	buf[n < 0 ? 0 : n] = 0;
	return buf;
}

static int count_entries(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	if (!d)
		return -1;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static nlink_t links(const char *name)
{
	struct stat st;

	return lstat(name, &st) ? 0 : st.st_nlink;
}

static void test_make(void)
{
	CHECK(make_file("a", "one"));
	CHECK(!strcmp(content("a"), "one"));
	CHECK_ERRNO(open("a", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK_ERRNO(open("none", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("a/b", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("a/", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("new/", O_CREAT | O_RDWR, 0600), EISDIR);
	CHECK_ERRNO(open(".", O_WRONLY), EISDIR);
	CHECK_ERRNO(open("a", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERRNO(open("", O_RDONLY), ENOENT);
	CHECK(mkdir("d", 0755) == 0);
	CHECK(mkdir("d/e/", 0755) == 0);
	CHECK_ERRNO(mkdir("d", 0755), EEXIST);
	CHECK_ERRNO(mkdir("x/y", 0755), ENOENT);
	CHECK_ERRNO(mkdir(".", 0755), EEXIST);
	CHECK(links("d") == 3 || links("d") == 1);
	CHECK(mkfifo("fifo", 0600) == 0);
	CHECK_ERRNO(mkfifo("fifo", 0600), EEXIST);
}

static void test_link(void)
{
	CHECK(link("a", "b") == 0);
	CHECK(links("a") == 2);
	CHECK_ERRNO(link("a", "b"), EEXIST);
	CHECK_ERRNO(link("d", "dd"), EPERM);
	CHECK_ERRNO(link("none", "n"), ENOENT);
	CHECK(make_file("b", "two"));
	CHECK(!strcmp(content("a"), "two"));
	CHECK(unlink("a") == 0);
	CHECK(links("b") == 1);
	CHECK(rename("b", "a") == 0);
}

static void test_symlink(void)
{
	char buf[64];
	struct stat st;

	CHECK(symlink("a", "s") == 0);
	CHECK(readlink("s", buf, sizeof(buf)) == 1);
	CHECK(readlink("s", buf, 0) == -1 && errno == EINVAL);
	CHECK_ERRNO(readlink("a", buf, sizeof(buf)), EINVAL);
	CHECK(!strcmp(content("s"), "two"));
	CHECK(lstat("s", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 1);
	CHECK_ERRNO(open("s", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK(symlink("l2", "l1") == 0 && symlink("l1", "l2") == 0);
	CHECK_ERRNO(open("l1", O_RDONLY), ELOOP);
	CHECK(symlink("made", "dangling") == 0);
	CHECK_ERRNO(open("dangling", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK(make_file("dangling", "through"));
	CHECK(!strcmp(content("made"), "through"));
	CHECK(symlink("d", "sd") == 0);
	CHECK(access("sd/e/../../a", R_OK) == 0);
	CHECK_ERRNO(rmdir("sd"), ENOTDIR);
	CHECK_ERRNO(symlink("", "empty"), ENOENT);
}

static void test_rename(void)
{
	CHECK(make_file("r1", "r1") && make_file("r2", "r2"));
	CHECK(rename("r1", "r2") == 0);
	CHECK(!strcmp(content("r2"), "r1"));
	CHECK_ERRNO(rename("r1", "r3"), ENOENT);
	CHECK_ERRNO(rename("r2", "d"), EISDIR);
	CHECK_ERRNO(rename("d", "r2"), ENOTDIR);
	CHECK_ERRNO(rename("d", "d/e/f"), EINVAL);
	CHECK(mkdir("full", 0755) == 0 && make_file("full/x", "x"));
	CHECK_ERRNO(rename("d", "full"), ENOTEMPTY);
	CHECK_ERRNO(rename("r2", "none/x"), ENOENT);
	CHECK_ERRNO(rename(".", "dot"), EBUSY);
	CHECK(make_file("r1", "again"));
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "r1", AT_FDCWD, "r2",
			    RENAME_NOREPLACE), EEXIST);
	CHECK(syscall(SYS_renameat2, AT_FDCWD, "r1", AT_FDCWD, "full",
		      RENAME_EXCHANGE) == 0);
	CHECK(!strcmp(content("full"), "again") && !access("r1/x", F_OK));
	CHECK(rename("r1", "moved-directory-with-quite-a-long-name") == 0);
	CHECK(!access("moved-directory-with-quite-a-long-name/x", F_OK));
	CHECK(rename("moved-directory-with-quite-a-long-name", "d/e") == 0);
	CHECK(!strcmp(content("d/e/x"), "x"));
}

static void test_remove(void)
{
	struct stat st;
	int fd, dfd;

	CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
	CHECK_ERRNO(unlink("d"), EISDIR);
	CHECK_ERRNO(rmdir("a"), ENOTDIR);
	CHECK_ERRNO(rmdir("d/."), EINVAL);
	CHECK_ERRNO(rmdir("d/.."), ENOTEMPTY);
	fd = open("a", O_RDWR);
	CHECK(unlink("a") == 0);
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0);
	CHECK(write(fd, "still", 5) == 5);
	CHECK_ERRNO(open("a", O_RDONLY), ENOENT);
	close(fd);
	dfd = open("d", O_RDONLY | O_DIRECTORY);
	CHECK(unlinkat(dfd, "e/x", 0) == 0);
	CHECK(unlinkat(dfd, "e", AT_REMOVEDIR) == 0);
	CHECK(count_entries("d") == 2);
	CHECK(rmdir("d") == 0);
	CHECK_ERRNO(openat(dfd, "new", O_CREAT | O_RDWR, 0600), ENOENT);
	close(dfd);
}

static void test_many(void)
{
	char name[32];
	int k, ok = 1;

	CHECK(mkdir("many", 0755) == 0);
	for (k = 0; k < 3000; k++) {
		snprintf(name, sizeof(name), "many/file-%04d", k);
		ok &= make_file(name, "x");
	}
	CHECK(ok);
	CHECK(count_entries("many") == 3002);
	for (k = 0; k < 3000; k++) {
		snprintf(name, sizeof(name), "many/file-%04d", k);
		ok &= !unlink(name);
	}
	CHECK(ok && count_entries("many") == 2);
	CHECK(rmdir("many") == 0);
}

int main(void)
{
	char command[128];

	snprintf(dir, sizeof(dir), "/tmp/fs_names.%d", getpid());
	umask(022);
	CHECK(mkdir(dir, 0755) == 0 && chdir(dir) == 0);
	test_make();
	test_link();
	test_symlink();
	test_rename();
	test_remove();
	test_many();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CHECK(chdir("/") == 0 && system(command) == 0);
	return check_done();
}
