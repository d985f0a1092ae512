/*
 * run.c - starts a sandbox around a library OS image and says how it ended.
 * usage: run LIBOS VOLUME WHAT [PORT]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bailey/sandbox.h>

int main(int argc, char **argv)
{
	char *args[] = { argv[3], NULL }, *env[] = { NULL };
	char state[] = "/tmp/monitor-test-XXXXXX", text[512];
	struct sandbox_mount mounts[] = {
		{ .kind = BOOT_MOUNT_LAYER, .guest = "/usr", .host = "/usr" },
		{ .kind = BOOT_MOUNT_LAYER, .guest = "/etc", .host = "/etc" },
		{ .kind = BOOT_MOUNT_VOLUME, .guest = "/v", .host = argv[2] },
		{ .kind = BOOT_MOUNT_FILE, .guest = "/etc/hostname",
		  .text = "box\n", .mode = 0644 },
	};
	struct sandbox_port port = { .proto = SANDBOX_TCP,
				     .guest_port = 80 };
	struct sandbox_config c = {
		.name = "test", .id = "00", .hostname = "box",
		.libos = argv[1], .mounts = mounts, .mount_count = 4,
		.argv = args, .envp = env, .fds = { 0, 1, 2 },
		.trace_fd = -1, .resume_pages = -1, .empty_network = -1, .state_dir = mkdtemp(state),
	};
	struct sandbox s;
	struct err e;
	int status;

	if (argc > 4) {
		port.host_port = (uint16_t)atoi(argv[4]);
		c.ports = &port;
		c.port_count = 1;
	}
	if (sandbox_start(&c, &s, &e)) {
		printf("start: %d %s\n", e.status, e.text);
		return 1;
	}
	sandbox_wait(&s, &status, text, sizeof(text), &e);
	sandbox_reap(&s);
	printf("end: %d %s\n", sandbox_exit_code(status), text);
	if (s.text[0])
		printf("messages: %s\n", s.text);
	return 0;
}
