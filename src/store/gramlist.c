/* gramlist.c - lists of messages: a number (how many, and how: its lowest two bits), then
 *
 *   SOME   the distances of those that have the gram, as Rice codes: q ones and a zero, then k bits
 *   ALL    the same of those that lack it
 *   BITS   a bitmap
 *
 * whichever is shortest. k follows from the number of messages: distances of about the mean cost about two bits more
 * than they must. Of messages that are not there a list may say anything: nobody asks, or asks otherwise. */
#include "gramlist.h"

#include <string.h>

enum how { SOME, ALL, BITS };
enum { HOW_BITS = 2, HOW_MASK = 3, BITS_SIZE = STORE_GRAM_BLOCK / 8 };

unsigned
gram_bits_count(const struct gram_bits *b)
{
	unsigned n = 0;

	for (size_t i = 0; i < GRAM_WORDS; i++)
		n += (unsigned)__builtin_popcountll(b->w[i]);
	return n;
}

bool
gram_bits_any(const struct gram_bits *b)
{
	uint64_t any = 0;

	for (size_t i = 0; i < GRAM_WORDS; i++)
		any |= b->w[i];
	return any != 0;
}

unsigned
gram_bits_next(const struct gram_bits *b, unsigned i)
{
	while (i < STORE_GRAM_BLOCK) {
		uint64_t word = b->w[i / 64] >> i % 64;

		if (word != 0)
			return i + (unsigned)__builtin_ctzll(word);
		i = (i / 64 + 1) * 64;
	}
	return STORE_GRAM_BLOCK;
}

/* --- bits --- */

struct bit_writer {
	uint8_t p[BITS_SIZE];
	size_t at; /* bits */
	bool over; /* a bitmap is shorter */
};

static void
put_bits(struct bit_writer *w, uint32_t value, unsigned n)
{
	if (w->at + n > sizeof w->p * 8) {
		w->over = true;
		return;
	}
	for (unsigned i = n; i-- > 0; w->at++)
		if (value >> i & 1)
			w->p[w->at / 8] |= (uint8_t)(0x80 >> w->at % 8);
}

struct bit_reader {
	const uint8_t *p;
	size_t at, end; /* bits */
	bool bad;
};

static bool
get_bit(struct bit_reader *r)
{
	if (r->at == r->end) {
		r->bad = true;
		return false;
	}
	r->at++;
	return r->p[(r->at - 1) / 8] & 0x80 >> (r->at - 1) % 8;
}

static unsigned
get_bits(struct bit_reader *r, unsigned n)
{
	unsigned value = 0;

	while (n-- > 0)
		value = value << 1 | get_bit(r);
	return value;
}

/* The largest k with 2^k not above the mean distance. */
static unsigned
rice_k(unsigned n)
{
	unsigned k = 0;

	while (n > 0 && (STORE_GRAM_BLOCK / n) >> (k + 1) != 0)
		k++;
	return k;
}

static void
put_distances(struct bit_writer *w, const struct gram_bits *b, unsigned n)
{
	unsigned k = rice_k(n), from = 0;

	for (unsigned i = gram_bits_next(b, 0); i < STORE_GRAM_BLOCK && !w->over; i = gram_bits_next(b, from)) {
		for (unsigned q = (i - from) >> k; q > 0 && !w->over; q--)
			put_bits(w, 1, 1);
		put_bits(w, 0, 1);
		put_bits(w, (i - from) & ((1U << k) - 1), k);
		from = i + 1;
	}
}

static bool
get_distances(struct str list, unsigned n, struct gram_bits *b)
{
	struct bit_reader r = { .p = (const uint8_t *)list.p, .end = list.n * 8 };
	unsigned k = rice_k(n), next = 0;

	while (n-- > 0) {
		unsigned q = 0;

		while (get_bit(&r))
			q++;
		next += (q << k) + get_bits(&r, k);
		if (r.bad || next >= STORE_GRAM_BLOCK)
			return false;
		gram_bits_add(b, next++);
	}
	return true;
}

/* --- lists --- */

static void
put_head(struct buf *out, enum how how, unsigned n)
{
	gram_number_write(out, n << HOW_BITS | how);
}

static void
put_bitmap(struct buf *out, const struct gram_bits *b)
{
	char bytes[BITS_SIZE];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(b->w[i / 8] >> i % 8 * 8);
	put_head(out, BITS, 0);
	buf_add(out, str_from(bytes, sizeof bytes));
}

void
gram_list_write(struct buf *out, const struct gram_bits *b, const struct gram_bits *care)
{
	struct gram_bits has, lacks;
	unsigned n, missing;
	struct bit_writer w = { .at = 0 };

	for (size_t i = 0; i < GRAM_WORDS; i++) {
		has.w[i] = b->w[i] & care->w[i];
		lacks.w[i] = care->w[i] & ~b->w[i];
	}
	n = gram_bits_count(&has);
	missing = gram_bits_count(&lacks);
	put_distances(&w, n <= missing ? &has : &lacks, n <= missing ? n : missing);
	if (w.over) {
		put_bitmap(out, &has);
		return;
	}
	put_head(out, n <= missing ? SOME : ALL, n <= missing ? n : missing);
	buf_add(out, str_from((const char *)w.p, (w.at + 7) / 8));
}

static bool
get_bitmap(struct str bytes, struct gram_bits *b)
{
	if (bytes.n != BITS_SIZE)
		return false;
	for (size_t i = 0; i < BITS_SIZE; i++)
		b->w[i / 8] |= (uint64_t)(uint8_t)bytes.p[i] << i % 8 * 8;
	return true;
}

bool
gram_list_read(struct str list, struct gram_bits *b)
{
	const uint8_t *p = (const uint8_t *)list.p, *end = list.n > 0 ? p + list.n : p;
	uint32_t head;
	struct str rest;

	*b = (struct gram_bits){ { 0 } };
	if (!gram_number_read(&p, end, &head))
		return false;
	rest = str_from((const char *)p, (size_t)(end - p));
	if ((head & HOW_MASK) == BITS)
		return get_bitmap(rest, b);
	if ((head & HOW_MASK) > BITS || !get_distances(rest, head >> HOW_BITS, b))
		return false;
	for (size_t i = 0; i < GRAM_WORDS && (head & HOW_MASK) == ALL; i++)
		b->w[i] = ~b->w[i];
	return true;
}

/* --- chunks --- */

struct gram_chunk
gram_chunk_begin(struct str row)
{
	const uint8_t *p = (const uint8_t *)row.p;

	return (struct gram_chunk){ .p = p, .end = row.n > 0 ? p + row.n : p };
}

bool
gram_chunk_next(struct gram_chunk *c, struct gram_entry *e)
{
	uint32_t step, size;

	if (c->p == c->end || c->bad)
		return false;
	c->bad = !gram_number_read(&c->p, c->end, &step) || !gram_number_read(&c->p, c->end, &size) ||
	    step >= GRAM_END - c->next || size > (size_t)(c->end - c->p);
	if (c->bad)
		return false;
	e->gram = c->next + step;
	e->list = str_from((const char *)c->p, size);
	c->p += size;
	c->next = e->gram + 1;
	return true;
}

void
gram_chunk_add(struct buf *out, uint32_t next, const struct gram_entry *e)
{
	gram_number_write(out, e->gram - next);
	gram_number_write(out, (uint32_t)e->list.n);
	buf_add(out, e->list);
}
