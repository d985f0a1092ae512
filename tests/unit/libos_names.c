/*
 * libos_names.c - names and directories: lookup, links, the private layer
 * over a lower tree, and what rename does for every pair of things.
 */
#include "unit.h"

#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#define NOREPLACE 1
#define EXCHANGE 2

static struct stat st;

static long touch(const char *path)
{
	long fd = SYS(openat, AT_FDCWD, path, O_CREAT | O_EXCL | O_WRONLY,
		      0644);

	return fd < 0 ? fd : SYS(close, fd);
}

static long lstat_of(const char *path)
{
	return SYS(newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);
}

static long is_there(const char *path)
{
	return lstat_of(path);
}

UNIT(names_create)
{
	EQ(touch("/tmp/f"), 0);
	EQ(touch("/tmp/f"), -EEXIST);
	EQ(touch("/tmp/no/f"), -ENOENT);
	EQ(touch("/tmp/f/g"), -ENOTDIR);
	EQ(SYS(openat, AT_FDCWD, "/tmp/f/", O_RDONLY), -ENOTDIR);
	EQ(SYS(openat, AT_FDCWD, "", O_RDONLY), -ENOENT);
	EQ(SYS(openat, AT_FDCWD, (char *)8, O_RDONLY), -EFAULT);
	EQ(SYS(openat, AT_FDCWD, "/tmp", O_WRONLY), -EISDIR);
	EQ(SYS(openat, AT_FDCWD, "/tmp/f", O_DIRECTORY), -ENOTDIR);
	EQ(SYS(mkdir, "/tmp/d", 0755), 0);
	EQ(SYS(mkdir, "/tmp/d/", 0755), -EEXIST);
	EQ(SYS(mkdir, "/tmp/e/", 0755), 0);
	EQ(SYS(rmdir, "/tmp/f"), -ENOTDIR);
	EQ(SYS(unlink, "/tmp/d"), -EISDIR);
	EQ(touch("/tmp/d/x"), 0);
	EQ(SYS(rmdir, "/tmp/d"), -ENOTEMPTY);
	EQ(SYS(unlink, "/tmp/d/x"), 0);
	EQ(SYS(rmdir, "/tmp/d"), 0);
	EQ(SYS(rmdir, "/tmp/d"), -ENOENT);
	EQ(SYS(rmdir, "/tmp/e/."), -EINVAL);
	EQ(SYS(rmdir, "/tmp/e/.."), -ENOTEMPTY);
	EQ(SYS(mkdir, "/", 0755), -EEXIST);
	EQ(SYS(rmdir, "/tmp"), -EBUSY);
}

UNIT(names_long)
{
	char name[300], path[5000];

	memset(name, 'n', sizeof(name));
	memcpy(name, "/tmp/", 5);
	name[5 + 255] = '\0';
	EQ(touch(name), 0);
	EQ(SYS(unlink, name), 0);
	name[5 + 255] = 'n';
	name[5 + 256] = '\0';
	EQ(touch(name), -ENAMETOOLONG);
	memset(path, '/', sizeof(path));
	path[4095] = '\0';
	EQ(SYS(access, path, 0), 0);
	path[4095] = '/';
	path[4096] = '\0';
	EQ(SYS(access, path, 0), -ENAMETOOLONG);
}

UNIT(names_dots)
{
	char cwd[64];

	EQ(SYS(mkdir, "/tmp/a", 0755), 0);
	EQ(SYS(mkdir, "/tmp/a/b", 0755), 0);
	EQ(SYS(chdir, "/tmp/a/b/../b/."), 0);
	CHECK(SYS(getcwd, cwd, sizeof(cwd)) > 0);
	CHECK(!strcmp(cwd, "/tmp/a/b"));
	EQ(SYS(getcwd, cwd, 4), -ERANGE);
	EQ(SYS(access, "../../../../../../tmp/a", 0), 0);
	EQ(SYS(rename, "/tmp/a/b", "/tmp/c"), 0);
	CHECK(SYS(getcwd, cwd, sizeof(cwd)) > 0);
	CHECK(!strcmp(cwd, "/tmp/c"));
	EQ(SYS(rmdir, "/tmp/c"), 0);
	EQ(SYS(getcwd, cwd, sizeof(cwd)), -ENOENT);
	EQ(touch("new"), -ENOENT);
	EQ(SYS(chdir, ".."), 0);
}

