/* buf.c - bytes that grow under a ceiling. */
#include <postern/core/buf.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

enum {
	BUF_FIRST = 128,
	BUF_SECRET = 64 * 1024, /* what is larger is no line, no message between processes, and holds no password */
};

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_fini(struct buf *b)
{
	free(b->p);
	buf_init(b, b->max);
}

void
buf_wipe(struct buf *b)
{
	mem_wipe(b->p, b->cap);
	buf_fini(b);
}

void
buf_clear(struct buf *b)
{
	b->n = 0;
	b->over = false;
}

/* What moves leaves nothing behind: it may be a password. */
static void
move_to(struct buf *b, size_t cap)
{
	char *old = b->p;

	if (b->cap > BUF_SECRET) {
		b->p = mem_resize(old, cap);
	} else {
		b->p = mem_resize(NULL, cap);
		if (b->n > 0)
			memcpy(b->p, old, b->n);
		mem_wipe(old, b->cap);
		free(old);
	}
	b->cap = cap;
}

/* Makes room for n bytes and one NUL behind them, which buf_cstr may need. */
static bool
reserve(struct buf *b, size_t n)
{
	size_t cap;

	if (b->over || n > b->max - b->n) {
		b->over = true;
		return false;
	}
	if (b->cap > b->n + n)
		return true;
	cap = b->cap > 0 ? b->cap : BUF_FIRST;
	while (cap <= b->n + n)
		cap *= 2;
	if (cap - 1 > b->max)
		cap = b->max + 1;
	move_to(b, cap);
	return true;
}

void
buf_add(struct buf *b, struct str s)
{
	if (s.n == 0 || !reserve(b, s.n))
		return;
	memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
}

void
buf_add_char(struct buf *b, char c)
{
	if (!reserve(b, 1))
		return;
	b->p[b->n++] = c;
}

void
buf_add_cstr(struct buf *b, const char *s)
{
	buf_add(b, str_of(s));
}

void
buf_add_u64(struct buf *b, uint64_t value)
{
	char digits[20];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	buf_add(b, str_from(digits + at, sizeof digits - at));
}

void
buf_add_quoted(struct buf *b, struct str s)
{
	buf_add_char(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_add_char(b, '\\');
		buf_add_char(b, s.p[i]);
	}
	buf_add_char(b, '"');
}

void
buf_addf(struct buf *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_addv(b, format, args);
	va_end(args);
}

void
buf_addv(struct buf *b, const char *format, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	ASSERT(n >= 0);
	if (n == 0 || !reserve(b, (size_t)n))
		return;
	vsnprintf(b->p + b->n, (size_t)n + 1, format, args);
	b->n += (size_t)n;
}

char *
buf_room(struct buf *b, size_t n)
{
	return reserve(b, n) ? b->p + b->n : NULL;
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

void
buf_cut(struct buf *b, size_t n)
{
	if (n < b->n)
		b->n = n;
}

const char *
buf_cstr(struct buf *b)
{
	if (b->p == NULL)
		return "";
	b->p[b->n] = '\0';
	return b->p;
}
