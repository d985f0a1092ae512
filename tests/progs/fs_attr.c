/* Attributes: stat, modes, times, xattr, descriptors, openat2, paths. */
#include "check.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

static char dir[64];

static mode_t mode_of(const char *name)
{
	struct stat st;

	return stat(name, &st) ? 0 : st.st_mode & 07777;
}

static void test_modes(void)
{
	int fd = open("f", O_CREAT | O_RDWR, 0666);

	CHECK(mode_of("f") == 0644);
	CHECK(chmod("f", 04711) == 0 && mode_of("f") == 04711);
	CHECK(fchmod(fd, 0600) == 0 && mode_of("f") == 0600);
	CHECK(fchmodat(AT_FDCWD, "f", 0640, 0) == 0 && mode_of("f") == 0640);
	CHECK_ERRNO(chmod("none", 0600), ENOENT);
	CHECK(umask(077) == 022 && umask(022) == 077);
	CHECK(access("f", F_OK) == 0 && access("f", R_OK | W_OK) == 0);
	CHECK_ERRNO(access("f", X_OK), EACCES);
	CHECK_ERRNO(access("f", 9), EINVAL);
	CHECK(mkdir("g", 0755) == 0 && chmod("g", 02755) == 0);
	CHECK(mkdir("g/h", 0755) == 0 && mode_of("g/h") == 02755);
	CHECK(chown("f", (uid_t)-1, (gid_t)-1) == 0);
	close(fd);
}

static void test_stat(void)
{
	struct statx sx;
	struct statfs sf;
	struct stat a, b;
	int fd = open("f", O_RDONLY);

	CHECK(stat("f", &a) == 0 && fstat(fd, &b) == 0);
	CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	CHECK(fstatat(fd, "", &b, AT_EMPTY_PATH) == 0 && b.st_ino == a.st_ino);
	CHECK_ERRNO(fstatat(fd, "", &b, 0), ENOENT);
	CHECK_ERRNO(fstatat(fd, "x", &b, 0), ENOTDIR);
	CHECK_ERRNO(fstatat(99, "x", &b, 0), EBADF);
	CHECK_ERRNO(fstatat(fd, "x", &b, 0x80000), EINVAL);
	CHECK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &sx) == 0);
	CHECK(sx.stx_ino == a.st_ino && (sx.stx_mask & 0x7ff) == 0x7ff);
	CHECK(statfs("f", &sf) == 0 && sf.f_namelen == 255);
	CHECK_ERRNO(stat("f/", &a), ENOTDIR);
	close(fd);
}

static void test_times(void)
{
	struct timespec ts[2] = { { 1000, 5 }, { 2000, 7 } };
	struct stat st;

	CHECK(utimensat(AT_FDCWD, "f", ts, 0) == 0);
	CHECK(stat("f", &st) == 0 && st.st_atim.tv_sec == 1000 &&
	      st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 7);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_nsec = UTIME_NOW;
	CHECK(utimensat(AT_FDCWD, "f", ts, 0) == 0);
	CHECK(stat("f", &st) == 0 && st.st_atim.tv_sec == 1000 &&
	      st.st_mtim.tv_sec > 1000000);
	ts[1].tv_nsec = 2000000000;
	CHECK_ERRNO(utimensat(AT_FDCWD, "f", ts, 0), EINVAL);
}

static void test_xattr(void)
{
	char buf[64];

	CHECK(setxattr("f", "user.k", "value", 5, XATTR_CREATE) == 0);
	CHECK_ERRNO(setxattr("f", "user.k", "v", 1, XATTR_CREATE), EEXIST);
	CHECK_ERRNO(setxattr("f", "user.z", "v", 1, XATTR_REPLACE), ENODATA);
	CHECK(getxattr("f", "user.k", buf, sizeof(buf)) == 5);
	CHECK(getxattr("f", "user.k", NULL, 0) == 5);
	CHECK_ERRNO(getxattr("f", "user.k", buf, 2), ERANGE);
	CHECK_ERRNO(getxattr("f", "user.none", buf, 2), ENODATA);
	CHECK_ERRNO(getxattr("f", "bogus", buf, 2), EOPNOTSUPP);
	CHECK(listxattr("f", buf, sizeof(buf)) == 7 && !strcmp(buf, "user.k"));
	CHECK(removexattr("f", "user.k") == 0);
	CHECK(listxattr("f", buf, sizeof(buf)) == 0);
}

