/*
 * supervisor.c - bailey-display: the screen's first process.
 *
 *   bailey-display USER CLIPBOARD WIDTHxHEIGHT PROGRAM [ARG...]
 *   bailey-display --tell WHAT...     a line each: password (to `bailey exec`
 *       alone), fingerprint (of the certificate), size (of the screen)
 *
 * Starts Xvfb, then the program with DISPLAY set, and ends with the program's
 * status.  Connections are given to processes of bailey-display-session
 * (display.h).  Invariants: at most one viewer is admitted, the newest; after
 * FAILURES_MAX wrong log-ins in turn nobody is heard for LOCK_SECONDS; of
 * those that do not log in, a new one takes the place of the oldest.
 */
#include "display/access.h"
#include "display/display.h"
#include "display/sound.h"
#include "display/wayland_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SESSIONS_MAX = 8, FAILURES_MAX = 5, LOCK_SECONDS = 60 };
enum { STATUS_OURS = 125, STATUS_CANNOT_RUN = 126, STATUS_NOT_FOUND = 127 };

struct session {
	pid_t pid;
	int report;
	bool is_admitted, is_over; /* told to end */
	unsigned number; /* of those that have come */
};

static struct session sessions[SESSIONS_MAX];
static unsigned failures, arrivals;
static time_t locked_until;
static pid_t server, program, maker;
static bool is_uncertain; /* no certificate could be made */
static int wake[2]; /* signal handlers write a byte here */
/* Of the command line. */
enum { WORD_USER = 1, WORD_CLIPBOARD, WORD_SIZE, WORD_PROGRAM };
static char **words;
static char session_path[4096], windows_path[4096], wayland_path[4096],
	gl_path[4096];

