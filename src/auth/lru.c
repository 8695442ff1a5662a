/* lru.c - the bounded table. Rows may hold secrets, so what goes is wiped. */
#include "lru.h"

#include <stdlib.h>

#include <postern/core/mem.h>

void
lru_init(struct lru *l, size_t max, size_t size)
{
	map_init(&l->rows);
	TAILQ_INIT(&l->order);
	l->max = max;
	l->size = size;
}

static void
row_drop(struct lru *l, struct lru_row *r)
{
	map_del(&l->rows, str_from(r->key, r->nkey));
	TAILQ_REMOVE(&l->order, r, link);
	mem_wipe(r + 1, l->size);
	free(r->key);
	free(r);
}

void
lru_fini(struct lru *l)
{
	while (!TAILQ_EMPTY(&l->order))
		row_drop(l, TAILQ_FIRST(&l->order));
	map_fini(&l->rows);
}

void *
lru_get(struct lru *l, struct str key)
{
	struct lru_row *r = map_get(&l->rows, key);

	if (r == NULL)
		return NULL;
	TAILQ_REMOVE(&l->order, r, link);
	TAILQ_INSERT_TAIL(&l->order, r, link);
	return r + 1;
}

void *
lru_put(struct lru *l, struct str key)
{
	void *had = lru_get(l, key);
	struct lru_row *r;

	if (had != NULL)
		return had;
	if (l->rows.n >= l->max)
		row_drop(l, TAILQ_FIRST(&l->order));
	r = mem_new(sizeof *r + l->size);
	r->key = mem_cstr(key);
	r->nkey = key.n;
	map_put(&l->rows, key, r);
	TAILQ_INSERT_TAIL(&l->order, r, link);
	return r + 1;
}
