/*
 * access.c - see access.h.
 *
 * State: the sandbox's generation (/dev/generation) that password and
 * certificate were made in.  Key and certificate are files, which the session
 * reads; the password is in this process's memory alone and goes to sessions
 * through pipes.
 */
#include "display/access.h"
#include "display/display.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { GENERATION = 32, WAITING = 8, TRIES = 500, PAUSE_MS = 20 };

static int generation_file = -1;
static char generation[GENERATION + 1], password[16], fingerprint[128];
static pid_t maker; /* of the certificate */
static char maker_generation[GENERATION + 1];
static int password_socket, fingerprint_socket;

/* ---- password ----------------------------------------------------------- */
/* Twelve letters and digits that are not mistaken for one another: 60 bits. */
static void think_of_password(void)
{
	static const char letters[33] = "abcdefghjkmnpqrstuvwxyz23456789A";
	unsigned char random[12];
	char *to = password;

	while (getrandom(random, sizeof(random), 0) != sizeof(random))
		;
	for (int i = 0; i < 12; i++) {
		if (i && i % 4 == 0)
			*to++ = '-';
		*to++ = letters[random[i] % 32];
	}
	*to = 0;
}

const char *access_password(void)
{
	return password;
}

void access_used(void)
{
	think_of_password();
}

/* ---- generations -------------------------------------------------------- */
void access_renew(void)
{
	char now[GENERATION + 1] = "";

	if (pread(generation_file, now, GENERATION, 0) != GENERATION)
		now[0] = 0; /* a host without: one life */
	if (!memcmp(now, generation, GENERATION) && *password)
		return;
	if (*password)
		fingerprint[0] = 0;
	memcpy(generation, now, sizeof(generation));
	think_of_password();
}

/* ---- certificate -------------------------------------------------------- */
bool access_has_certificate(void)
{
	return *fingerprint;
}

const char *access_fingerprint(void)
{
	return fingerprint;
}

pid_t access_certify(const char *program, void (*in_child)(void))
{
	if (maker)
		return 0;
	memcpy(maker_generation, generation, sizeof(generation));
	maker = fork();
	if (!maker) {
		in_child();
		execl(program, program, "--certificate", NULL);
		_exit(127);
	}
	return maker;
}

bool access_certified(int status)
{
	int fd = open(DISPLAY_FINGERPRINT, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 || status ? -1 :
		read(fd, fingerprint, sizeof(fingerprint) - 1);

	maker = 0;
	if (fd >= 0)
		close(fd);
	fingerprint[n > 0 ? n : 0] = 0;
	fingerprint[strcspn(fingerprint, "\n")] = 0;
	access_renew();
	/* saved in the middle of it: its clones would make the same one */
	if (memcmp(maker_generation, generation, GENERATION))
		fingerprint[0] = 0;
	return n > 0;
}

/* ---- who asks ----------------------------------------------------------- */
static socklen_t address(struct sockaddr_un *a, const char *name)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(a->sun_path, sizeof(a->sun_path), DISPLAY_DIR "/%s", name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			   strlen(a->sun_path) + 1);
}

static int answer_at(const char *name)
{
	struct sockaddr_un a;
	socklen_t size = address(&a, name);
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (s < 0 || bind(s, (struct sockaddr *)&a, size) ||
	    listen(s, WAITING))
		return -1;
	return s;
}

int access_open(void)
{
	generation_file = open("/dev/generation", O_RDONLY | O_CLOEXEC);
	access_renew();
	password_socket = answer_at("password");
	fingerprint_socket = answer_at("fingerprint");
	return password_socket < 0 || fingerprint_socket < 0 ? -1 : 0;
}

int access_password_socket(void)
{
	return password_socket;
}

int access_fingerprint_socket(void)
{
	return fingerprint_socket;
}

/* Only what the host has started has no parent in here. */
static bool is_from_outside(int s)
{
	struct ucred c;
	socklen_t size = sizeof(c);
	char name[40], line[512] = "";
	const char *p;
	int fd, parent = -1;

	if (getsockopt(s, SOL_SOCKET, SO_PEERCRED, &c, &size))
		return false;
	snprintf(name, sizeof(name), "/proc/%d/stat", (int)c.pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, line, sizeof(line) - 1) > 0 && (p = strrchr(line, ')')))
		sscanf(p, ") %*c %d", &parent);
	close(fd);
	return !parent;
}

static void tell(int s, const char *text)
{
	if (send(s, text, strlen(text), MSG_NOSIGNAL) < 0)
		return; /* it has gone */
}

void access_tell_password(void)
{
	int s = accept4(password_socket, NULL, NULL, SOCK_CLOEXEC);

	if (s < 0)
		return;
	if (is_from_outside(s))
		tell(s, password);
	close(s);
}

void access_tell_fingerprint(void)
{
	int s = accept4(fingerprint_socket, NULL, NULL, SOCK_CLOEXEC);

	if (s < 0)
		return;
	tell(s, fingerprint);
	close(s);
}

/* ---- asking ------------------------------------------------------------- */
/* The sandbox may have been started a moment ago. */
static int reach(const char *name)
{
	static const struct timespec pause = { 0, PAUSE_MS * 1000000L };
	struct sockaddr_un a;
	socklen_t size = address(&a, name);
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	for (int i = 0; s >= 0 && i < TRIES; i++) {
		if (!connect(s, (struct sockaddr *)&a, size))
			return s;
		nanosleep(&pause, NULL);
	}
	return -1;
}

static bool print(int fd)
{
	char text[128];
	size_t n = 0;
	ssize_t got;

	while (fd >= 0 && n < sizeof(text) - 1 &&
	       (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	return *text && puts(text) >= 0;
}

int access_ask(char *const *what)
{
	for (; *what; what++) {
		bool is_size = !strcmp(*what, "size");

		if (strcmp(*what, "password") &&
		    strcmp(*what, "fingerprint") && !is_size)
			return 2;
		if (!print(is_size ? open(DISPLAY_SIZE, O_RDONLY | O_CLOEXEC)
			   : reach(*what)))
			return 1;
	}
	return fflush(stdout) ? 1 : 0;
}