static _Noreturn void die(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("bailey: display: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* ---- signals ------------------------------------------------------------ */
static void on_signal(int sig)
{
	int saved = errno;

	if (sig != SIGCHLD && program > 0)
		kill(program, sig);
	if (write(wake[1], "", 1) < 0)
		errno = saved; /* full: it will wake all the same */
	errno = saved;
}

static void catch_signals(void)
{
	static const int passed_on[] = { SIGCHLD, SIGTERM, SIGHUP, SIGINT,
		SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };
	struct sigaction a = { .sa_handler = on_signal,
		.sa_flags = SA_RESTART };

	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK))
		die(STATUS_OURS, "pipe: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(*passed_on); i++)
		sigaction(passed_on[i], &a, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* In a child: as if nobody had been before it. */
static void reset_signals(void)
{
	for (int s = 1; s < 32; s++)
		signal(s, SIG_DFL);
}

/* ---- starting ----------------------------------------------------------- */
static bool is_in_path(const char *name)
{
	const char *path = getenv("PATH");
	char *list = strdup(path ? path : "/usr/bin:/bin"), *dir, file[4096];
	bool is_found = false;

	for (char *p = list; !is_found && (dir = strsep(&p, ":")); ) {
		snprintf(file, sizeof(file), "%s/%s", dir, name);
		is_found = !access(file, X_OK);
	}
	free(list);
	return is_found;
}

static void check_packages(void)
{
	bool has_server = is_in_path("Xvfb"), has_xkb = is_in_path("xkbcomp");

	if (!has_server || !has_xkb)
		die(STATUS_OURS, "missing Debian packages:%s%s; install them "
		    "(apt install xvfb)", has_server ? "" : " xvfb",
		    has_xkb ? "" : " x11-xkb-utils");
}

/* The other programs lie beside this one. */
static void find_others(const char *self)
{
	snprintf(session_path, sizeof(session_path), "%s-session", self);
	snprintf(windows_path, sizeof(windows_path), "%s-windows", self);
	snprintf(wayland_path, sizeof(wayland_path), "%s-wayland", self);
	snprintf(gl_path, sizeof(gl_path), "%s-gl.so", self);
}

/* Print it where the owner reads it. */
static bool certified(int status)
{
	bool is_good = access_certified(status);

	if (access_has_certificate())
		fprintf(stderr, "bailey: display: certificate SHA-256 %s\n",
			access_fingerprint());
	return is_good;
}

/* The loader has said what it misses; the names of packages are ours. */
static void check_certificate(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_NOT_FOUND)
		die(STATUS_OURS, "its libraries are missing; install the "
		    "Debian packages libfreerdp-server2-2 libwinpr2-2 "
		    "libxdamage1 libxfixes3 libxrandr2 libxtst6 libssl3");
	if (!certified(status))
		die(STATUS_OURS, "no certificate could be made");
}

static _Noreturn void exec_server(int ready)
{
	char number[16], most[40];
	unsigned w = 0, h = 0;

	reset_signals();
	setsid(); /* out of the reach of the terminal's keys */
	snprintf(number, sizeof(number), "%d", ready);
	fcntl(ready, F_SETFD, 0);
	sscanf(words[WORD_SIZE], "%ux%u", &w, &h);
	snprintf(most, sizeof(most), "%ux%ux24",
		 w > DISPLAY_WIDTH_MAX ? w : DISPLAY_WIDTH_MAX,
		 h > DISPLAY_HEIGHT_MAX ? h : DISPLAY_HEIGHT_MAX);
	setenv("LD_PRELOAD", gl_path, 1); /* gl.c */
	execlp("Xvfb", "Xvfb", "-displayfd", number, "-screen", "0",
	       most, "-fbdir", DISPLAY_DIR, "-nolisten", "tcp",
	       "-noreset", "-s", "0", NULL);
	_exit(STATUS_NOT_FOUND);
}

/* Xvfb writes its number when it can be connected to. */
static void start_server(void)
{
	char text[16] = "", name[24];
	int ready[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (pipe2(ready, O_CLOEXEC))
		die(STATUS_OURS, "pipe: %s", strerror(errno));
	server = fork();
	if (!server) {
		if (!getenv("BAILEY_DISPLAY_DEBUG"))
			dup2(null, 2);
		exec_server(ready[1]);
	}
	close(ready[1]);
	close(null);
	for (size_t n = 0; n < sizeof(text) - 1 && !strchr(text, '\n'); ) {
		ssize_t got = read(ready[0], text + n, sizeof(text) - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			die(STATUS_OURS, "the X server did not start");
		n += (size_t)got;
	}
	close(ready[0]);
	snprintf(name, sizeof(name), ":%d", atoi(text));
	setenv("DISPLAY", name, 1);
}

/* The program is to find a screen of the right size. */
static void start_windows(void)
{
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC))
		die(STATUS_OURS, "pipe: %s", strerror(errno));
	if (!fork()) {
		reset_signals();
		setsid();
		dup2(ready[1], WINDOWS_READY);
		fcntl(WINDOWS_READY, F_SETFD, 0);
		execl(windows_path, windows_path, words[WORD_SIZE],
		      NULL);
		_exit(STATUS_NOT_FOUND);
	}
	close(ready[1]);
	while (read(ready[0], &byte, 1) < 0 && errno == EINTR)
		;
	close(ready[0]);
}

/* For viewers that are no children of ours: the screen is as it should be. */
static void tell_name(void)
{
	FILE *f = fopen(DISPLAY_NAME, "w");

	if (!f || fprintf(f, "%s\n", getenv("DISPLAY")) < 0 || fclose(f))
		die(STATUS_OURS, "%s: %s", DISPLAY_NAME, strerror(errno));
}

static int start_listening(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(DISPLAY_PORT) };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(s, SESSIONS_MAX))
		die(STATUS_OURS, "port %d: %s", DISPLAY_PORT, strerror(errno));
	return s;
}

static char sound_path[4096], sound_config[4096];

static void find_sound(const char *self)
{
	snprintf(sound_path, sizeof(sound_path), "%s-sound", self);
	snprintf(sound_config, sizeof(sound_config), "%.*s/asound.conf",
		 (int)(strrchr(self, '/') - self), self);
}

