/* gramset.c - the different grams of one message: collected in a bitmap of all that there can be, kept in order. */
#include "gramset.h"

#include <stdlib.h>

#include <postern/core/mem.h>

enum { DIGIT_BITS = 12, DIGITS = 1 << DIGIT_BITS, WORDS = GRAM_END / 64 };

void
gram_set_init(struct gram_set *g)
{
	*g = (struct gram_set){ .seen = mem_array(WORDS, sizeof *g->seen) };
}

void
gram_set_fini(struct gram_set *g)
{
	free(g->seen);
	free(g->p);
	*g = (struct gram_set){ 0 };
}

void
gram_set_clear(struct gram_set *g)
{
	for (size_t i = 0; i < g->n; i++)
		g->seen[g->p[i] / 64] = 0;
	g->n = 0;
	g->text = 0;
	g->full = false;
	gram_set_text(g);
}

void
gram_set_text(struct gram_set *g)
{
	g->have = 0;
}

static void
make_room(struct gram_set *g)
{
	if (g->n < g->cap)
		return;
	g->cap = g->cap == 0 ? 4096 : g->cap * 2;
	g->p = mem_resize(g->p, g->cap * sizeof *g->p);
}

static void
add(struct gram_set *g, uint32_t gram)
{
	uint64_t bit = UINT64_C(1) << gram % 64;

	if (g->seen[gram / 64] & bit)
		return;
	make_room(g);
	g->seen[gram / 64] |= bit;
	g->p[g->n++] = gram;
}

bool
gram_set_feed(struct gram_set *g, struct str piece)
{
	g->text += piece.n;
	if (g->text > STORE_GRAM_TEXT_MAX)
		g->full = true;
	for (size_t i = 0; i < piece.n && !g->full; i++) {
		g->last = (g->last << 8 | (uint8_t)piece.p[i]) & (GRAM_END - 1);
		g->have += g->have < STORE_GRAM_SIZE;
		if (g->have == STORE_GRAM_SIZE)
			add(g, g->last);
		g->full = g->n > STORE_GRAMS_OF_MESSAGE;
	}
	return !g->full;
}

static size_t
digit(uint64_t value, unsigned shift)
{
	return value >> shift & (DIGITS - 1);
}

static void
sort_digit(const uint64_t *from, uint64_t *to, size_t n, unsigned shift)
{
	size_t *at = mem_array(DIGITS + 1, sizeof *at);

	for (size_t i = 0; i < n; i++)
		at[digit(from[i], shift) + 1]++;
	for (size_t i = 0; i < DIGITS; i++)
		at[i + 1] += at[i];
	for (size_t i = 0; i < n; i++)
		to[at[digit(from[i], shift)]++] = from[i];
	free(at);
}

void
gram_sort(uint64_t *p, size_t n, unsigned shift)
{
	uint64_t *other = mem_array(n, sizeof *other);

	sort_digit(p, other, n, shift);
	sort_digit(other, p, n, shift + DIGIT_BITS);
	free(other);
}

void
gram_number_write(struct buf *out, uint32_t n)
{
	for (; n >= 0x80; n >>= 7)
		buf_add_char(out, (char)(n | 0x80));
	buf_add_char(out, (char)n);
}

bool
gram_number_read(const uint8_t **p, const uint8_t *end, uint32_t *n)
{
	*n = 0;
	for (unsigned shift = 0; *p < end && shift <= 21; shift += 7) {
		uint8_t byte = *(*p)++;

		*n |= (uint32_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return *n <= GRAM_END;
	}
	return false;
}

void
gram_set_write(struct gram_set *g, struct buf *out)
{
	uint64_t *sorted = mem_array(g->n, sizeof *sorted);
	uint32_t next = 0;

	for (size_t i = 0; i < g->n; i++)
		sorted[i] = g->p[i];
	gram_sort(sorted, g->n, 0);
	for (size_t i = 0; i < g->n; i++) {
		gram_number_write(out, (uint32_t)sorted[i] - next);
		next = (uint32_t)sorted[i] + 1;
	}
	free(sorted);
}

struct gram_walk
gram_walk_begin(struct str row)
{
	const uint8_t *p = (const uint8_t *)row.p;

	return (struct gram_walk){ .p = p, .end = row.n > 0 ? p + row.n : p };
}

bool
gram_walk_next(struct gram_walk *w, uint32_t *gram)
{
	uint32_t step;

	if (w->p == w->end || w->bad)
		return false;
	w->bad = !gram_number_read(&w->p, w->end, &step) || step >= GRAM_END - w->next;
	*gram = w->next + step;
	w->next = *gram + 1;
	return !w->bad;
}

void
store_needle_init(struct store_needle *needle, struct str folded)
{
	needle->n = 0;
	for (size_t i = STORE_GRAM_SIZE; i <= folded.n && needle->n < STORE_GRAMS_OF_NEEDLE; i++) {
		const uint8_t *p = (const uint8_t *)folded.p + i - STORE_GRAM_SIZE;

		needle->grams[needle->n++] = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
	}
}
