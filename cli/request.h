/*
 * request.h - what the user wants to run, gathered from the manifest and the
 * options, before it becomes a struct sandbox_config.
 *
 * Order: request_init, manifest_load (if any), the options (they win), then
 * request_finish, which fills `config` completely but for the id, the state
 * directory and the descriptors.
 */
#ifndef BAILEY_REQUEST_H
#define BAILEY_REQUEST_H

#include <jansson.h>

#include <bailey/sandbox.h>

#include "cli/cli.h"
#include "cli/display.h"

struct request {
	struct sandbox_config config;
	struct mount_list { struct sandbox_mount *v; size_t count; }
		user_mounts;         /* -v, --tmpfs, manifest's mounts */
	struct { struct sandbox_port *v; size_t count; } ports;
	struct { struct boot_limit *v; size_t count; } limits;
	struct strings env;          /* NAME=VALUE, in order */
	struct strings argv;         /* from the manifest */
	struct strings groups;       /* --group-add */
	const char *rootfs;          /* absolute, or NULL: default view */
	const char *user;            /* -u */
	const char *entrypoint, *cidfile, *manifest;
	const char *trace;           /* file name, "" for stderr, or NULL */
	struct display display;      /* --display */
	bool is_interactive, is_tty, is_removed, is_kept, is_quiet;
	bool is_replacing, no_sig_proxy;
};

void request_init(struct request *r);
/* Options of `bailey run`; ctx is a struct request. */
int request_option(void *ctx, enum option_id id, const char *arg,
		   struct err *e);
/* Host name and limits, whoever gave them. */
int request_check(const struct sandbox_config *c, struct err *e);
int request_finish(struct request *r, int argc, char **argv, struct err *e);
/* Add or replace NAME=VALUE; "NAME" takes the value from our environment. */
int env_set(struct strings *env, const char *item, struct err *e);
int env_load(struct strings *env, const char *file, struct err *e);
const char *env_get(const struct strings *env, const char *name);

/* ---- values of options (values.c) ----------------------------------------- */
struct sandbox_mount *mount_add(struct mount_list *l);
int parse_volume(struct mount_list *l, const char *s, struct err *e);
int parse_tmpfs(struct mount_list *l, const char *s, struct err *e);
int parse_port(struct request *r, const char *s, struct err *e);
int parse_ulimit(struct request *r, const char *s, struct err *e);
int limit_add(struct request *r, const char *name, uint64_t soft,
	      uint64_t hard);
int parse_cpus(const char *s, uint32_t *milli);
/* A volume from its parts: checks the host side. flags as in boot.h. */
int volume_add(struct mount_list *l, const char *host, const char *guest,
	       uint32_t flags, struct err *e);
/* An absolute guest path without "", ".", ".." parts, or NULL. */
char *guest_path(const char *s);
/* Directory dir as an absolute root file system, checked. */
int rootfs_check(const char *dir, const char **out, struct err *e);

/* ---- users (user.c) -------------------------------------------------------- */
struct guest_user {
	uint32_t uid, gid;
	uint32_t *groups;
	size_t group_count;
	char *home;
};
/* spec: USER[:GROUP], NULL for root; looked up in etc/passwd and etc/group
 * of the root file system that is given (NULL: this host's). */
int user_resolve(const char *rootfs, const char *spec,
		 const struct strings *extra_groups, struct guest_user *u,
		 struct err *e);

/* ---- the file systems (view.c, view_etc.c) --------------------------------- */
/* All mounts of the sandbox: default view or rootfs, then the user's. */
void view_build(struct request *r, struct mount_list *l);
/* Is it one of the system directories that every sandbox sees? */
bool view_has_system(const char *path);
void view_etc(struct mount_list *l, const struct sandbox_config *c);
/* Our own etc/hosts, etc/hostname, etc/resolv.conf. */
void view_network_files(struct mount_list *l, const struct sandbox_config *c);
/* passwd or group text with system accounts only. */
char *view_system_accounts(const char *text);

/* ---- manifests (manifest.c) ------------------------------------------------ */
int manifest_load(struct request *r, const char *file, struct err *e);
/* An image's own: the program and the limits only, nothing of the host. */
int manifest_load_saved(struct request *r, const json_t *root,
			const char *file, struct err *e);

#endif