static void set_environment(void)
{
	if (!getenv("XDG_RUNTIME_DIR") &&
	    !mkdir(DISPLAY_DIR "/runtime", 0700))
		setenv("XDG_RUNTIME_DIR", DISPLAY_DIR "/runtime", 1);
	setenv("XDG_SESSION_TYPE", "x11", 1);
	wayland_listen(wayland_path);
	/* who can do both does without one process more */
	setenv("GDK_BACKEND", "x11,wayland", 0);
	setenv("MOZ_ENABLE_WAYLAND", "0", 0);
	setenv("ALSA_CONFIG_PATH", sound_config, 0);
}

static void start_program(void)
{
	program = fork();
	if (program)
		return;
	reset_signals();
	execvp(words[WORD_PROGRAM], words + WORD_PROGRAM);
	int why = errno;

	fprintf(stderr, "bailey: %s: %s\n", words[WORD_PROGRAM],
		strerror(why));
	_exit(why == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN);
}

/* ---- sessions ----------------------------------------------------------- */
static _Noreturn void exec_session(int connection, int report)
{
	int secret[2];

	reset_signals();
	setsid();
	if (pipe2(secret, O_CLOEXEC) ||
	    write(secret[1], access_password(), strlen(access_password())) < 0)
		_exit(STATUS_OURS);
	/* none may be overwritten before it is moved */
	connection = fcntl(connection, F_DUPFD_CLOEXEC, 10);
	report = fcntl(report, F_DUPFD_CLOEXEC, 10);
	secret[0] = fcntl(secret[0], F_DUPFD_CLOEXEC, 10);
	dup2(connection, SESSION_SOCKET);
	dup2(report, SESSION_REPORT);
	dup2(secret[0], SESSION_SECRET);
	execl(session_path, session_path, words[WORD_USER],
	      words[WORD_CLIPBOARD], NULL);
	_exit(STATUS_NOT_FOUND);
}

static struct session *free_session(void)
{
	for (int i = 0; i < SESSIONS_MAX; i++)
		if (!sessions[i].pid)
			return &sessions[i];
	return NULL;
}

/* Its place is free when it has been waited for. */
static void end_oldest(void)
{
	struct session *oldest = NULL;

	for (int i = 0; i < SESSIONS_MAX; i++) {
		struct session *s = &sessions[i];

		if (s->pid && !s->is_admitted &&
		    (!oldest || s->number < oldest->number))
			oldest = s;
	}
	if (oldest)
		kill(oldest->pid, SIGKILL);
}

static void accept_one(int listener)
{
	struct session *s = free_session();
	int c, report[2];

	if (!s) {
		end_oldest(); /* and the connection waits */
		return;
	}
	c = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (c < 0)
		return;
	if (now() < locked_until || pipe2(report, O_CLOEXEC)) {
		close(c);
		return;
	}
	s->pid = fork();
	if (!s->pid)
		exec_session(c, report[1]);
	close(c);
	close(report[1]);
	s->report = report[0];
	s->is_admitted = s->is_over = false;
	s->number = ++arrivals;
	if (s->pid < 0) {
		close(report[0]);
		s->pid = 0;
	}
}

static void count_failure(void)
{
	if (++failures < FAILURES_MAX)
		return;
	failures = 0;
	locked_until = now() + LOCK_SECONDS;
	fprintf(stderr, "bailey: display: %d wrong log-ins; nobody is "
		"admitted for %d seconds\n", FAILURES_MAX, LOCK_SECONDS);
}

/* The password is used up, and the others that know it come too late. */
static void admit(struct session *s)
{
	failures = 0;
	access_used();
	for (int i = 0; i < SESSIONS_MAX; i++) {
		struct session *o = &sessions[i];

		if (!o->pid || o == s || o->is_over)
			continue;
		kill(o->pid, o->is_admitted ? SIGTERM : SIGKILL);
		o->is_over = true;
	}
	s->is_admitted = true;
}

static void hear(struct session *s)
{
	char byte;
	ssize_t n = read(s->report, &byte, 1);

	if (n < 0 && errno == EINTR)
		return;
	if (n == 1 && byte == REPORT_ADMITTED && !s->is_over)
		admit(s);
	else if (n == 1 && byte == REPORT_REFUSED)
		count_failure();
	if (n > 0)
		return;
	close(s->report);
	s->report = -1; /* its pid is given back by reap() */
}

