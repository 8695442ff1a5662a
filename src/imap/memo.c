/* memo.c - a map, and a list with the latest used first. */
#include "memo.h"

#include <stdlib.h>

#include <postern/core/mem.h>

struct memo_entry {
	struct memo_entry *newer;
	struct memo_entry *older;
	char *key;
	size_t key_size;
	size_t n;
	max_align_t bytes[];
};

static size_t
size_of(const struct memo_entry *e)
{
	return sizeof(*e) + e->key_size + e->n;
}

static void
leave_list(struct memo *m, struct memo_entry *e)
{
	*(e->newer != NULL ? &e->newer->older : &m->newest) = e->older;
	*(e->older != NULL ? &e->older->newer : &m->oldest) = e->newer;
	e->newer = e->older = NULL;
}

static void
enter_list(struct memo *m, struct memo_entry *e)
{
	e->older = m->newest;
	*(m->newest != NULL ? &m->newest->newer : &m->oldest) = e;
	m->newest = e;
}

static void
forget(struct memo *m, struct memo_entry *e)
{
	leave_list(m, e);
	m->bytes -= size_of(e);
	map_del(&m->by_key, str_from(e->key, e->key_size));
	free(e->key);
	free(e);
}

void *
memo_put(struct memo *m, struct str key, size_t n)
{
	struct memo_entry *e = map_get(&m->by_key, key);

	if (e != NULL)
		forget(m, e);
	if (n > m->max / 4)
		return NULL;
	e = mem_new(sizeof(*e) + n);
	e->key = mem_cstr(key);
	e->key_size = key.n;
	e->n = n;
	enter_list(m, e);
	map_put(&m->by_key, key, e);
	m->bytes += size_of(e);
	while (m->bytes > m->max && m->oldest != e)
		forget(m, m->oldest);
	return e->bytes;
}

const void *
memo_get(struct memo *m, struct str key, size_t *n)
{
	struct memo_entry *e = map_get(&m->by_key, key);

	if (e == NULL)
		return NULL;
	leave_list(m, e);
	enter_list(m, e);
	*n = e->n;
	return e->bytes;
}

void
memo_clear(struct memo *m)
{
	while (m->newest != NULL)
		forget(m, m->newest);
	map_fini(&m->by_key);
	map_init(&m->by_key);
}
