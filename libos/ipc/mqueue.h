/*
 * mqueue.h - the inside of a POSIX message queue, for mqueue.c and
 * sys_mqueue.c.
 */
#ifndef LIBOS_IPC_MQUEUE_H
#define LIBOS_IPC_MQUEUE_H

#include <libos/file.h>
#include <libos/lock.h>

#define MQ_QUEUES_MAX 256
#define MQ_NAME_MAX 255
#define MQ_DEFAULT_MESSAGES 10
#define MQ_DEFAULT_SIZE 8192
#define MQ_HARD_MESSAGES 65536
#define MQ_HARD_SIZE (16 * 1024 * 1024)
#define MQ_PRIORITY_MAX 32768u
enum { MQ_NOTIFY_SIGNAL = 0, MQ_NOTIFY_NONE = 1 }; /* SIGEV_* */

struct proc;
struct inode;

struct mq_attr_k { s64 flags, max_messages, message_size, current, pad[4]; };

struct mq_message {
	struct list node;
	u32 priority, size;
	u8 text[];
};
struct mq_notice {
	struct proc *proc;  /* a reference; NULL: nobody */
	int kind, signal;
	u64 value;
};
struct mqueue {
	/* --- mq_lock (mqueue.c) --- */
	struct list in_names;
	u32 uses;
	/* --- set once --- */
	char name[MQ_NAME_MAX + 1];
	struct inode *inode;
	u32 limit, message_size;
	/* --- lock --- */
	struct mutex lock;
	struct list messages;
	u32 count, receivers;
	u64 bytes;
	struct mq_notice notice;
	struct waitq readers, writers;
};

extern const struct file_ops mq_file_ops;
/* With a use for the caller. */
struct mqueue *mq_get(const char *name, u32 flags, u32 mode,
		      const struct mq_attr_k *attr);
void mq_put(struct mqueue *q);
int mq_remove(const char *name);
/* Takes m over on success. */
int mq_send(struct mqueue *q, struct mq_message *m, bool nonblock,
	    u64 deadline_ns);
struct mq_message *mq_receive(struct mqueue *q, bool nonblock,
			      u64 deadline_ns);
int mq_set_notice(struct mqueue *q, const struct mq_notice *n);

#endif