UNIT(names_links)
{
	char b[64];

	EQ(touch("/tmp/f"), 0);
	EQ(SYS(link, "/tmp/f", "/tmp/g"), 0);
	EQ(SYS(link, "/tmp/f", "/tmp/g"), -EEXIST);
	EQ(SYS(link, "/tmp", "/tmp/t"), -EPERM);
	EQ(SYS(link, "/tmp/f", "/proc/x"), -EXDEV);
	EQ(lstat_of("/tmp/g"), 0);
	EQ(st.st_nlink, 2);
	EQ(SYS(unlink, "/tmp/f"), 0);
	EQ(lstat_of("/tmp/g"), 0);
	EQ(st.st_nlink, 1);
	EQ(SYS(symlink, "/tmp/g", "/tmp/s"), 0);
	EQ(SYS(readlink, "/tmp/s", b, 4), 4);
	CHECK(!memcmp(b, "/tmp", 4));
	EQ(SYS(readlink, "/tmp/g", b, 4), -EINVAL);
	EQ(SYS(openat, AT_FDCWD, "/tmp/s", O_NOFOLLOW), -ELOOP);
	EQ(lstat_of("/tmp/s"), 0);
	EQ(st.st_mode & S_IFMT, S_IFLNK);
	EQ(st.st_size, 6);
	EQ(SYS(symlink, "b", "/tmp/a"), 0);
	EQ(SYS(symlink, "a", "/tmp/b"), 0);
	EQ(SYS(access, "/tmp/a", 0), -ELOOP);
	EQ(SYS(symlink, "self/x", "/tmp/self"), 0);
	EQ(SYS(access, "/tmp/self", 0), -ELOOP);
	EQ(touch("/tmp/a"), -EEXIST);
	EQ(SYS(symlink, "", "/tmp/z"), -ENOENT);
	EQ(SYS(symlink, "new", "/tmp/dangling"), 0);
	EQ(SYS(openat, AT_FDCWD, "/tmp/dangling", O_CREAT | O_EXCL, 0644),
	   -EEXIST);
	CHECK(SYS(openat, AT_FDCWD, "/tmp/dangling", O_CREAT, 0644) >= 0);
	EQ(is_there("/tmp/new"), 0);
}

/* 40 links in a row are followed, 41 are not. */
UNIT(names_link_chain)
{
	char from[32], to[32];

	EQ(touch("/tmp/l0"), 0);
	for (int i = 1; i <= 41; i++) {
		snprintf(from, sizeof(from), "l%d", i - 1);
		snprintf(to, sizeof(to), "/tmp/l%d", i);
		MUST(SYS(symlink, from, to) == 0);
	}
	EQ(SYS(access, "/tmp/l40", 0), 0);
	EQ(SYS(access, "/tmp/l41", 0), -ELOOP);
}

/* ---- rename -------------------------------------------------------------------- */
enum thing { NONE, FILE_, DIR_, FULL, LINK };

static void make(const char *path, enum thing what)
{
	char in[64];

	switch (what) {
	case NONE:
		break;
	case FILE_:
		MUST(touch(path) == 0);
		break;
	case LINK:
		MUST(SYS(symlink, "nowhere", path) == 0);
		break;
	default:
		MUST(SYS(mkdir, path, 0755) == 0);
		if (what == FULL) {
			snprintf(in, sizeof(in), "%s/in", path);
			MUST(touch(in) == 0);
		}
	}
}

static void unmake(const char *path)
{
	char in[64];

	snprintf(in, sizeof(in), "%s/in", path);
	SYS(unlink, in);
	if (SYS(unlink, path))
		SYS(rmdir, path);
}

