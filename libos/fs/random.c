/*
 * random.c - the random number generator of the sandbox, and getrandom(2).
 *
 * One ChaCha20 key for the whole sandbox, under random_lock.  Every use makes
 * a block whose first half replaces the key before any of it is handed out
 * (fast key erasure), so memory seen later tells nothing of numbers given
 * before.  Large requests run on a key of their own, outside the lock.
 */
#include <libos/random.h>

#include <bailey/boot.h>
#include <libos/lock.h>
#include <libos/sys.h>
#include <libos/uaccess.h>
#include <libos/vfs.h>

#include <linux/random.h>

#define KEY_WORDS 8
#define BLOCK_SIZE 64u
#define POOL_BLOCKS 8u
#define RESEED_REQUESTS 65536u

static struct mutex random_lock = MUTEX_INIT;
/* random_lock: */
static u32 random_key[KEY_WORDS];
static u8 random_pool[POOL_BLOCKS * BLOCK_SIZE];
static u32 random_pool_left; /* unused bytes at the pool's end */
static u32 random_requests;
static bool random_seeded;

static inline u32 rotl(u32 v, unsigned n) { return v << n | v >> (32 - n); }

static inline void quarter(u32 *x, int a, int b, int c, int d)
{
	x[a] += x[b]; x[d] = rotl(x[d] ^ x[a], 16);
	x[c] += x[d]; x[b] = rotl(x[b] ^ x[c], 12);
	x[a] += x[b]; x[d] = rotl(x[d] ^ x[a], 8);
	x[c] += x[d]; x[b] = rotl(x[b] ^ x[c], 7);
}

static void chacha_block(const u32 *key, u64 counter, u8 *out)
{
	u32 s[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }, x[16];

	memcpy(s + 4, key, KEY_WORDS * sizeof(u32));
	s[12] = (u32)counter;
	s[13] = (u32)(counter >> 32);
	memcpy(x, s, sizeof(x));
	for (int i = 0; i < 10; i++) {
		quarter(x, 0, 4, 8, 12);
		quarter(x, 1, 5, 9, 13);
		quarter(x, 2, 6, 10, 14);
		quarter(x, 3, 7, 11, 15);
		quarter(x, 0, 5, 10, 15);
		quarter(x, 1, 6, 11, 12);
		quarter(x, 2, 7, 8, 13);
		quarter(x, 3, 4, 9, 14);
	}
	for (int i = 0; i < 16; i++)
		x[i] += s[i];
	memcpy(out, x, BLOCK_SIZE);
}

/* Mix seed into the key: encrypt with it, in 32-byte steps. */
static void random_mix(const void *seed, size_t n)
{
	u8 block[BLOCK_SIZE];

	for (size_t done = 0; done < n; done += sizeof(random_key)) {
		u32 part[KEY_WORDS] = { 0 };

		memcpy(part, (const u8 *)seed + done,
		       MIN(sizeof(part), n - done));
		for (int i = 0; i < KEY_WORDS; i++)
			random_key[i] ^= part[i];
		chacha_block(random_key, done, block);
		memcpy(random_key, block, sizeof(random_key));
	}
	random_pool_left = 0;
}

static void random_mix_host(void)
{
	u8 seed[32];

	if (host_random(seed, sizeof(seed)) >= 0)
		random_mix(seed, sizeof(seed));
	random_requests = 0;
}

/* A boot record's seed is fresh from the host, once. */
static void random_mix_boot(struct boot_info *b)
{
	u8 any = 0;

	for (size_t i = 0; i < sizeof(b->seed); i++)
		any |= b->seed[i];
	if (any) {
		random_mix(b->seed, sizeof(b->seed));
		memset(b->seed, 0, sizeof(b->seed));
	} else {
		random_mix_host();
	}
}

static void random_refill(void)
{
	if (!random_seeded) {
		random_mix_boot((struct boot_info *)BOOT_INFO_ADDR);
		random_seeded = true;
	} else if (++random_requests > RESEED_REQUESTS) {
		random_mix_host();
	}
	for (u64 i = 0; i < POOL_BLOCKS; i++)
		chacha_block(random_key, i, random_pool + i * BLOCK_SIZE);
	memcpy(random_key, random_pool, sizeof(random_key));
	memset(random_pool, 0, sizeof(random_key));
	random_pool_left = sizeof(random_pool) - sizeof(random_key);
}

static void random_small(void *buf, size_t n)
{
	u8 *to = buf;

	mutex_lock(&random_lock);
	while (n > 0) {
		size_t part;
		u8 *from;

		if (random_pool_left == 0)
			random_refill();
		part = MIN(n, (size_t)random_pool_left);
		from = random_pool + sizeof(random_pool) - random_pool_left;
		memcpy(to, from, part);
		memset(from, 0, part);
		random_pool_left -= (u32)part;
		to += part;
		n -= part;
	}
	mutex_unlock(&random_lock);
}

void random_bytes(void *buf, size_t n)
{
	u32 key[KEY_WORDS];
	u8 block[BLOCK_SIZE];
	u8 *to = buf;

	if (n <= 256) {
		random_small(buf, n);
		return;
	}
	random_small(key, sizeof(key));
	for (u64 i = 0; n > 0; i++) {
		size_t part = MIN(n, (size_t)BLOCK_SIZE);

		chacha_block(key, i, block);
		memcpy(to, block, part);
		to += part;
		n -= part;
	}
	memset(key, 0, sizeof(key));
}

void random_reseed(struct boot_info *b)
{
	mutex_lock(&random_lock);
	random_mix_boot(b);
	mutex_unlock(&random_lock);
}

long sys_getrandom(struct task *t, const struct sysargs *a)
{
	u64 to = a->a[0], left = MIN(a->a[1], (u64)0x7ffff000), done = 0;
	u32 flags = (u32)a->a[2];
	u8 buf[1024];

	if (flags & ~(u32)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & (GRND_RANDOM | GRND_INSECURE)) ==
	    (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	while (done < left) {
		size_t part = MIN(left - done, (u64)sizeof(buf));

		random_bytes(buf, part);
		if (!access_ok(to + done, part) ||
		    copy_to_user(to + done, buf, part))
			return done ? (long)done : -EFAULT;
		done += part;
		if (done < left && signal_pending(t))
			break;
	}
	return (long)done;
}
