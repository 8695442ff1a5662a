/* order.h - sorting many items a step at a time, stable.
 *
 * Items are numbers (indexes into the caller's arrays). Runs are sorted first, then merged, so that a step costs about
 * the same whatever there is to sort; memory is 8 bytes per item. */
#ifndef IMAP_ORDER_H
#define IMAP_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Below, above or equal to 0, as in qsort. */
typedef int order_compare(const void *ctx, uint32_t a, uint32_t b);

struct order {
	uint32_t *p;     /* the items; sorted when order_step says so */
	size_t n;
	uint32_t *other; /* where they are merged to */
	size_t width;    /* of sorted runs; 0: runs are being made */
	size_t at;       /* up to here of this pass */
	size_t i, j;     /* in the two runs that are being merged */
	uint32_t *count; /* order_by_rank: how many have which rank, then where the next of them goes */
	bool counted;
};

/* The items 0 to n - 1. */
void order_init(struct order *o, size_t n);
void order_fini(struct order *o);
/* Goes on by about budget comparisons; true when all is sorted. */
bool order_step(struct order *o, order_compare *compare, const void *ctx, size_t budget);
/* The same by numbers below nranks, without comparing, in time that depends on the items and nranks alone. */
typedef uint32_t order_rank(const void *ctx, uint32_t item);
bool order_by_rank(struct order *o, order_rank *rank, uint32_t nranks, const void *ctx, size_t budget);
/* Once more by something else, items as they are: what is equal then stays in the order it has. */
void order_again(struct order *o);

#endif