static u32 kind_of(const char *path)
{
	return lstat_of(path) ? 0 : st.st_mode & S_IFMT;
}

/* What Linux answers, plain, with NOREPLACE and with EXCHANGE. */
static const struct { enum thing from, to; int plain, keep, swap; } pairs[] = {
	{ NONE, NONE, -ENOENT, -ENOENT, -ENOENT },
	{ NONE, FILE_, -ENOENT, -ENOENT, -ENOENT },
	{ FILE_, NONE, 0, 0, -ENOENT },
	{ FILE_, FILE_, 0, -EEXIST, 0 },
	{ FILE_, DIR_, -EISDIR, -EEXIST, 0 },
	{ FILE_, FULL, -EISDIR, -EEXIST, 0 },
	{ FILE_, LINK, 0, -EEXIST, 0 },
	{ DIR_, NONE, 0, 0, -ENOENT },
	{ DIR_, FILE_, -ENOTDIR, -EEXIST, 0 },
	{ DIR_, DIR_, 0, -EEXIST, 0 },
	{ DIR_, FULL, -ENOTEMPTY, -EEXIST, 0 },
	{ DIR_, LINK, -ENOTDIR, -EEXIST, 0 },
	{ FULL, DIR_, 0, -EEXIST, 0 },
	{ FULL, FULL, -ENOTEMPTY, -EEXIST, 0 },
	{ LINK, NONE, 0, 0, -ENOENT },
	{ LINK, FILE_, 0, -EEXIST, 0 },
	{ LINK, DIR_, -EISDIR, -EEXIST, 0 },
	{ LINK, LINK, 0, -EEXIST, 0 },
};