static void test_descriptors(void)
{
	int fd = open("f", O_RDONLY | O_CLOEXEC), other, flag = 1;

	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(ioctl(fd, FIONCLEX) == 0 && fcntl(fd, F_GETFD) == 0);
	other = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	CHECK(other == 100 && fcntl(other, F_GETFD) == FD_CLOEXEC);
	CHECK(dup2(fd, 101) == 101 && dup2(fd, fd) == fd);
	CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
	CHECK_ERRNO(dup2(99, 5), EBADF);
	CHECK_ERRNO(dup2(fd, -1), EBADF);
	CHECK_ERRNO(fcntl(fd, F_DUPFD, -1), EINVAL);
	CHECK(ioctl(fd, FIONBIO, &flag) == 0 &&
	      (fcntl(fd, F_GETFL) & O_NONBLOCK));
	CHECK(lseek(other, 3, SEEK_SET) == 3 && lseek(fd, 0, SEEK_CUR) == 3);
	CHECK_ERRNO(ioctl(fd, 0x5401, &flag), ENOTTY);
	CHECK(syscall(SYS_close_range, 100, 200, 0) == 0);
	CHECK_ERRNO(fcntl(101, F_GETFD), EBADF);
	CHECK_ERRNO(syscall(SYS_close_range, 5, 4, 0), EINVAL);
	close(fd);
	fd = open("f", O_PATH);
	CHECK_ERRNO(read(fd, &flag, 1), EBADF);
	CHECK_ERRNO(fchmod(fd, 0600), EBADF);
	close(fd);
}

static long open2(const char *path, unsigned long resolve)
{
	struct open_how how = { .flags = O_RDONLY, .resolve = resolve };

	return syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static void test_paths(void)
{
	char buf[256], longer[5000];

	CHECK(symlink("/", "root") == 0 && symlink("f", "sf") == 0);
	CHECK(open2("f", RESOLVE_BENEATH) >= 0);
	CHECK_ERRNO(open2("../f", RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(open2("root", RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(open2("sf", RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK(open2("/f", RESOLVE_IN_ROOT) >= 0);
	CHECK(open2("../../f", RESOLVE_IN_ROOT) >= 0);
	CHECK(getcwd(buf, sizeof(buf)) && !strcmp(buf, dir));
	CHECK(!getcwd(buf, 3) && errno == ERANGE);
	CHECK(chdir("g/h") == 0 && getcwd(buf, sizeof(buf)) &&
	      !strcmp(buf + strlen(dir), "/g/h"));
	CHECK(rmdir("../h") == 0);
	CHECK(syscall(SYS_getcwd, buf, sizeof(buf)) == -1 && errno == ENOENT);
	CHECK(chdir("..") == 0 && chdir("..") == 0);
	memset(longer, 'x', sizeof(longer));
	longer[300] = 0;
	CHECK_ERRNO(open(longer, O_RDONLY), ENAMETOOLONG);
	longer[300] = 'x';
	longer[4999] = 0;
	CHECK_ERRNO(open(longer, O_RDONLY), ENAMETOOLONG);
	CHECK_ERRNO(chdir("f"), ENOTDIR);
	CHECK_ERRNO(open((char *)8, O_RDONLY), EFAULT);
}

int main(void)
{
	char command[128];

	snprintf(dir, sizeof(dir), "/tmp/fs_attr.%d", getpid());
	umask(022);
	CHECK(mkdir(dir, 0755) == 0 && chdir(dir) == 0);
	test_modes();
	test_stat();
	test_times();
	test_xattr();
	test_descriptors();
	test_paths();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CHECK(chdir("/") == 0 && system(command) == 0);
	return check_done();
}
