/* list.c - all names of a user: mailboxes, parents that are none, subscriptions without a mailbox. */
#include <stdlib.h>
#include <string.h>

#include <postern/core/mem.h>

#include "name.h"
#include "view.h"

struct entries {
	struct arena *arena;
	struct store_entry *p;
	size_t n, cap;
};

static struct store_entry *
add(struct entries *l, struct str name)
{
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 32 : l->cap * 2;
		l->p = mem_resize(l->p, l->cap * sizeof *l->p);
	}
	l->p[l->n] = (struct store_entry){ .name = arena_str(l->arena, name) };
	return &l->p[l->n++];
}

/* The parents of a mailbox, which may be none themselves. */
static void
add_parents(struct entries *l, struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '/')
			add(l, str_sub(name, 0, i))->children = true;
}

static void
add_row(struct store_view *v, struct entries *l, struct str name)
{
	struct store_entry *e;
	struct row_name r;
	struct mbox *m;

	if (!name_read(&v->s, name, &r))
		return;
	m = r.mailbox != 0 ? view_mbox(v, r.mailbox) : NULL;
	if (m != NULL)
		add_parents(l, name);
	e = add(l, name);
	e->subscribed = r.subscribed != 0;
	if (m == NULL)
		return;
	e->mailbox = r.mailbox;
	e->use = (enum store_use)m->row.use;
}

static int
by_name(const void *a, const void *b)
{
	const struct store_entry *x = a, *y = b;
	bool x_inbox = str_eq(x->name, STR("INBOX")), y_inbox = str_eq(y->name, STR("INBOX"));

	if (x_inbox != y_inbox)
		return x_inbox ? -1 : 1;
	return str_cmp(x->name, y->name);
}

/* Sorted, the lines of one name stand together: their facts are put into one. */
static void
join_doubles(struct entries *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct store_entry *to = kept > 0 ? &l->p[kept - 1] : NULL, *from = &l->p[i];

		if (to == NULL || !str_eq(to->name, from->name)) {
			l->p[kept++] = *from;
			continue;
		}
		to->children |= from->children;
		to->subscribed |= from->subscribed;
		if (from->mailbox == 0)
			continue;
		to->mailbox = from->mailbox;
		to->use = from->use;
	}
	l->n = kept;
}

size_t
store_list(struct store_view *v, struct arena *a, struct store_entry **entries)
{
	struct entries l = { .arena = a };
	MDB_cursor *c = snap_cursor(&v->s, T_NAME);
	MDB_val key, value;

	for (bool more = snap_step(&v->s, c, &key, &value, MDB_FIRST); more;
	     more = snap_step(&v->s, c, &key, &value, MDB_NEXT))
		add_row(v, &l, val_str(key));
	if (c != NULL)
		mdb_cursor_close(c);
	if (l.n > 0)
		qsort(l.p, l.n, sizeof *l.p, by_name);
	join_doubles(&l);
	*entries = arena_array(a, l.n, sizeof *l.p);
	if (l.n > 0)
		memcpy(*entries, l.p, l.n * sizeof *l.p);
	free(l.p);
	return l.n;
}

uint32_t
store_find(struct store_view *v, struct str name)
{
	struct row_name r = { 0 };
	struct buf canonical;

	buf_init(&canonical, STORE_NAME_SIZE);
	if (name_canonical(&canonical, name, NULL))
		name_read(&v->s, buf_str(&canonical), &r);
	buf_fini(&canonical);
	return r.mailbox;
}

/* A name below it that is a mailbox; subscriptions stand between them. */
static bool
has_children(struct store_view *v, struct str name)
{
	MDB_cursor *c = snap_cursor(&v->s, T_NAME);
	MDB_val key, value;
	struct buf below;
	struct row_name r;
	bool found = false;

	buf_init(&below, SIZE_MAX);
	buf_add(&below, name);
	buf_add_char(&below, '/');
	key = str_val(buf_str(&below));
	for (bool more = snap_step(&v->s, c, &key, &value, MDB_SET_RANGE);
	     more && !found && str_starts(val_str(key), buf_str(&below));
	     more = snap_step(&v->s, c, &key, &value, MDB_NEXT))
		found = name_read(&v->s, val_str(key), &r) && r.mailbox != 0;
	if (c != NULL)
		mdb_cursor_close(c);
	buf_fini(&below);
	return found;
}

void
store_look_up(struct store_view *v, struct str name, struct store_entry *e)
{
	struct row_name r = { 0 };
	struct mbox *m;

	*e = (struct store_entry){ .name = name };
	name_read(&v->s, name, &r);
	e->subscribed = r.subscribed != 0;
	e->children = has_children(v, name);
	m = r.mailbox != 0 ? view_mbox(v, r.mailbox) : NULL;
	if (m == NULL)
		return;
	e->mailbox = r.mailbox;
	e->use = (enum store_use)m->row.use;
}