static void rename_pair(unsigned i, u32 flags, long want, const char *from,
			const char *to)
{
	u32 a, b;
	long got;

	make(from, pairs[i].from);
	make(to, pairs[i].to);
	a = kind_of(from);
	b = kind_of(to);
	got = SYS(renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
	if (got != want)
		printf("pair %u, flags %u\n", i, flags);
	EQ(got, want);
	if (got) {
		CHECK(kind_of(from) == a && kind_of(to) == b);
	} else {
		CHECK(kind_of(to) == a);
		CHECK(kind_of(from) == (flags & EXCHANGE ? b : 0));
	}
	unmake(from);
	unmake(to);
}

UNIT(names_rename_matrix)
{
	MUST(SYS(mkdir, "/tmp/p", 0755) == 0);
	for (unsigned i = 0; i < ARRAY_SIZE(pairs); i++) {
		const char *to = i % 2 ? "/tmp/p/to" : "/tmp/to";

		rename_pair(i, 0, pairs[i].plain, "/tmp/from", to);
		rename_pair(i, NOREPLACE, pairs[i].keep, "/tmp/from", to);
		rename_pair(i, EXCHANGE, pairs[i].swap, "/tmp/from", to);
		rename_pair(i, 0, pairs[i].plain, "/from", "/to");
		rename_pair(i, EXCHANGE, pairs[i].swap, "/from", "/to");
	}
}

UNIT(names_rename_rules)
{
	make("/tmp/d", FULL);
	make("/tmp/f", FILE_);
	EQ(SYS(rename, "/tmp/d", "/tmp/d/sub"), -EINVAL);
	EQ(SYS(rename, "/tmp/d/in", "/tmp/d"), -ENOTEMPTY);
	EQ(SYS(rename, "/tmp/d", "/tmp/d"), 0);
	EQ(SYS(rename, "/tmp/f", "/proc/f"), -EXDEV);
	EQ(SYS(rename, "/tmp", "/other"), -EBUSY);
	EQ(SYS(rename, "/tmp/f", "/tmp/g/"), -ENOTDIR);
	EQ(SYS(rename, "/tmp/d", "/tmp/e/"), 0);
	EQ(SYS(rename, "/tmp/e/.", "/tmp/x"), -EBUSY);
	EQ(SYS(renameat2, AT_FDCWD, "/tmp/e", AT_FDCWD, "/tmp/f",
	       NOREPLACE | EXCHANGE), -EINVAL);
	EQ(SYS(link, "/tmp/f", "/tmp/same"), 0);
	EQ(SYS(rename, "/tmp/f", "/tmp/same"), 0);
	EQ(is_there("/tmp/f"), 0); /* two names of one: nothing happens */
}

/* ---- the layer over a lower tree ------------------------------------------------- */
static void lower_tree(void)
{
	fake_tree_dir("etc", 0755);
	fake_tree_file("etc/passwd", "root\n", 0644);
	fake_tree_file("etc/hosts", "local\n", 0644);
	fake_tree_dir("usr", 0755);
	fake_tree_dir("usr/bin", 0755);
	fake_tree_file("usr/bin/tool", "#!", 0755);
	fake_tree_link("bin", "usr/bin");
}

static void read_text(const char *path, const char *want)
{
	char b[64] = "";
	long fd = SYS(openat, AT_FDCWD, path, O_RDONLY);

	CHECK(fd >= 0);
	EQ(SYS(read, fd, b, sizeof(b) - 1), strlen(want));
	CHECK(!strcmp(b, want));
	SYS(close, fd);
}

UNIT(layer_copy_up)
{
	long fd;

	lower_tree();
	read_text("/etc/passwd", "root\n");
	fd = SYS(openat, AT_FDCWD, "/etc/passwd", O_WRONLY | O_APPEND);
	CHECK(fd >= 0);
	EQ(SYS(write, fd, "me\n", 3), 3);
	read_text("/etc/passwd", "root\nme\n");
	CHECK(!strcmp(fake_tree_read("etc/passwd"), "root\n"));
	fd = SYS(openat, AT_FDCWD, "/etc/hosts", O_WRONLY | O_TRUNC);
	EQ(SYS(write, fd, "x", 1), 1);
	read_text("/etc/hosts", "x");
	CHECK(!strcmp(fake_tree_read("etc/hosts"), "local\n"));
	EQ(SYS(chmod, "/usr/bin/tool", 0700), 0);
	EQ(lstat_of("/bin/tool"), 0);
	EQ(st.st_mode, S_IFREG | 0700);
	read_text("/bin/tool", "#!");
}

/* A reader that has the lower file open sees what others write later. */
UNIT(layer_open_before_copy)
{
	char b[16] = "";
	long r, w;

	lower_tree();
	r = SYS(openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
	EQ(SYS(read, r, b, 2), 2);
	w = SYS(openat, AT_FDCWD, "/etc/passwd", O_WRONLY);
	EQ(SYS(pwrite64, w, "ROOT", 4, 0), 4);
	EQ(SYS(read, r, b, sizeof(b)), 3);
	CHECK(!memcmp(b, "OT\n", 3));
}

UNIT(layer_remove)
{
	lower_tree();
	EQ(SYS(unlink, "/etc/passwd"), 0);
	EQ(is_there("/etc/passwd"), -ENOENT);
	CHECK(fake_tree_read("etc/passwd") != NULL);
	EQ(SYS(rmdir, "/etc"), -ENOTEMPTY);
	EQ(SYS(unlink, "/etc/hosts"), 0);
	EQ(SYS(rmdir, "/etc"), 0);
	EQ(is_there("/etc"), -ENOENT);
	EQ(SYS(mkdir, "/etc", 0755), 0);
	EQ(is_there("/etc/hosts"), -ENOENT); /* not the lower one's again */
	EQ(touch("/etc/hosts"), 0);
	EQ(lstat_of("/etc/hosts"), 0);
	EQ(st.st_size, 0);
}

UNIT(layer_rename)
{
	lower_tree();
	EQ(SYS(rename, "/usr/bin", "/usr/sbin"), 0);
	EQ(is_there("/usr/bin"), -ENOENT);
	EQ(is_there("/bin/tool"), -ENOENT); /* bin -> usr/bin */
	read_text("/usr/sbin/tool", "#!");
	EQ(SYS(rename, "/usr/sbin/tool", "/etc/passwd"), 0);
	read_text("/etc/passwd", "#!");
	EQ(SYS(mkdir, "/usr/bin", 0755), 0);
	EQ(is_there("/usr/bin/tool"), -ENOENT);
	EQ(SYS(link, "/etc/hosts", "/usr/bin/h"), 0);
	read_text("/bin/h", "local\n");
}

/* What has been looked up once costs no request of the monitor again. */
UNIT(layer_cache)
{
	unsigned before;

	lower_tree();
	EQ(is_there("/etc/passwd"), 0);
	EQ(is_there("/etc/nothing"), -ENOENT);
	before = fake_requests;
	for (int i = 0; i < 100; i++) {
		MUST(is_there("/etc/passwd") == 0);
		MUST(is_there("/etc/nothing") == -ENOENT);
	}
	EQ(fake_requests - before, 0);
}

struct dirent64 { u64 ino, next; u16 size; u8 type; char name[]; };

static unsigned count_names(const char *path, const char *must_have)
{
	static char buf[4096];
	long fd = SYS(openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY), n;
	unsigned count = 0;
	bool found = !must_have;

	while ((n = SYS(getdents64, fd, buf, 200)) > 0)
		for (long at = 0; at < n;) {
			struct dirent64 *d = (void *)(buf + at);

			if (must_have && !strcmp(d->name, must_have))
				found = true;
			count++;
			at += d->size;
		}
	MUST(n == 0);
	SYS(close, fd);
	CHECK(found);
	return count;
}

UNIT(layer_list)
{
	char path[32];

	lower_tree();
	EQ(count_names("/etc", "passwd"), 4);
	EQ(touch("/etc/new"), 0);
	EQ(count_names("/etc", "new"), 5);
	EQ(SYS(unlink, "/etc/hosts"), 0);
	EQ(count_names("/etc", "passwd"), 4);
	EQ(SYS(unlink, "/etc/passwd"), 0);
	EQ(touch("/etc/passwd"), 0); /* the new one, once */
	EQ(count_names("/etc", "passwd"), 4);
	EQ(SYS(mkdir, "/tmp/many", 0755), 0);
	for (int i = 0; i < 500; i++) {
		snprintf(path, sizeof(path), "/tmp/many/%d", i);
		MUST(touch(path) == 0);
	}
	EQ(count_names("/tmp/many", "499"), 502);
}

/* Not root: the rules of permissions. */
UNIT(names_permissions)
{
	EQ(SYS(mkdir, "/tmp/open", 0777), 0);
	EQ(SYS(mkdir, "/tmp/shut", 0700), 0);
	EQ(touch("/tmp/shut/f"), 0);
	EQ(touch("/tmp/f"), 0);
	EQ(touch("/tmp/sticky"), 0);
	EQ(SYS(chmod, "/tmp/open", 0777), 0);
	EQ(SYS(setresuid, 1000, 1000, 1000), 0);
	EQ(SYS(access, "/tmp/shut/f", 0), -EACCES);
	EQ(touch("/tmp/shut/g"), -EACCES);
	EQ(touch("/tmp/open/g"), 0);
	EQ(SYS(openat, AT_FDCWD, "/tmp/f", O_WRONLY), -EACCES);
	CHECK(SYS(openat, AT_FDCWD, "/tmp/f", O_RDONLY) >= 0);
	EQ(SYS(chmod, "/tmp/f", 0777), -EPERM);
	EQ(SYS(unlink, "/tmp/sticky"), -EPERM);
	EQ(SYS(rename, "/tmp/sticky", "/tmp/mine"), -EPERM);
	EQ(SYS(chown, "/tmp/open/g", 0, -1), -EPERM);
	EQ(SYS(setuid, 0), -EPERM);
}
