/*
 * monitor_requests.c - fuzz target for the monitor's request decoder: any
 * record, with or without a handle, against two scratch trees, one of them
 * read-only.
 *
 * With clang -fsanitize=fuzzer it is a libFuzzer target; with
 * -DFUZZ_STANDALONE it makes records itself, most of them nearly right.
 * Beyond memory safety it checks that nothing outside the writable tree ever
 * changes, that no handle leaks, and that replies keep their bounds.  It
 * never runs as root.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/mon.h"

static jmp_buf ended;
static struct monitor m;
static char base[64];

_Noreturn void monitor_end(struct monitor *x, int status, const char *fmt, ...)
{
	longjmp(ended, 1);
}
void monitor_close(int fd)
{
	if (fd >= 0)
		close(fd);
}
void control_report(struct monitor *x, const struct mon_report *r,
		    const char *text)
{
	volatile char sum = 0;

	for (uint32_t i = 0; i < r->text_size; i++)
		sum = (char)(sum + text[i]);
}

static int open_in(const char *name, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	return open(path, flags | O_CLOEXEC, 0644);
}

static void make(const char *name, const char *link)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	if (link)
		(void)!symlink(link, path);
	else
		mkdir(path, 0755);
}

static void setup(void)
{
	static int is_done;

	if (is_done++)
		return;
	if (geteuid() == 0 && (setresgid(65534, 65534, 65534) ||
			       setresuid(65534, 65534, 65534)))
		exit(2);
	strcpy(base, "/tmp/fuzz-monitor-XXXXXX");
	if (!mkdtemp(base))
		exit(2);
	make("ro", NULL);
	make("ro/a", NULL);
	make("rw", NULL);
	make("rw/a", NULL);
	make("rw/up", "..");
	make("rw/out", "../ro");
	close(open_in("ro/a/f", O_RDWR | O_CREAT));
	close(open_in("outside", O_RDWR | O_CREAT));
	m.tree_count = 2;
	m.uid = geteuid();
	m.gid = getegid();
	m.trees[0] = (struct mon_tree){ .read_only = true,
		.fd = open_in("ro", O_PATH | O_DIRECTORY) };
	m.trees[1] = (struct mon_tree){ .is_volume = true, .whole = true,
		.fd = open_in("rw", O_PATH | O_DIRECTORY) };
	m.denied = open("/dev/null", O_WRONLY);
	open_changes(&(struct mon_call){ .m = &m });
}

static void check_outside(void)
{
	static struct stat was[4];
	static const char *const names[] = { "", "ro", "ro/a", "outside" };
	struct stat st;
	char path[128];

	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", base, names[i]);
		if (stat(path, &st))
			abort();
		if (was[i].st_ino &&
		    (st.st_mtim.tv_nsec != was[i].st_mtim.tv_nsec ||
		     st.st_mode != was[i].st_mode ||
		     st.st_nlink != was[i].st_nlink ||
		     st.st_size != was[i].st_size))
			abort();
		was[i] = st;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t payload[MON_REPLY_MAX] __attribute__((aligned(16)));
	uint8_t *record;
	struct mon_call c = { .m = &m, .payload = payload, .handle = -1 };

	setup();
	if (size < 1 || size > MON_REQUEST_MAX)
		return 0;
	/* Exactly as long as the record, so that reading on is seen. */
	record = malloc(size);
	memcpy(record, data + 1, size - 1);
	c.reply_handle = -1;
	/* By now the name may be a symlink that leads out. */
	if (data[0] & 1)
		c.handle = open_in("rw/handle", O_RDWR | O_CREAT | O_NOFOLLOW);
	if (!setjmp(ended))
		dispatch_record(&c, record, size - 1);
	if (c.reply.size > MON_REPLY_MAX - sizeof(c.reply))
		abort();
	if (c.reply_handle >= 0 && !c.keep_handle)
		close(c.reply_handle);
	monitor_close(c.handle);
	free(record);
	check_outside();
	return 0;
}

