/* buf.h - bytes that grow under a ceiling.
 *
 * Adding never fails visibly: past the ceiling the buffer turns `over`, keeps what it has and
 * ignores what comes, so that a writer composes freely and checks once at the end. */
#ifndef POSTERN_CORE_BUF_H
#define POSTERN_CORE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/str.h>

struct buf {
	char *p;
	size_t n;    /* bytes held */
	size_t cap;  /* bytes allocated */
	size_t max;  /* ceiling for n */
	bool over;   /* something did not fit under the ceiling */
};

/* An empty buffer that will hold at most max bytes; nothing is allocated yet. */
void buf_init(struct buf *b, size_t max);
/* Frees the bytes; the buffer is as after buf_init with the same ceiling. */
void buf_fini(struct buf *b);
/* As buf_fini, but overwrites the bytes first. */
void buf_wipe(struct buf *b);
/* Forgets the bytes and `over`, keeps the memory. */
void buf_clear(struct buf *b);

void buf_add(struct buf *b, struct str s);
void buf_add_char(struct buf *b, char c);
void buf_add_cstr(struct buf *b, const char *s);
/* In quotes, with a backslash before each quote and backslash; no byte is refused. */
void buf_add_quoted(struct buf *b, struct str s);
void buf_add_u64(struct buf *b, uint64_t value);
void buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Room for n more bytes at b->p + b->n, or NULL (and `over`) when the ceiling is lower.
 * The caller writes there and adds to b->n. */
char *buf_room(struct buf *b, size_t n);
/* Forgets the first n bytes (all when n >= b->n). */
void buf_drop(struct buf *b, size_t n);
/* Cuts the buffer to its first n bytes. */
void buf_cut(struct buf *b, size_t n);

/* What the buffer holds; valid until the next change. */
static inline struct str
buf_str(const struct buf *b)
{
	return (struct str){ b->p, b->n };
}

/* NUL-terminates and returns the bytes as a C string (never NULL); valid until the next change. */
const char *buf_cstr(struct buf *b);

#endif
