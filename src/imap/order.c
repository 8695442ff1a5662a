/* order.c - a merge sort and a counting sort that can stop anywhere. */
#include "order.h"

#include <stdlib.h>
#include <string.h>

#include <postern/core/mem.h>

enum {
	RUN = 16,
	COPIED_AT_ONCE = 64, /* items that cost as much as a comparison */
};

void
order_init(struct order *o, size_t n)
{
	*o = (struct order){
		.n = n, .p = mem_array(n + 1, sizeof(*o->p)), .other = mem_array(n + 1, sizeof(*o->other))
	};
	for (size_t i = 0; i < n; i++)
		o->p[i] = (uint32_t)i;
}

void
order_fini(struct order *o)
{
	free(o->p);
	free(o->other);
	free(o->count);
	*o = (struct order){ 0 };
}

static size_t
min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Insertion sort of one run. */
static void
sort_run(struct order *o, size_t from, size_t to, order_compare *compare, const void *ctx)
{
	for (size_t i = from + 1; i < to; i++) {
		uint32_t item = o->p[i];
		size_t j = i;

		for (; j > from && compare(ctx, o->p[j - 1], item) > 0; j--)
			o->p[j] = o->p[j - 1];
		o->p[j] = item;
	}
}

static void
make_runs(struct order *o, order_compare *compare, const void *ctx, size_t budget)
{
	for (size_t done = 0; o->at < o->n && done < budget; done += (size_t)RUN * RUN / 4) {
		size_t to = min(o->at + RUN, o->n);

		sort_run(o, o->at, to, compare, ctx);
		o->at = to;
	}
	if (o->at == o->n) {
		o->width = RUN;
		o->at = 0;
	}
}

/* Of equal items the one of the first run comes first. */
static void
merge_one(struct order *o, size_t mid, size_t end, order_compare *compare, const void *ctx)
{
	bool first = o->i < mid && (o->j == end || compare(ctx, o->p[o->i], o->p[o->j]) <= 0);

	o->other[o->at++] = first ? o->p[o->i++] : o->p[o->j++];
}

static void
next_pass(struct order *o)
{
	uint32_t *p = o->p;

	o->p = o->other;
	o->other = p;
	o->width *= 2;
	o->at = 0;
}

/* Two runs that are in order as they stand, as most are of what is nearly sorted. Returns what that cost. */
static size_t
keep_both(struct order *o, size_t end)
{
	size_t n = end - o->at;

	memcpy(o->other + o->at, o->p + o->at, n * sizeof(*o->p));
	o->at = end;
	return 1 + n / COPIED_AT_ONCE;
}

/* The two runs around o->at, from where they were left. */
static void
merge_some(struct order *o, order_compare *compare, const void *ctx, size_t budget)
{
	while (o->at < o->n && budget > 0) {
		size_t begin = o->at / (2 * o->width) * (2 * o->width);
		size_t mid = min(begin + o->width, o->n);
		size_t end = min(mid + o->width, o->n);

		if (o->at == begin && (mid == end || compare(ctx, o->p[mid - 1], o->p[mid]) <= 0)) {
			size_t cost = keep_both(o, end);

			budget -= min(cost, budget);
			continue;
		}
		if (o->at == begin) {
			o->i = begin;
			o->j = mid;
		}
		for (; o->at < end && budget > 0; budget--)
			merge_one(o, mid, end, compare, ctx);
	}
	if (o->at == o->n)
		next_pass(o);
}

bool
order_step(struct order *o, order_compare *compare, const void *ctx, size_t budget)
{
	if (o->width == 0)
		make_runs(o, compare, ctx, budget);
	else if (o->width < o->n)
		merge_some(o, compare, ctx, budget);
	return o->width != 0 && o->width >= o->n;
}

void
order_again(struct order *o)
{
	free(o->count);
	o->count = NULL;
	o->counted = false;
	o->width = 0;
	o->at = 0;
}

static void
count_some(struct order *o, order_rank *rank, uint32_t nranks, const void *ctx, size_t budget)
{
	uint32_t before = 0;

	for (; o->at < o->n && budget > 0; budget--)
		o->count[rank(ctx, o->p[o->at++])]++;
	if (o->at < o->n)
		return;
	for (uint32_t i = 0; i < nranks; i++) {
		uint32_t n = o->count[i];

		o->count[i] = before;
		before += n;
	}
	o->counted = true;
	o->at = 0;
}

bool
order_by_rank(struct order *o, order_rank *rank, uint32_t nranks, const void *ctx, size_t budget)
{
	if (o->count == NULL)
		o->count = mem_array((size_t)nranks + 1, sizeof(*o->count));
	if (!o->counted) {
		count_some(o, rank, nranks, ctx, budget);
		return false;
	}
	for (; o->at < o->n && budget > 0; o->at++, budget--)
		o->other[o->count[rank(ctx, o->p[o->at])]++] = o->p[o->at];
	if (o->at < o->n)
		return false;
	next_pass(o);
	return true;
}
