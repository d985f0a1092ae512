/*
 * seq.c - files whose text is made when they are read.
 *
 * show() runs at the first read and whenever the reader is back at offset 0,
 * into a buffer that starts with one page and doubles until the text fits.
 */
#include "fs.h"

#include <libos/heap.h>

#define SEQ_MAX (16ul << 20)
#define SEQ_WRITE_MAX 4096ul

struct seq_state {
	const struct seq_source *source;
	void *arg;
	struct seq text;
	bool ready;
};

void seq_write(struct seq *s, const void *p, size_t n)
{
	if (s->overflow || n > s->size - s->len) {
		s->overflow = true;
		return;
	}
	memcpy(s->buf + s->len, p, n);
	s->len += n;
}

void seq_printf(struct seq *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (s->overflow)
		return;
	va_start(ap, fmt);
	n = vsnprintf(s->buf + s->len, s->size - s->len, fmt, ap);
	va_end(ap);
	if ((size_t)n >= s->size - s->len)
		s->overflow = true;
	else
		s->len += (size_t)n;
}

static int seq_make(struct seq_state *st)
{
	struct seq *s = &st->text;
	size_t size = s->size ? s->size : PAGE_SIZE;
	int err;

	for (;; size *= 2) {
		if (size > SEQ_MAX)
			return -ENOMEM;
		if (size != s->size) {
			kfree(s->buf);
			s->size = 0;
			s->buf = kmalloc(size);
			if (!s->buf)
				return -ENOMEM;
			s->size = size;
		}
		s->len = 0;
		s->overflow = false;
		err = st->source->show(s, st->arg);
		if (err < 0)
			return err;
		if (!s->overflow)
			break;
	}
	st->ready = true;
	return 0;
}

static ssize_t seq_read_op(struct file *f, struct uio *u, u64 *pos)
{
	struct seq_state *st = f->priv;
	ssize_t n;
	int err;

	if (!st->source->show)
		return -EINVAL;
	if (!st->ready || *pos == 0) {
		err = seq_make(st);
		if (err)
			return err;
	}
	if (*pos >= st->text.len)
		return 0;
	n = uio_put(u, st->text.buf + *pos, st->text.len - *pos);
	if (n > 0)
		*pos += (u64)n;
	return n;
}

static ssize_t seq_write_op(struct file *f, struct uio *u, u64 *pos)
{
	struct seq_state *st = f->priv;
	size_t n = MIN(u->left, SEQ_WRITE_MAX);
	ssize_t got;
	char *text;

	if (!st->source->write)
		return -EINVAL;
	text = kmalloc(n + 1);
	if (!text)
		return -ENOMEM;
	got = n ? uio_get(u, text, n) : 0;
	if (got >= 0) {
		text[got] = 0;
		got = st->source->write(st->arg, text, (size_t)got);
	}
	kfree(text);
	if (got > 0)
		*pos += (u64)got;
	return got;
}

static s64 seq_seek_op(struct file *f, s64 off, int whence)
{
	if (whence == SEEK_END)
		return -EINVAL;
	return file_seek_sized(f, off, whence, INT64_MAX);
}

static void seq_release_op(struct file *f)
{
	struct seq_state *st = f->priv;

	if (st->source->release)
		st->source->release(st->arg);
	kfree(st->text.buf);
	kfree(st);
}

static const struct file_ops seq_ops = {
	.read = seq_read_op, .write = seq_write_op, .seek = seq_seek_op,
	.release = seq_release_op,
};

int seq_open(struct file *f, const struct seq_source *src, void *arg)
{
	struct seq_state *st = kzalloc(sizeof(*st));

	if (!st)
		return -ENOMEM;
	st->source = src;
	st->arg = arg;
	f->priv = st;
	f->ops = &seq_ops;
	return 0;
}
