/*
 * names.c - names for sandboxes that were given none.
 */
#include "cli/state.h"

#include <sys/random.h>

static const char *const adjectives[] = {
	"amber", "brisk", "calm", "clever", "crisp", "daring", "eager",
	"early", "fair", "fleet", "gentle", "glad", "golden", "happy",
	"honest", "keen", "kind", "lively", "lucky", "mellow", "merry",
	"mild", "neat", "nimble", "patient", "plain", "proud", "quick",
	"quiet", "rapid", "ready", "rosy", "royal", "sharp", "silent",
	"silver", "simple", "smart", "snug", "solid", "steady", "still",
	"sturdy", "sunny", "swift", "tidy", "true", "vivid", "warm", "wise",
};
static const char *const nouns[] = {
	"anchor", "arch", "badger", "barn", "beacon", "birch", "bridge",
	"brook", "castle", "cedar", "cliff", "cloud", "comet", "crane",
	"delta", "dove", "drum", "falcon", "fern", "finch", "fjord",
	"garden", "grove", "harbour", "hazel", "heron", "hill", "island",
	"keep", "lake", "lantern", "lark", "maple", "meadow", "moat", "moor",
	"orchard", "otter", "owl", "pine", "pond", "rampart", "raven",
	"reed", "river", "spruce", "stone", "swan", "tower", "willow",
};

char *name_random(void)
{
	unsigned r[2] = { 0, 0 };

	if (getrandom(r, sizeof(r), 0) < 0)
		r[0] = 0; /* then the names just follow each other */
	return xasprintf("%s_%s",
		adjectives[r[0] % (sizeof(adjectives) / sizeof(*adjectives))],
		nouns[r[1] % (sizeof(nouns) / sizeof(*nouns))]);
}
