/* be.h - big-endian integers in records and messages: written to a buf, taken from a cur. */
#ifndef POSTERN_CORE_BE_H
#define POSTERN_CORE_BE_H

#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/cur.h>

static inline void
be_store(uint8_t *p, size_t bytes, uint64_t v)
{
	for (size_t i = bytes; i > 0; i--, v >>= 8)
		p[i - 1] = (uint8_t)v;
}

static inline uint64_t
be_load(const void *from, size_t bytes)
{
	const uint8_t *p = from;
	uint64_t v = 0;

	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

static inline void
buf_add_be(struct buf *b, size_t bytes, uint64_t v)
{
	uint8_t p[8];

	be_store(p, bytes, v);
	buf_add(b, str_from(p, bytes));
}

/* The next number of that many bytes (at most 8), or 0 after a failure. */
static inline uint64_t
cur_be(struct cur *c, size_t bytes)
{
	struct str s = cur_bytes(c, bytes);

	return s.n == bytes ? be_load(s.p, bytes) : 0;
}

/* The same for a number that must be from min to max; else a failure. */
static inline uint64_t
cur_be_in(struct cur *c, size_t bytes, uint64_t min, uint64_t max)
{
	uint64_t v = cur_be(c, bytes);

	if (v < min || v > max)
		cur_fail(c, "a number in its range");
	return v;
}

/* Bytes behind their length, which takes two bytes: at most 65 535; a longer s is cut. */
static inline void
buf_add_str16(struct buf *b, struct str s)
{
	s = str_sub(s, 0, UINT16_MAX);
	buf_add_be(b, 2, s.n);
	buf_add(b, s);
}

static inline struct str
cur_str16(struct cur *c)
{
	return cur_bytes(c, cur_be(c, 2));
}

#endif