/* ---- the end ------------------------------------------------------------ */
static _Noreturn void end(int status)
{
	for (int i = 0; i < SESSIONS_MAX; i++)
		if (sessions[i].pid)
			kill(sessions[i].pid, SIGKILL);
	kill(server, SIGKILL);
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		exit(128 + WTERMSIG(status));
	}
	exit(WEXITSTATUS(status));
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == program)
			end(status);
		if (pid == maker) {
			maker = 0;
			is_uncertain = !certified(status);
		}
		sound_reap(pid, status);
		if (wayland_reap(pid, status))
			continue;
		if (pid == server) {
			kill(program, SIGKILL);
			die(STATUS_OURS, "the X server has ended");
		}
		for (int i = 0; i < SESSIONS_MAX; i++) {
			if (sessions[i].pid != pid)
				continue;
			if (sessions[i].report >= 0)
				close(sessions[i].report);
			sessions[i] = (struct session){ .report = -1 };
		}
	}
}

/* They wait until there is a certificate. */
static void serve(bool is_viewer, bool is_asking, int listener)
{
	if (!access_has_certificate() && !is_uncertain) {
		maker = access_certify(session_path, reset_signals);
		return;
	}
	if (is_viewer && access_has_certificate())
		accept_one(listener);
	else if (is_viewer)
		close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	if (is_asking)
		access_tell_fingerprint();
	is_uncertain = false;
}

static _Noreturn void attend(int listener)
{
	enum { WAKE, VIEWER, PASSWORD, FINGERPRINT, WAYLAND, SOUND,
		SESSIONS };
	struct pollfd p[SESSIONS_MAX + SESSIONS];
	char bytes[64];

	for (;;) {
		p[WAKE].fd = wake[0];
		p[VIEWER].fd = maker ? -1 : listener;
		p[PASSWORD].fd = access_password_socket();
		p[FINGERPRINT].fd = maker ? -1 : access_fingerprint_socket();
		p[WAYLAND].fd = wayland_fd();
		p[SOUND].fd = sound_waiting();
		for (int i = 0; i < SESSIONS_MAX; i++)
			p[SESSIONS + i].fd = sessions[i].pid ?
				sessions[i].report : -1;
		for (int i = 0; i < SESSIONS_MAX + SESSIONS; i++)
			p[i].events = POLLIN;
		if (poll(p, SESSIONS_MAX + SESSIONS, -1) < 0)
			continue;
		for (int i = 0; i < SESSIONS_MAX; i++)
			if (p[SESSIONS + i].revents)
				hear(&sessions[i]);
		while (p[WAKE].revents &&
		       read(wake[0], bytes, sizeof(bytes)) > 0)
			;
		reap();
		access_renew();
		if (p[SOUND].revents)
			sound_start(sound_path, reset_signals);
		if (p[PASSWORD].revents)
			access_tell_password();
		if (p[VIEWER].revents || p[FINGERPRINT].revents)
			serve(p[VIEWER].revents, p[FINGERPRINT].revents,
			      listener);
		if (p[WAYLAND].revents && wayland_fd() >= 0)
			wayland_start();
	}
}

int main(int argc, char **argv)
{
	pid_t certificate;
	int listener;

	if (argc > 2 && !strcmp(argv[1], "--tell"))
		return access_ask(argv + 2);
	if (argc < 5)
		die(STATUS_OURS, "usage: bailey-display USER CLIPBOARD "
		    "WIDTHxHEIGHT PROGRAM [ARG...]");
	words = argv;
	check_packages();
	find_others(argv[0]);
	find_sound(argv[0]);
	if (mkdir(DISPLAY_DIR, 0700))
		die(STATUS_OURS, "%s: %s", DISPLAY_DIR, strerror(errno));
	if (access_open() || sound_listen())
		die(STATUS_OURS, "%s: %s", DISPLAY_DIR, strerror(errno));
	certificate = access_certify(session_path, reset_signals);
	start_server();
	check_certificate(certificate);
	catch_signals();
	listener = start_listening();
	set_environment();
	start_windows();
	tell_name();
	start_program();
	attend(listener);
}
