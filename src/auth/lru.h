/* lru.h - a bounded table from bytes to small rows: the least recently used one goes; private to src/auth. */
#ifndef POSTERN_AUTH_LRU_H
#define POSTERN_AUTH_LRU_H

#include <stddef.h>
#include <sys/queue.h>

#include <postern/core/map.h>
#include <postern/core/str.h>

struct lru_row {
	TAILQ_ENTRY(lru_row) link;
	size_t nkey;
	char *key;
	/* the caller's bytes follow */
};

struct lru {
	struct map rows;
	TAILQ_HEAD(lru_order, lru_row) order; /* the next to go first */
	size_t max;
	size_t size;
};

/* Rows of `size` bytes, at most max of them. */
void lru_init(struct lru *l, size_t max, size_t size);
/* Wipes and frees all. */
void lru_fini(struct lru *l);
/* The caller's part of the row, now the most recently used; NULL when there is none. Valid until the next put. */
void *lru_get(struct lru *l, struct str key);
/* The same, made with zeroed bytes when missing. */
void *lru_put(struct lru *l, struct str key);

static inline size_t
lru_count(const struct lru *l)
{
	return l->rows.n;
}

#endif
