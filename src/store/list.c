/* list.c - all names of a user: mailboxes, parents that are none, subscriptions without a mailbox. */
#include "entries.h"
#include "name.h"
#include "view.h"

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
		entries_add_parents(l, name);
	e = entries_add(l, name);
	e->subscribed = r.subscribed != 0;
	if (m == NULL)
		return;
	e->mailbox = r.mailbox;
	e->use = (enum store_use)m->row.use;
}

static int
inbox_first(const void *a, const void *b)
{
	const struct store_entry *x = a, *y = b;
	bool x_inbox = str_eq(x->name, STR("INBOX")), y_inbox = str_eq(y->name, STR("INBOX"));

	if (x_inbox != y_inbox)
		return x_inbox ? -1 : 1;
	return entries_by_name(a, b);
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
	cursor_close(c);
	return entries_take(&l, inbox_first, entries);
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
	cursor_close(c);
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
