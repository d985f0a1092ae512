/*
 * boot.h - what the monitor tells the library OS at its start.
 *
 * The monitor writes one struct boot_info, followed by its strings, at
 * BOOT_INFO_ADDR (of a sandbox that goes on from an image: BOOT_RESUME_ADDR)
 * in the kernel heap before the first picoprocess runs.  All
 * references are byte offsets from the start of the struct, so the record is
 * position independent; 0 means absent.  The library OS trusts it; the
 * monitor never reads it back.
 *
 * The address-space constants here are shared by the monitor's loader, the
 * linker script (host/arch/.../libos.lds.S) and the library OS.
 */
#ifndef BAILEY_BOOT_H
#define BAILEY_BOOT_H

#include "host_abi.h"

/* The library OS's region: no Linux program looks here. Guest memory is
 * [GUEST_MIN, BLY_BASE) and [BLY_END, GUEST_MAX). */
#define BLY_BASE 0x6a0000000000ul
#define BLY_TEXT BLY_BASE                   /* text + rodata, from the file */
#define BLY_TEXT_MAX 0x10000000ul           /* 256 MiB */
#define BLY_VDSO (BLY_BASE + 0x20000000ul)  /* the host's clock page */
#define BLY_LOCAL (BLY_BASE + 0x30000000ul) /* private per picoprocess */
#define BLY_LOCAL_SIZE 0x1000ul
/* .data/.bss of libos, then boot_info, then the heap: one shared object.
 * Text and data are within 2 GiB of each other. */
#define BLY_HEAP (BLY_BASE + 0x40000000ul)
#define BLY_HEAP_SIZE 0x10000000000ul       /* 1 TiB, sparse */
#define BLY_DATA_MAX 0x400000ul             /* .data + .bss: 4 MiB at most */
#define BOOT_INFO_ADDR (BLY_HEAP + BLY_DATA_MAX)
#define BOOT_INFO_MAX 0x400000ul            /* 4 MiB */
/* The record of a resume lies behind the first one, which stays. */
#define BOOT_RESUME_ADDR (BOOT_INFO_ADDR + 0x2f0000ul)
#define BOOT_RESUME_MAX 0x100000ul
/* The end of the heap: what is saved in these pages stays in the image's file
 * when the sandbox goes on, and the library OS maps it from there. */
#define BLY_HEAP_LEFT_SIZE 0x400000000ul    /* 16 GiB */
#define BLY_HEAP_LEFT (BLY_HEAP + BLY_HEAP_SIZE - BLY_HEAP_LEFT_SIZE)
#define BLY_END (BLY_BASE + 0x20000000000ul)
/* Mappings of host files that the library OS reads (libos/fs/readmap.c), at
 * the end, so that they go when the guest's memory goes. */
#define BLY_WINDOWS (BLY_END - 0x8000000000ul)
#define GUEST_MIN 0x10000ul
#define GUEST_MAX 0x7ffffffff000ul

/* Handles that a picoprocess is born with. */
enum { BLY_FD_MONITOR = 0, BLY_FD_EVENTS = 1, BLY_FD_HEAP = 2,
       BLY_FD_FIRST = 3 };
/* The host signal that host_interrupt() uses (SIGURG's number). */
#define BLY_KICK_SIGNAL 23

#define BOOT_MAGIC 0x746f6f42796c6221ull

