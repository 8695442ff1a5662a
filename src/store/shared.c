/* shared.c - what a guest finds in the mailboxes of others (RFC 4314 4): whose, and which of them. */
#include <stdlib.h>

#include "acl.h"
#include "entries.h"
#include "shares.h"
#include "view.h"

bool
store_is_shared(struct store *s, struct str owner, struct str who)
{
	bool to_him, to_all;

	if (s->shares == NULL || str_eq(owner, who))
		return false;
	to_him = shares_has(s->shares, who, owner);
	to_all = shares_has(s->shares, STR("anyone"), owner); /* always both: the time tells nothing */
	return to_him || to_all;
}

static int
by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Who has given to both stands there twice. */
static size_t
join(struct str *owners, size_t n, struct str who)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!str_eq(owners[i], who) && (kept == 0 || !str_eq(owners[kept - 1], owners[i])))
			owners[kept++] = owners[i];
	return kept;
}

size_t
store_owners(struct store *s, struct str who, struct arena *a, struct str **owners)
{
	size_t n = 0;

	*owners = arena_array(a, STORE_OWNERS_MAX, sizeof **owners);
	if (s->shares == NULL)
		return 0;
	n = shares_owners(s->shares, who, a, *owners, n, STORE_OWNERS_MAX);
	n = shares_owners(s->shares, STR("anyone"), a, *owners, n, STORE_OWNERS_MAX);
	if (n > 0)
		qsort(*owners, n, sizeof **owners, by_text);
	return join(*owners, n, who);
}

/* --- the mailboxes of one --- */

struct shared {
	struct store_view *v;
	struct str who;
	struct entries found;
};

/* A level that the guest may not look up is one that is not there. */
static void
add_mailbox(struct shared *l, uint32_t mailbox)
{
	struct mbox *m = view_mbox(l->v, mailbox);
	struct str name = m != NULL ? str_of(m->name) : STR("");

	if (m == NULL || !(acl_rights(&l->v->s, mailbox, str_of(l->v->u->address), l->who) & STORE_RIGHT_LOOKUP))
		return;
	entries_add_parents(&l->found, name);
	entries_add(&l->found, name)->mailbox = mailbox;
}

/* One row of a mailbox that is for this guest is enough to look at it. */
static void
find_mailboxes(struct shared *l)
{
	MDB_cursor *c = snap_cursor(&l->v->s, T_RIGHTS);
	MDB_val key, value;
	uint32_t last = 0, number;

	for (bool more = snap_step(&l->v->s, c, &key, &value, MDB_FIRST); more;
	     more = snap_step(&l->v->s, c, &key, &value, MDB_NEXT)) {
		struct str identifier = str_sub(val_str(key), 4, SIZE_MAX);
		MDB_val prefix = { 4, key.mv_data };

		if (key.mv_size <= 4 || !key_number(prefix, &number) || number == last ||
		    !(str_eq(identifier, l->who) || str_eq(identifier, STR("anyone"))))
			continue;
		last = number;
		add_mailbox(l, number);
	}
	cursor_close(c);
}

size_t
store_list_shared(struct store_view *v, struct str who, struct arena *a, struct store_entry **entries)
{
	struct shared l = { .v = v, .who = who, .found = { .arena = a } };

	find_mailboxes(&l);
	return entries_take(&l.found, entries_by_name, entries);
}
