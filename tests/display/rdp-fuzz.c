/*
 * rdp-fuzz.c - hostile clients against bailey-display-session, on the host:
 *
 *   rdp-fuzz SESSION_PROGRAM ROUNDS SEED
 *
 * In each round a client of FreeRDP's library connects, logs in, types, and
 * talks on the channels of clipboard, sound and dynamic channels.  What it
 * writes into TLS is changed on its way, in one round from the first byte, in
 * another only after the log-in; some clients fall silent or go away in the middle.
 * The session (built with sanitizers, in the current folder, which holds its
 * key and the X server's picture) must end when its client has ended, and with
 * status 0 or 1.  A failing round is named; ROUNDS 1 with its seed repeats it.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <freerdp/channels/channels.h>
#include <freerdp/client.h>
#include <freerdp/freerdp.h>
#include <freerdp/gdi/gdi.h>
#include <freerdp/input.h>
#include <freerdp/primitives.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <winpr/crt.h>
#include <winpr/synch.h>

enum { SOCKET = 3, REPORT = 4, SECRET = 5, CLIENT_SECONDS = 3, STEPS = 60,
       END_SECONDS = 10, BIG = 1 << 17 };
#define PASSWORD "fuzz-fuzz-fuzz"

/* ---- chance --------------------------------------------------------------- */
static uint64_t state;

static uint32_t chance(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? (uint32_t)(state >> 16) % below : 0;
}

static uint32_t edge(void)
{
	static const uint32_t edges[] = { 0, 1, 2, 3, 4, 7, 8, 0x7f, 0x80, 0xff,
		0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
		0xfffffffe, 0xffffffff };

	return edges[chance(sizeof(edges) / sizeof(*edges))];
}

/* ---- what becomes of what the client writes -------------------------------- */
static unsigned writes, first_changed, one_in;
static int connection = -1;

static int change(uint8_t *p, int n)
{
	uint32_t v = edge();
	int at = (int)chance((uint32_t)n), room = n - at;

	switch (chance(8)) {
	case 0: p[at] ^= (uint8_t)(1u << chance(8)); break;
	case 1: p[at] = (uint8_t)v; break;
	case 2: memcpy(p + at, &v, room < 2 ? (size_t)room : 2); break;
	case 3: memcpy(p + at, &v, room < 4 ? (size_t)room : 4); break;
	case 4: return at + 1;
	case 5: memmove(p + n, p + at, (size_t)room); return n + room;
	case 6:
		for (int i = at; i < n; i++)
			p[i] = (uint8_t)chance(256);
		break;
	case 7:
		memmove(p + at, p + n / 2, (size_t)(room < n / 2 ? room :
						    n / 2));
	}
	return n;
}

/* Mostly the outer length is right, or nothing behind it would be read. */
static void mend_length(uint8_t *p, int n)
{
	if (n < 4 || !chance(4))
		return;
	if (p[0] == 3) {
		p[2] = (uint8_t)(n >> 8);
		p[3] = (uint8_t)n;
	} else if (!(p[0] & 3) && p[1] & 0x80) {
		p[1] = (uint8_t)(0x80 | n >> 8);
		p[2] = (uint8_t)n;
	}
}

typedef struct ssl_st SSL;
int SSL_write(SSL *ssl, const void *data, int n);

int SSL_write(SSL *ssl, const void *data, int n)
{
	static int (*real)(SSL *, const void *, int);
	static uint8_t copy[BIG * 2];
	int m = n;

	if (!real)
		real = (int (*)(SSL *, const void *, int))dlsym(RTLD_NEXT,
								"SSL_write");
	if (++writes <= first_changed || n < 1 || n > BIG || chance(one_in))
		return real(ssl, data, n);
	memcpy(copy, data, (size_t)n);
	for (uint32_t i = 0; i <= chance(3) && m <= BIG; i++)
		m = change(copy, m);
	mend_length(copy, m);
	if (!chance(30))
		shutdown(connection, SHUT_RDWR);
	m = real(ssl, copy, m);
	return m < 0 ? m : n;
}

/* Nobody sleeps in the log-in (see bench/rdp-client.c). */
int usleep(useconds_t microseconds)
{
	struct timespec t = { 0, 2000000 };

	nanosleep(&t, NULL);
	return 0;
}

int connect(int fd, const struct sockaddr *a, socklen_t n)
{
	static int (*real)(int, const struct sockaddr *, socklen_t);

	if (!real)
		real = (int (*)(int, const struct sockaddr *, socklen_t))
			dlsym(RTLD_NEXT, "connect");
	if (a->sa_family == AF_INET)
		connection = fd;
	return real(fd, a, n);
}

/* ---- the client ------------------------------------------------------------ */
static DWORD trust(freerdp *f, const char *host, UINT16 port,
		   const char *name, const char *subject, const char *issuer,
		   const char *fingerprint, DWORD flags)
{
	return 2; /* for this session */
}

static BOOL prepare(freerdp *f)
{
	return gdi_init(f, PIXEL_FORMAT_BGRX32);
}

