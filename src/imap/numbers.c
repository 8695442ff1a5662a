/* numbers.c - lists of numbers as ranges, and positions in them. */
#include "numbers.h"

#include <stdlib.h>

#include <postern/core/mem.h>

void
numbers_fini(struct numbers *r)
{
	free(r->p);
	*r = (struct numbers){ 0 };
}

void
numbers_add(struct numbers *r, uint32_t first, uint32_t last)
{
	r->count += (uint64_t)last - first + 1;
	if (r->n > 0 && first > 0 && r->p[r->n - 1].last == first - 1) {
		r->p[r->n - 1].last = last;
		return;
	}
	if (r->n == r->cap) {
		r->cap += r->cap / 2 + 4;
		r->p = mem_resize(r->p, r->cap * sizeof(*r->p));
	}
	r->p[r->n++] = (struct uid_range){ first, last };
}

void
numbers_add_set(struct numbers *r, const struct uidset *set)
{
	for (size_t i = 0; i < set->n; i++)
		numbers_add(r, set->p[i].first, set->p[i].last);
}

static int
range_order(const void *a, const void *b)
{
	const struct uid_range *x = a;
	const struct uid_range *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Sorted first, for adding in order is cheap. */
void
numbers_set(const struct numbers *r, struct uidset *set)
{
	struct uid_range *sorted = mem_array(r->n + 1, sizeof(*sorted));

	if (r->n > 0) {
		memcpy(sorted, r->p, r->n * sizeof(*sorted));
		qsort(sorted, r->n, sizeof(*sorted), range_order);
	}
	for (size_t i = 0; i < r->n; i++)
		uidset_add(set, sorted[i].first, sorted[i].last);
	free(sorted);
}

uint32_t
numbers_first(const struct numbers *r)
{
	return r->n > 0 ? r->p[0].first : 0;
}

uint32_t
numbers_last(const struct numbers *r)
{
	return r->n > 0 ? r->p[r->n - 1].last : 0;
}

/* --- PARTIAL --- */

void
lex_partial(struct lex *l, struct partial *p)
{
	if (p->given)
		lex_fail(l, "more than one PARTIAL");
	p->given = true;
	p->from_end = lex_take(l, '-');
	p->a = lex_nz_number(l);
	lex_want(l, ':');
	if (p->from_end)
		lex_want(l, '-');
	p->b = lex_nz_number(l);
}

uint64_t
partial_size(const struct partial *p)
{
	return (p->a < p->b ? (uint64_t)p->b - p->a : (uint64_t)p->a - p->b) + 1;
}

void
partial_write(const struct partial *p, struct buf *out)
{
	const char *sign = p->from_end ? "-" : "";

	buf_addf(out, "%s%u:%s%u", sign, p->a, sign, p->b);
}

/* The positions from the front, 1-based and perhaps beyond the end; false: none. */
static bool
positions(const struct partial *p, uint64_t count, uint64_t *first, uint64_t *last)
{
	*first = p->a < p->b ? p->a : p->b;
	*last = p->a < p->b ? p->b : p->a;
	if (*first > count)
		return false;
	if (*last > count)
		*last = count;
	if (p->from_end) {
		uint64_t from = count - *last + 1;

		*last = count - *first + 1;
		*first = from;
	}
	return true;
}

void
numbers_cut(const struct numbers *r, const struct partial *p, struct numbers *out)
{
	uint64_t first, last;
	uint64_t at = 1; /* position of the range's first number */

	if (!positions(p, r->count, &first, &last))
		return;
	for (size_t i = 0; i < r->n && at <= last; i++) {
		uint64_t size = (uint64_t)r->p[i].last - r->p[i].first + 1;
		uint64_t skip = first > at ? first - at : 0;
		uint64_t end = last - at + 1 < size ? last - at + 1 : size;

		if (skip < end)
			numbers_add(out, r->p[i].first + (uint32_t)skip, r->p[i].first + (uint32_t)end - 1);
		at += size;
	}
}
