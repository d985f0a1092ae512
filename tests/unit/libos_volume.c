/*
 * libos_volume.c - host trees that are passed through: what is done inside is
 * done on the host, and what the host does is seen.
 */
#include "unit.h"

#include <asm/stat.h>
#include <linux/fcntl.h>

static long open_at(const char *path, int flags)
{
	return SYS(openat, AT_FDCWD, path, flags, 0644);
}

static bool host_has(const char *path, const char *text)
{
	const char *got = fake_tree_read(path);

	return got && !strcmp(got, text);
}

UNIT(volume_files)
{
	struct stat st;
	char b[32];
	long f;

	fake_tree_dir("d", 0755);
	fake_tree_file("d/old", "from the host", 0644);
	f = open_at("/volume/d/old", O_RDWR);
	CHECK(f >= 0);
	EQ(SYS(read, f, b, 32), 13);
	EQ(SYS(pwrite64, f, "FROM", 4, 0), 4);
	CHECK(host_has("d/old", "FROM the host"));
	EQ(SYS(ftruncate, f, 4), 0);
	CHECK(host_has("d/old", "FROM"));
	EQ(SYS(fstat, f, &st), 0);
	EQ(st.st_size, 4);
	f = open_at("/volume/d/new", O_CREAT | O_EXCL | O_WRONLY | O_APPEND);
	CHECK(f >= 0);
	EQ(SYS(write, f, "one", 3), 3);
	EQ(SYS(write, f, "two", 3), 3);
	CHECK(host_has("d/new", "onetwo"));
	EQ(open_at("/volume/d/new", O_CREAT | O_EXCL | O_WRONLY), -EEXIST);
	EQ(open_at("/volume/d/none", O_RDONLY), -ENOENT);
	EQ(open_at("/volume/d", O_WRONLY), -EISDIR);
	fake_tree_file("d/old", "host again", 0644);
	f = open_at("/volume/d/old", O_RDONLY);
	EQ(SYS(read, f, b, 32), 10);
}

UNIT(volume_names)
{
	char b[32];

	fake_tree_file("f", "f", 0644);
	EQ(SYS(mkdir, "/volume/d", 0755), 0);
	EQ(SYS(mkdir, "/volume/d", 0755), -EEXIST);
	EQ(SYS(rename, "/volume/f", "/volume/d/g"), 0);
	CHECK(host_has("d/g", "f") && !fake_tree_read("f"));
	EQ(SYS(access, "/volume/f", 0), -ENOENT);
	EQ(SYS(link, "/volume/d/g", "/volume/h"), 0);
	CHECK(host_has("h", "f"));
	EQ(SYS(rmdir, "/volume/d"), -ENOTEMPTY);
	EQ(SYS(unlink, "/volume/d/g"), 0);
	EQ(SYS(rmdir, "/volume/d"), 0);
	EQ(SYS(access, "/volume/d", 0), -ENOENT);
	EQ(SYS(symlink, "h", "/volume/s"), 0);
	EQ(SYS(readlink, "/volume/s", b, 32), 1);
	CHECK(open_at("/volume/s", O_RDONLY) >= 0);
	EQ(SYS(rename, "/volume/h", "/tmp/h"), -EXDEV);
	EQ(SYS(link, "/volume/h", "/tmp/h"), -EXDEV);
	EQ(SYS(unlink, "/volume/h"), 0);
	EQ(open_at("/volume/s", O_RDONLY), -ENOENT);
}

/* A symlink of the host leads inside the sandbox, not on the host. */
UNIT(volume_links)
{
	fake_tree_link("root", "/");
	fake_tree_link("up", "../../../../tmp");
	EQ(SYS(mkdir, "/tmp/inside", 0755), 0);
	EQ(SYS(access, "/volume/root/tmp/inside", 0), 0);
	EQ(SYS(access, "/volume/up/inside", 0), 0);
	EQ(SYS(access, "/volume/root/etc/passwd", 0), -ENOENT);
}