static void add_channel(rdpSettings *set, const char *name)
{
	CHANNEL_DEF *c = &set->ChannelDefArray[set->ChannelCount++];

	memset(c, 0, sizeof(*c));
	strncpy(c->name, name, sizeof(c->name) - 1);
	c->options = CHANNEL_OPTION_INITIALIZED | CHANNEL_OPTION_ENCRYPT_RDP;
}

static freerdp *make_client(int port)
{
	freerdp *f = freerdp_new();
	rdpSettings *set;

	if (!f || !freerdp_context_new(f))
		return NULL;
	f->PostConnect = prepare;
	f->VerifyCertificateEx = trust;
	set = f->settings;
	set->ServerHostname = _strdup("127.0.0.1");
	set->ServerPort = (UINT32)port;
	set->Username = _strdup("bailey");
	set->Password = _strdup(PASSWORD);
	set->NlaSecurity = chance(4) != 0;
	set->ColorDepth = chance(2) ? 32 : 16;
	set->RemoteFxCodec = chance(2) != 0;
	set->SurfaceCommandsEnabled = TRUE;
	set->FastPathOutput = chance(4) != 0;
	set->FrameMarkerCommandEnabled = TRUE;
	set->FrameAcknowledge = 2;
	set->UnicodeInput = TRUE;
	add_channel(set, "cliprdr");
	add_channel(set, "drdynvc");
	add_channel(set, "rdpsnd");
	return f;
}

static uint8_t message[BIG];

static void say(freerdp *f, const char *name, uint32_t n)
{
	uint16_t id = freerdp_channels_get_id_by_name(f, (char *)(uintptr_t)
						      name);

	if (id && n)
		f->SendChannelData(f, id, message, n);
}

static uint32_t put_noise(uint32_t from, uint32_t most)
{
	uint32_t n = chance(20) ? chance(most < 200 ? most : 200) :
		chance(most);

	for (uint32_t i = 0; i < n; i++)
		message[from + i] = chance(3) ? (uint8_t)chance(256) : 0;
	return from + n;
}

/* Often what is there to be answered: a list with text, text, a wish. */
static void talk_clipboard(freerdp *f)
{
	static const uint8_t kinds[] = { 2, 2, 2, 5, 5, 4, 3, 6, 7, 8, 9, 10 };
	static const uint8_t text[] = { 13, 0, 0, 0, 0, 0 };
	uint8_t kind = kinds[chance(sizeof(kinds))];
	uint32_t n, length;

	memset(message, 0, 16);
	message[0] = kind;
	message[2] = (uint8_t)(chance(4) ? 1 : chance(4)); /* good, bad */
	n = put_noise(8, chance(4) ? 300 : BIG - 8);
	if (chance(2) && (kind == 2 || kind == 4)) {
		memcpy(message + 8, text, sizeof(text));
		n = 8 + (kind == 2 ? sizeof(text) : 4);
		message[2] = 0;
	}
	length = chance(4) ? n - 8 : edge();
	memcpy(message + 4, &length, 4);
	say(f, "cliprdr", n);
}

/* Dynamic channels: capabilities, a channel that is opened, and the layouts
 * of monitors on it. */
static void talk_dynamic(freerdp *f)
{
	uint32_t n, words[] = { 2, 56, 40, 1, 1, 0, 0, 200 + chance(4000), edge(),
		0, 0, 0, 100, 100 };

	memset(message, 0, 8);
	switch (chance(4)) {
	case 0:
		message[0] = 0x50;
		message[2] = (uint8_t)(1 + chance(3));
		return say(f, "drdynvc", 4);
	case 1:
		message[0] = 0x10;
		message[1] = (uint8_t)chance(3);
		return say(f, "drdynvc", 6);
	case 2:
		message[0] = 0x30;
		message[1] = (uint8_t)chance(3);
		if (!chance(3))
			words[chance(14)] = edge();
		memcpy(message + 2, words, sizeof(words));
		return say(f, "drdynvc", 2 + sizeof(words));
	}
	n = put_noise(2, BIG - 2);
	message[0] = (uint8_t)(chance(6) << 4 | chance(8));
	message[1] = (uint8_t)chance(3);
	say(f, "drdynvc", n);
}

/* Formats that it takes, training, confirmations. */
static void talk_sound(freerdp *f)
{
	static const uint8_t kinds[] = { 7, 7, 7, 5, 6, 12, 2, 13 };
	uint32_t n = put_noise(4, chance(3) ? 120 : BIG - 4), length = n - 4;
	uint16_t formats = chance(2) ? 1 : (uint16_t)edge();

	memset(message, 0, 4);
	message[0] = kinds[chance(sizeof(kinds))];
	if (message[0] == 7 && n > 24)
		memcpy(message + 18, &formats, 2);
	if (!chance(4))
		length = edge();
	memcpy(message + 2, &length, 2);
	say(f, "rdpsnd", n);
}

