/*
 * version.c - `bailey version`, `bailey --version`.
 * The build writes build/gen/version.h (mk/cli.mk).
 */
#include "cli/cli.h"

#include "version.h"
#include <bailey/host_abi.h>
#include <jansson.h>

static int set(void *ctx, enum option_id id, const char *arg, struct err *e)
{
	*(bool *)ctx = true;
	return 0;
}

int cmd_version(int argc, char **argv)
{
	bool is_json = false;
	struct err e;

	if (options_parse(CMD_VERSION, argc, argv, set, &is_json, &e) < 0)
		return message_error(&e);
	if (is_json)
		printf("{\"version\": \"%s\", \"commit\": \"%s\", \"hostAbi\": "
		       "%d, \"architecture\": \"x86_64\"}\n", BAILEY_VERSION,
		       BAILEY_COMMIT, HOST_ABI_VERSION);
	else
		printf("bailey %s\ncommit: %s\nhost ABI: %d\n", BAILEY_VERSION,
		       BAILEY_COMMIT, HOST_ABI_VERSION);
	return 0;
}