enum boot_mount_kind {
	BOOT_MOUNT_LAYER = 1, /* host tree below a private copy-on-write layer */
	BOOT_MOUNT_VOLUME,    /* host tree, passed through */
	BOOT_MOUNT_TMPFS,     /* empty; size in bytes or 0 */
	BOOT_MOUNT_PROC, BOOT_MOUNT_DEV, BOOT_MOUNT_SYS,
	BOOT_MOUNT_FILE,      /* one small private file; text is its content */
	BOOT_MOUNT_SYMLINK,   /* text is its target */
	BOOT_MOUNT_DIR,       /* an empty directory of the private layer */
};
enum { BOOT_MOUNT_RO = 1, BOOT_MOUNT_NOEXEC = 2 };
struct boot_mount { /* in the order in which they are to be mounted */
	uint32_t kind;
	uint32_t flags;
	uint32_t tree;   /* for host_path_*: LAYER and VOLUME */
	uint32_t mode;   /* of FILE, DIR, TMPFS */
	uint32_t guest;  /* offset: guest path */
	uint32_t text;   /* offset: FILE content or SYMLINK target, NUL-ended */
	uint64_t size;   /* TMPFS limit */
	struct host_stat root; /* LAYER, VOLUME: kind 0 if it must be asked */
};
struct boot_port {
	uint32_t proto;  /* 6 TCP, 17 UDP */
	uint16_t guest_port, pad;
};
struct boot_limit { uint32_t resource, pad; uint64_t soft, hard; };

/* A process to start: the first one, or a HOST_EVENT_SPAWN's payload (then
 * offsets count from the start of the struct boot_spawn). */
enum { BOOT_SPAWN_TTY = 1 };
struct boot_spawn {
	uint32_t argc, envc;
	uint32_t argv;     /* offset: argc strings, each NUL-ended, in a row */
	uint32_t envp;     /* offset: envc strings */
	uint32_t cwd;      /* offset */
	uint32_t uid, gid;
	uint32_t group_count, groups; /* offset: uint32_t[] */
	uint32_t flags;    /* BOOT_SPAWN_TTY: handles[0] is both ends of the
	                    * terminal's stream; otherwise 0, 1, 2 */
	uint32_t rows, columns;
	uint32_t umask;
	host_handle handles[3]; /* in an event: filled from its handles */
	struct host_stat stats[3]; /* of those; kind 0 if it must be asked */
};
enum { BOOT_TRACE = 1, BOOT_NET_HOST = 2, BOOT_DEBUG = 4,
       BOOT_READ_ONLY = 8,
       BOOT_RESUME = 16 /* the heap is that of a saved sandbox: go on with it;
			 * of init only the streams and the window's size
			 * count, mounts not at all */,
       BOOT_MEMORY_HELD = 0x100 /* memory_limit: the host counts what the
                                 * program touches; else the library OS
                                 * counts what it maps */ };
struct boot_info {
	uint64_t magic;
	uint32_t version;      /* HOST_ABI_VERSION */
	uint32_t size;         /* whole record, strings included */
	uint32_t flags;        /* BOOT_TRACE... */
	host_handle events;    /* readable when host_event_next has something */
	host_handle trace;     /* stream for --trace, or HOST_NO_HANDLE */
	host_handle heap;
	host_handle pages;     /* BOOT_RESUME: the image (pages.h) */
	uint32_t pad;
	uint64_t vdso;         /* host's clock code, at BLY_VDSO.. or 0 */
	uint64_t vdso_size;
	uint8_t seed[64];      /* entropy */
	uint32_t hostname;     /* offset */
	uint32_t sandbox_id;   /* offset */
	uint32_t cpu_count;
	uint32_t pids_limit;   /* 0: none */
	uint64_t memory_limit; /* bytes, 0: none */
	uint64_t host_memory;  /* bytes: what /proc/meminfo shows at most */
	uint64_t hwcap, hwcap2, minsigstksz;
	uint32_t platform;     /* offset: AT_PLATFORM */
	uint32_t mount_count, mounts; /* offset: struct boot_mount[] */
	uint32_t port_count, ports;   /* offset: struct boot_port[] */
	uint32_t limit_count, limits; /* offset: struct boot_limit[] */
	uint32_t unused;       /* was the processor's name */
	uint32_t kernel;       /* offset: host kernel release, informative */
	int32_t first_pid;     /* host number of the first picoprocess, in its
				* pid namespace (it cannot ask) */
	struct boot_spawn init;  /* offsets count from the boot_info */
};

static inline const char *boot_string(const struct boot_info *b, uint32_t off)
{
	return off ? (const char *)b + off : 0;
}

#endif
