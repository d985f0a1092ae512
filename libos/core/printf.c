/*
 * printf.c - snprintf for the library OS: integers, strings, pointers.
 *
 * Output past the buffer's end is counted, not stored, as in C99.
 */
#include <libos/base.h>

struct out {
	char *buf;
	size_t size, len;
};

struct spec {
	bool left, zero, is_long, plus;
	int width, precision; /* -1: none */
};

static void out_char(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void out_repeat(struct out *o, char c, int n)
{
	while (n-- > 0)
		out_char(o, c);
}

static void out_field(struct out *o, const struct spec *sp, const char *sign,
		      const char *s, int len)
{
	int pad = sp->width - len - (int)strlen(sign);

	if (!sp->left && !sp->zero)
		out_repeat(o, ' ', pad);
	while (*sign)
		out_char(o, *sign++);
	if (!sp->left && sp->zero)
		out_repeat(o, '0', pad);
	for (int i = 0; i < len; i++)
		out_char(o, s[i]);
	if (sp->left)
		out_repeat(o, ' ', pad);
}

static void out_number(struct out *o, struct spec *sp, u64 v, unsigned base,
		       bool upper, const char *sign)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char tmp[72];
	int i = sizeof(tmp);

	do {
		tmp[--i] = digits[v % base];
		v /= base;
	} while (v);
	while ((int)sizeof(tmp) - i < sp->precision && i > 0)
		tmp[--i] = '0';
	if (sp->precision >= 0)
		sp->zero = false;
	out_field(o, sp, sign, tmp + i, (int)sizeof(tmp) - i);
}

static const char *parse_spec(const char *f, struct spec *sp, va_list *ap)
{
	*sp = (struct spec){ .precision = -1 };
	for (;; f++) {
		if (*f == '-')
			sp->left = true;
		else if (*f == '0')
			sp->zero = true;
		else if (*f == '+')
			sp->plus = true;
		else if (*f != '#' && *f != ' ')
			break;
	}
	if (*f == '*') {
		sp->width = va_arg(*ap, int);
		f++;
	}
	while (*f >= '0' && *f <= '9')
		sp->width = sp->width * 10 + (*f++ - '0');
	if (*f == '.') {
		f++;
		sp->precision = 0;
		if (*f == '*') {
			sp->precision = va_arg(*ap, int);
			f++;
		}
		while (*f >= '0' && *f <= '9')
			sp->precision = sp->precision * 10 + (*f++ - '0');
	}
	while (*f == 'l' || *f == 'z' || *f == 'h' || *f == 'j') {
		sp->is_long |= *f != 'h';
		f++;
	}
	return f;
}

static void out_conversion(struct out *o, char c, struct spec *sp, va_list *ap)
{
	const char *s;
	char one;
	s64 v;

	switch (c) {
	case 'd':
	case 'i':
		v = sp->is_long ? va_arg(*ap, long) : va_arg(*ap, int);
		out_number(o, sp, v < 0 ? -(u64)v : (u64)v, 10, false,
			   v < 0 ? "-" : sp->plus ? "+" : "");
		break;
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		out_number(o, sp,
			   sp->is_long ? va_arg(*ap, unsigned long)
				       : va_arg(*ap, unsigned int),
			   c == 'u' ? 10 : c == 'o' ? 8 : 16, c == 'X', "");
		break;
	case 'p':
		out_number(o, sp, (uintptr_t)va_arg(*ap, void *), 16, false,
			   "0x");
		break;
	case 's':
		s = va_arg(*ap, const char *);
		if (!s)
			s = "(null)";
		out_field(o, sp, "", s,
			  (int)(sp->precision >= 0
					? strnlen(s, (size_t)sp->precision)
					: strlen(s)));
		break;
	case 'c':
		one = (char)va_arg(*ap, int);
		out_field(o, sp, "", &one, 1);
		break;
	default:
		out_char(o, c);
	}
}

int vsnprintf(char *buf, size_t n, const char *fmt, va_list ap)
{
	struct out o = { buf, n, 0 };
	va_list args;

	va_copy(args, ap);
	for (; *fmt; fmt++) {
		struct spec sp;

		if (*fmt != '%') {
			out_char(&o, *fmt);
			continue;
		}
		fmt = parse_spec(fmt + 1, &sp, &args);
		if (!*fmt)
			break;
		out_conversion(&o, *fmt, &sp, &args);
	}
	va_end(args);
	if (n > 0)
		buf[MIN(o.len, n - 1)] = '\0';
	return (int)o.len;
}

int snprintf(char *buf, size_t n, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(buf, n, fmt, ap);
	va_end(ap);
	return len;
}