#ifdef FUZZ_STANDALONE
static uint64_t state = 88172645463325252ull;
static uint32_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static const char *const paths[] = { "", "a", "a/f", "b", "up", "up/outside",
	"out/a/f", "../outside", "a/../../outside", "/etc/passwd", "a/", ".",
	"a//f", "./a", "new", "a/new", "handle", "up/new", "out/new" };

static size_t put_path(uint8_t *to, uint32_t *size)
{
	const char *p = paths[next_random() % (sizeof(paths) /
					       sizeof(paths[0]))];

	*size = (uint32_t)strlen(p) + 1;
	memcpy(to, p, *size);
	return *size;
}

/* A record that is right but for what chance adds. */
static size_t sample(uint8_t *out)
{
	static const uint8_t sizes[] = { 0, 48, 16, 24, 24, 16, 16, 16, 40, 8,
					 8, 8, 8, 8, 8, 16, 8 };
	struct mon_request q = { .op = 1 + next_random() % 16 };
	uint32_t small[12], one = 0, two = 0;
	size_t n = sizeof(q) + sizes[q.op];
	int i;

	for (i = 0; i < 12; i++)
		small[i] = next_random() % 4;
	if (q.op <= MON_SETATTR) {
		n += put_path(out + n, &one);
		if (q.op == MON_RENAME || q.op == MON_LINK ||
		    (q.op == MON_MAKE && small[1] == HOST_KIND_SYMLINK))
			n += put_path(out + n, &two);
	}
	switch (q.op) {
	case MON_OPEN: small[0] = 1; small[2] = next_random() % 64;
		small[3] = 0600; small[10] = one; small[11] = 0; break;
	case MON_WALK: small[1] = 1 + next_random() % 600;
		small[3] |= next_random() % 2 ? HOST_WALK_WATCH : 0;
		/* fall through */
	case MON_REMOVE: small[2] = one; break;
	case MON_LIST: small[0] = small[1] = 0; small[3] = 0xe000;
		small[4] = one; break;
	case MON_MAKE: small[3] = one; small[4] = two; small[2] = 0700;
		break;
	case MON_RENAME: case MON_LINK: small[2] = one; small[3] = two;
		if (q.op == MON_LINK) small[1] = 0;
		break;
	case MON_SETATTR: small[0] = next_random() % 16; small[1] = 0700;
		small[2] = small[3] = 0; small[8] = 1; small[9] = one; break;
	case MON_REPORT: small[3] = 0; break;
	}
	q.size = (uint32_t)n;
	memcpy(out, &q, sizeof(q));
	memcpy(out + sizeof(q), small, sizes[q.op]);
	return n;
}

int main(int argc, char **argv)
{
	static uint8_t buf[1 << 16];
	long rounds = argc > 1 ? atol(argv[1]) : 100000, i;
	char command[192];
	int first = -1, last = 0;

	for (i = 0; i < rounds; i++) {
		size_t n = 1 + sample(buf + 1);
		unsigned k = next_random() % 4;
		uint8_t op = buf[1];

		buf[0] = op >= MON_STAT && op <= MON_SHUTDOWN;
		while (k--)
			if (next_random() % 3 == 0)
				buf[next_random() % n] = (uint8_t)next_random();
		if (next_random() % 16 == 0)
			n = 1 + next_random() % n;
		LLVMFuzzerTestOneInput(buf, n);
		last = open("/dev/null", O_RDONLY);
		close(last);
		if (first < 0)
			first = last;
	}
	if (last > first + 1)
		return printf("FAIL handles leak: %d, %d\n", first, last), 1;
	snprintf(command, sizeof(command), "chmod -R u+rwX %s; rm -rf %s",
		 base, base);
	(void)!system(command);
	printf("monitor requests: %ld inputs, %u refused\n", rounds,
	       m.denied_count);
	return 0;
}
#endif
