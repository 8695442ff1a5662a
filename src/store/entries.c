/* entries.c - the lines of LIST are gathered, sorted, and those of one name put into one. */
#include "entries.h"

#include <stdlib.h>
#include <string.h>

#include <postern/core/arena.h>
#include <postern/core/mem.h>

struct store_entry *
entries_add(struct entries *l, struct str name)
{
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 32 : l->cap * 2;
		l->p = mem_resize(l->p, l->cap * sizeof *l->p);
	}
	l->p[l->n] = (struct store_entry){ .name = arena_str(l->arena, name) };
	return &l->p[l->n++];
}

void
entries_add_parents(struct entries *l, struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '/')
			entries_add(l, str_sub(name, 0, i))->children = true;
}

int
entries_by_name(const void *a, const void *b)
{
	return str_cmp(((const struct store_entry *)a)->name, ((const struct store_entry *)b)->name);
}

/* At most one of them is of the mailbox itself. */
static void
join(struct store_entry *to, const struct store_entry *from)
{
	to->children |= from->children;
	to->subscribed |= from->subscribed;
	if (from->mailbox == 0)
		return;
	to->mailbox = from->mailbox;
	to->use = from->use;
}

/* Sorted, the entries of one name stand together. */
static void
join_doubles(struct entries *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (kept > 0 && str_eq(l->p[kept - 1].name, l->p[i].name))
			join(&l->p[kept - 1], &l->p[i]);
		else
			l->p[kept++] = l->p[i];
	l->n = kept;
}

size_t
entries_take(struct entries *l, entries_order *order, struct store_entry **list)
{
	size_t n = 0;

	if (l->n > 0) {
		qsort(l->p, l->n, sizeof *l->p, order);
		join_doubles(l);
		n = l->n;
	}
	*list = arena_array(l->arena, n, sizeof *l->p);
	if (n > 0)
		memcpy(*list, l->p, n * sizeof *l->p);
	free(l->p);
	*l = (struct entries){ .arena = l->arena };
	return n;
}
