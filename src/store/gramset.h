/* gramset.h - the different grams of one message, and their row. */
#ifndef STORE_GRAMSET_H
#define STORE_GRAMSET_H

#include <postern/core/buf.h>
#include <postern/store/grams.h>

#define GRAM_END (UINT32_C(1) << 24) /* grams are below it */

struct gram_set {
	uint64_t *seen; /* by gram */
	uint32_t *p;
	size_t n, cap;
	uint32_t last;  /* the bytes before */
	unsigned have;  /* how many of them count */
	uint64_t text;  /* bytes fed */
	bool full;      /* it may hold anything */
};
void gram_set_init(struct gram_set *g);
void gram_set_fini(struct gram_set *g);
/* Empty again; keeps the memory. */
void gram_set_clear(struct gram_set *g);
/* Adds the row: ascending grams, each by its distance from the one before. */
void gram_set_write(struct gram_set *g, struct buf *out);

/* Reading a row. */
struct gram_walk {
	const uint8_t *p, *end;
	uint32_t next; /* the smallest gram that may come */
	bool bad;      /* the row is damaged */
};
struct gram_walk gram_walk_begin(struct str row);
/* False at the end, or when the row is damaged. */
bool gram_walk_next(struct gram_walk *w, uint32_t *gram);

/* A number in groups of seven bits, the lowest first. */
void gram_number_write(struct buf *out, uint32_t n);
/* False when none below GRAM_END + 1 comes. */
bool gram_number_read(const uint8_t **p, const uint8_t *end, uint32_t *n);

/* Sorts by the low 24 bits of value >> shift; stable. */
void gram_sort(uint64_t *p, size_t n, unsigned shift);

#endif