static void do_something(freerdp *f)
{
	RECTANGLE_16 r = { (UINT16)edge(), (UINT16)edge(), (UINT16)edge(),
		(UINT16)edge() };
	UINT16 a = (UINT16)chance(65536), b = (UINT16)edge();

	switch (chance(10)) {
	case 0: freerdp_input_send_keyboard_event(f->input, a, b); break;
	case 1: freerdp_input_send_unicode_keyboard_event(f->input, b & 0x8000,
							  a); break;
	case 2: freerdp_input_send_mouse_event(f->input, a, b, a); break;
	case 3: freerdp_input_send_extended_mouse_event(f->input, a, b, b);
		break;
	case 4: freerdp_input_send_synchronize_event(f->input, a); break;
	case 5: f->update->RefreshRect(f->context, 1, &r); break;
	case 6: f->update->SuppressOutput(f->context, a & 1, &r); break;
	case 7: talk_clipboard(f); break;
	case 8: talk_dynamic(f); break;
	case 9: talk_sound(f);
	}
}

static void be_client(int port, bool is_silent)
{
	freerdp *f = make_client(port);
	HANDLE handles[64];

	alarm(CLIENT_SECONDS);
	if (!f || !freerdp_connect(f))
		_exit(0);
	if (first_changed == 1000000) /* from here */
		first_changed = 0;
	for (int i = 0; i < STEPS; i++) {
		DWORD n = freerdp_get_event_handles(f->context, handles, 64);

		do_something(f);
		WaitForMultipleObjects(n, handles, FALSE, chance(10));
		if (!is_silent && !freerdp_check_event_handles(f->context))
			break;
	}
	_exit(0);
}

/* ---- the session ----------------------------------------------------------- */
static _Noreturn void be_session(const char *program, int socket, int report)
{
	int secret[2], null = open("/dev/null", O_WRONLY);

	if (pipe(secret) || write(secret[1], PASSWORD, strlen(PASSWORD)) < 0)
		_exit(2);
	close(secret[1]);
	socket = fcntl(socket, F_DUPFD, 20);
	secret[0] = fcntl(secret[0], F_DUPFD, 20);
	report = fcntl(report, F_DUPFD, 20);
	dup2(socket, SOCKET);
	dup2(report, REPORT);
	dup2(secret[0], SECRET);
	dup2(null, 1);
	execl(program, program, "bailey", "both", NULL);
	_exit(2);
}

static int listen_somewhere(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(s, 4) || getsockname(s, (struct sockaddr *)&a, &n))
		exit(2);
	*port = ntohs(a.sin_port);
	return s;
}

/* Its status; -1: it did not end. */
static int wait_for(pid_t pid, int seconds)
{
	int status;

	for (int i = 0; i < seconds * 100; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		usleep(0);
		usleep(0);
		usleep(0);
		usleep(0);
		usleep(0);
	}
	return -1;
}

static bool is_good_end(int status)
{
	if (status < 0)
		return false;
	if (WIFSIGNALED(status)) /* its own time limit for the log-in */
		return WTERMSIG(status) == SIGALRM;
	return WEXITSTATUS(status) <= 1;
}

static unsigned admitted;

static bool play(const char *program, uint64_t seed)
{
	bool is_silent;
	char byte = 0;
	int port, s = listen_somewhere(&port), c, status, report[2];
	pid_t client, session;

	state = seed * 0x9e3779b97f4a7c15u + 1;
	chance(1);
	first_changed = chance(3) ? chance(20) : 1000000;
	one_in = 1 + chance(6);
	is_silent = !chance(5);
	if (pipe2(report, O_CLOEXEC | O_NONBLOCK))
		exit(2);
	client = fork();
	if (!client)
		be_client(port, is_silent);
	c = accept(s, NULL, NULL);
	session = fork();
	if (!session)
		be_session(program, c, report[1]);
	close(c);
	close(s);
	if (wait_for(client, CLIENT_SECONDS + END_SECONDS) < 0) {
		kill(client, SIGKILL);
		waitpid(client, &status, 0);
	}
	status = wait_for(session, END_SECONDS);
	if (status < 0) {
		kill(session, SIGKILL);
		waitpid(session, &c, 0);
	}
	admitted += read(report[0], &byte, 1) == 1 && byte == 'A';
	close(report[0]);
	close(report[1]);
	if (is_good_end(status))
		return true;
	fprintf(stderr, "seed %llu: the session's status is %d\n",
		(unsigned long long)seed, status);
	return false;
}

int main(int argc, char **argv)
{
	int rounds, failures = 0;
	uint64_t seed;

	if (argc != 4)
		return 2;
	rounds = atoi(argv[2]);
	seed = strtoull(argv[3], NULL, 10);
	primitives_set_hints(PRIMITIVES_ONLY_CPU); /* no benchmark */
	setenv("WLOG_LEVEL", "OFF", 1);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < rounds; i++)
		failures += !play(argv[1], seed + (uint64_t)i);
	printf("%d of %d rounds failed; %u were let in\n", failures, rounds,
	       admitted);
	return failures ? 1 : 0;
}
