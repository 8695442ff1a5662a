/* directory_read.c - look-ups and lists. A list is read in pages, each in a view of its own: no reader is kept open
 * while somebody prints. */
#include "directory_own.h"

#include "row.h"

static enum directory_found
damaged(struct err *e, const char *what, struct str name)
{
	err_temp(e, SAY_LATER, "directory: the row of %s %.*s is damaged; delete it and add it again", what,
	    (int)(name.n < 320 ? name.n : 320), name.p);
	return DIRECTORY_FAILED;
}

static bool
parse_user(struct str row, struct arena *a, void *out)
{
	(void)a;
	return row_parse_user(row, out);
}

static bool
parse_alias(struct str row, struct arena *a, void *out)
{
	return row_parse_alias(row, a, out);
}

static bool
parse_domain(struct str row, struct arena *a, void *out)
{
	(void)a;
	return row_parse_domain(row, out);
}

struct kind {
	const char *name;
	enum table table;
	bool (*parse)(struct str row, struct arena *a, void *out);
};

static const struct kind user_kind = { "user", TABLE_USER, parse_user };
static const struct kind alias_kind = { "alias", TABLE_ALIAS, parse_alias };
static const struct kind domain_kind = { "domain", TABLE_DOMAIN, parse_domain };

static enum directory_found
look_up(struct directory *d, const struct kind *k, struct str name, struct arena *a, void *out, struct err *e)
{
	MDB_txn *txn = directory_look(d, e);
	enum directory_found found;
	struct str row;

	if (txn == NULL)
		return DIRECTORY_FAILED;
	found = directory_row(d, txn, k->table, name, &row, e);
	if (found == DIRECTORY_FOUND && !k->parse(row, a, out))
		found = damaged(e, k->name, name);
	directory_look_end(d);
	return found;
}

enum directory_found
directory_user(struct directory *d, struct str address, struct arena *a, struct user *u, struct err *e)
{
	*u = (struct user){ .address = arena_str(a, address) };
	return look_up(d, &user_kind, address, a, u, e);
}

enum directory_found
directory_alias(struct directory *d, struct str address, struct arena *a, struct alias *al, struct err *e)
{
	*al = (struct alias){ .address = arena_str(a, address) };
	return look_up(d, &alias_kind, address, a, al, e);
}

enum directory_found
directory_domain(struct directory *d, struct str name, struct arena *a, struct domain *dom, struct err *e)
{
	*dom = (struct domain){ .name = arena_str(a, name) };
	return look_up(d, &domain_kind, name, a, dom, e);
}

enum directory_found
directory_first_user(struct directory *d, struct arena *a, struct str *address, struct err *e)
{
	MDB_txn *txn = directory_look(d, e);
	enum directory_found found;
	struct str row;

	if (txn == NULL)
		return DIRECTORY_FAILED;
	found = directory_row(d, txn, TABLE_META, STR("first"), &row, e);
	if (found == DIRECTORY_FOUND)
		*address = arena_str(a, row);
	directory_look_end(d);
	return found;
}

/* Moves to the first key behind `after`. */
static int
seek(MDB_cursor *cursor, struct str after, MDB_val *key, MDB_val *row)
{
	int rc;

	if (after.n == 0)
		return mdb_cursor_get(cursor, key, row, MDB_FIRST);
	*key = val_of(after);
	rc = mdb_cursor_get(cursor, key, row, MDB_SET_RANGE);
	if (rc == 0 && str_eq(str_of_val(*key), after))
		rc = mdb_cursor_get(cursor, key, row, MDB_NEXT);
	return rc;
}

/* Where the i-th element of the caller's array begins, and how its name is set. */
struct list {
	const struct kind *kind;
	void *(*start)(void *out, size_t i, struct str name);
	void (*damage)(void *element);
};

static void *
start_user(void *out, size_t i, struct str name)
{
	struct user *u = (struct user *)out + i;

	*u = (struct user){ .address = name };
	return u;
}

static void
damage_user(void *element)
{
	struct user *u = element;

	*u = (struct user){ .address = u->address, .damaged = true };
}

static void *
start_alias(void *out, size_t i, struct str name)
{
	struct alias *al = (struct alias *)out + i;

	*al = (struct alias){ .address = name };
	return al;
}

static void
damage_alias(void *element)
{
	struct alias *al = element;

	*al = (struct alias){ .address = al->address, .damaged = true };
}

static void *
start_domain(void *out, size_t i, struct str name)
{
	struct domain *dom = (struct domain *)out + i;

	*dom = (struct domain){ .name = name };
	return dom;
}

static void
damage_domain(void *element)
{
	struct domain *dom = element;

	*dom = (struct domain){ .name = dom->name, .damaged = true };
}

static const struct list user_list = { &user_kind, start_user, damage_user };
static const struct list alias_list = { &alias_kind, start_alias, damage_alias };
static const struct list domain_list = { &domain_kind, start_domain, damage_domain };

static int
walk(
    MDB_cursor *cursor, const struct list *l, struct str after, struct arena *a, struct directory_page *page, void *out)
{
	MDB_val key;
	MDB_val row;
	int rc = seek(cursor, after, &key, &row);

	while (rc == 0 && page->n < page->max) {
		void *element = l->start(out, page->n++, arena_str(a, str_of_val(key)));

		if (!l->kind->parse(str_of_val(row), a, element))
			l->damage(element);
		rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT);
	}
	page->more = rc == 0;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static bool
read_page(struct directory *d, const struct list *l, struct str after, struct arena *a, struct directory_page *page,
    void *out, struct err *e)
{
	MDB_txn *txn = directory_look(d, e);
	MDB_cursor *cursor;
	int rc;

	page->n = 0;
	page->more = false;
	if (txn == NULL)
		return false;
	rc = mdb_cursor_open(txn, d->table[l->kind->table], &cursor);
	if (rc == 0) {
		rc = walk(cursor, l, after, a, page, out);
		mdb_cursor_close(cursor);
	}
	directory_look_end(d);
	return rc == 0 || directory_trouble(e, "listing", rc);
}

bool
directory_users(struct directory *d, struct str after, struct arena *a, struct directory_page *page, struct user *out,
    struct err *e)
{
	return read_page(d, &user_list, after, a, page, out, e);
}

bool
directory_aliases(struct directory *d, struct str after, struct arena *a, struct directory_page *page,
    struct alias *out, struct err *e)
{
	return read_page(d, &alias_list, after, a, page, out, e);
}

bool
directory_domains(struct directory *d, struct str after, struct arena *a, struct directory_page *page,
    struct domain *out, struct err *e)
{
	return read_page(d, &domain_list, after, a, page, out, e);
}

bool
directory_count(struct directory *d, struct directory_counts *c, struct err *e)
{
	MDB_txn *txn = directory_look(d, e);
	MDB_stat st[TABLE_COUNT];
	int rc = 0;

	if (txn == NULL)
		return false;
	for (int t = 0; rc == 0 && t < TABLE_COUNT; t++)
		rc = mdb_stat(txn, d->table[t], &st[t]);
	directory_look_end(d);
	if (rc != 0)
		return directory_trouble(e, "counting", rc);
	*c = (struct directory_counts){ st[TABLE_USER].ms_entries, st[TABLE_ALIAS].ms_entries,
		st[TABLE_DOMAIN].ms_entries };
	return true;
}
