/* directory_write.c - the changes, each one synced transaction.
 *
 * A change is a function that gets the open transaction; it can be thrown away at any step. `serial` in the meta
 * table counts up with each change and gives users their versions, so that none is ever used twice. */
#include "directory_own.h"

#include <postern/core/clock.h>

#include "row.h"

struct change {
	struct directory *d;
	MDB_txn *txn;
	uint64_t serial; /* of this change */
};

typedef bool change_fn(struct change *c, const void *what, struct err *e);

static bool
put(struct change *c, enum table t, struct str key, struct str row, struct err *e)
{
	MDB_val k = val_of(key);
	MDB_val v = val_of(row);
	int rc = mdb_put(c->txn, c->d->table[t], &k, &v, 0);

	return rc == 0 || directory_trouble(e, "writing", rc);
}

static bool
drop(struct change *c, enum table t, struct str key, struct err *e)
{
	MDB_val k = val_of(key);
	int rc = mdb_del(c->txn, c->d->table[t], &k, NULL);

	return rc == 0 || rc == MDB_NOTFOUND || directory_trouble(e, "deleting", rc);
}

static bool
next_serial(struct change *c, struct err *e)
{
	char row[8];
	struct str old;
	enum directory_found found = directory_row(c->d, c->txn, TABLE_META, STR("serial"), &old, e);

	if (found == DIRECTORY_FAILED)
		return false;
	c->serial = found == DIRECTORY_FOUND ? directory_number(old) + 1 : 1;
	for (int i = 0; i < 8; i++)
		row[i] = (char)(c->serial >> (56 - i * 8));
	return put(c, TABLE_META, STR("serial"), str_from(row, sizeof row), e);
}

static bool
change(struct directory *d, change_fn *fn, const void *what, struct err *e)
{
	struct change c = { .d = d };
	int rc = mdb_txn_begin(d->env, NULL, 0, &c.txn);

	if (rc != 0)
		return directory_trouble(e, "writing", rc);
	if (!next_serial(&c, e) || !fn(&c, what, e)) {
		mdb_txn_abort(c.txn);
		return false;
	}
	rc = mdb_txn_commit(c.txn);
	return rc == 0 || directory_trouble(e, "writing", rc);
}

/* True if the row is (not) there as wanted; else a permanent error in words. */
static bool
want_row(struct change *c, enum table t, struct str name, bool there, struct err *e)
{
	struct str row;
	enum directory_found found = directory_row(c->d, c->txn, t, name, &row, e);

	if (found == DIRECTORY_FAILED)
		return false;
	if ((found == DIRECTORY_FOUND) == there)
		return true;
	return err_perm(e, there ? "no such entry" : "exists already", "%.*s %s", STR_ARG(name),
	    there ? "does not exist" : "exists already");
}

static bool
name_fits(struct str name, struct err *e)
{
	return (name.n > 0 && name.n <= DIRECTORY_NAME_MAX) ||
	       err_perm(e, "name too long", "a name has 1 to %d bytes", DIRECTORY_NAME_MAX);
}

/* --- users --- */

static bool
put_user(struct change *c, const struct user *u, struct err *e)
{
	struct buf row;
	bool ok;

	buf_init(&row, ROW_MAX);
	row_write_user(&row, u);
	ok = put(c, TABLE_USER, u->address, buf_str(&row), e);
	buf_wipe(&row);
	return ok;
}

static bool
note_first(struct change *c, struct str address, struct err *e)
{
	struct str row;

	switch (directory_row(c->d, c->txn, TABLE_META, STR("first"), &row, e)) {
	case DIRECTORY_MISSING:
		return put(c, TABLE_META, STR("first"), address, e);
	case DIRECTORY_FOUND:
		return true;
	case DIRECTORY_FAILED:
		break;
	}
	return false;
}

static bool
run_user_add(struct change *c, const void *what, struct err *e)
{
	struct user u = *(const struct user *)what;

	u.created = wall_seconds(wall_now());
	u.version = c->serial;
	u.serial = c->serial;
	return want_row(c, TABLE_USER, u.address, false, e) && put_user(c, &u, e) && note_first(c, u.address, e);
}

bool
directory_user_add(struct directory *d, const struct user *u, struct err *e)
{
	return name_fits(u->address, e) && change(d, run_user_add, u, e);
}

/* The account with the lowest serial; a damaged row cannot be it. */
static int
find_oldest(MDB_cursor *cursor, struct str *oldest)
{
	uint64_t lowest = UINT64_MAX;
	MDB_val key;
	MDB_val row;
	int rc;

	*oldest = STR("");
	for (rc = mdb_cursor_get(cursor, &key, &row, MDB_FIRST); rc == 0;
	     rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT)) {
		struct user u;

		if (row_parse_user(str_of_val(row), &u) && u.serial < lowest) {
			lowest = u.serial;
			*oldest = str_of_val(key);
		}
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static bool
renew_first(struct change *c, struct err *e)
{
	char name[DIRECTORY_NAME_MAX]; /* the key lies in a page that the next write may change */
	struct str oldest;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(c->txn, c->d->table[TABLE_USER], &cursor);

	if (rc == 0) {
		rc = find_oldest(cursor, &oldest);
		mdb_cursor_close(cursor);
	}
	if (rc != 0)
		return directory_trouble(e, "looking for the first account", rc);
	if (oldest.n == 0 || oldest.n > sizeof name)
		return drop(c, TABLE_META, STR("first"), e);
	memcpy(name, oldest.p, oldest.n);
	return put(c, TABLE_META, STR("first"), str_from(name, oldest.n), e);
}

static bool
run_user_del(struct change *c, const void *what, struct err *e)
{
	const struct str *address = what;
	struct str first;
	enum directory_found found;

	if (!want_row(c, TABLE_USER, *address, true, e) || !drop(c, TABLE_USER, *address, e))
		return false;
	found = directory_row(c->d, c->txn, TABLE_META, STR("first"), &first, e);
	if (found == DIRECTORY_FAILED)
		return false;
	if (found == DIRECTORY_FOUND && !str_eq(first, *address))
		return true;
	return renew_first(c, e);
}

bool
directory_user_del(struct directory *d, struct str address, struct err *e)
{
	return change(d, run_user_del, &address, e);
}

/* A change of one user: what edit() does to the row that is there. */
struct edit {
	struct str address;
	bool (*edit)(struct user *u, const struct edit *what, uint64_t serial, struct err *e);
	const struct verifier *verifier;
	uint64_t number;
	bool disabled;
};

static bool
run_edit(struct change *c, const void *what, struct err *e)
{
	const struct edit *ed = what;
	struct user u = { .address = ed->address };
	struct str row;
	bool ok;

	if (!want_row(c, TABLE_USER, ed->address, true, e))
		return false;
	if (directory_row(c->d, c->txn, TABLE_USER, ed->address, &row, e) != DIRECTORY_FOUND)
		return false;
	if (!row_parse_user(row, &u))
		return err_temp(e, SAY_LATER, "directory: the row of user %.*s is damaged; delete it and add it again",
		    STR_ARG(ed->address));
	ok = ed->edit(&u, ed, c->serial, e) && put_user(c, &u, e);
	return ok;
}

static bool
edit_verifier(struct user *u, const struct edit *what, uint64_t serial, struct err *e)
{
	(void)e;
	u->verifier = *what->verifier;
	u->version = serial;
	return true;
}

static bool
edit_upgrade(struct user *u, const struct edit *what, uint64_t serial, struct err *e)
{
	(void)serial;
	if (u->version != what->number)
		return err_temp(e, SAY_LATER, "%.*s was changed meanwhile", STR_ARG(what->address));
	u->verifier = *what->verifier;
	return true;
}

static bool
edit_quota(struct user *u, const struct edit *what, uint64_t serial, struct err *e)
{
	(void)e;
	(void)serial;
	u->quota = what->number;
	return true;
}

static bool
edit_disabled(struct user *u, const struct edit *what, uint64_t serial, struct err *e)
{
	(void)e;
	u->disabled = what->disabled;
	u->version = serial;
	return true;
}

bool
directory_user_set_verifier(struct directory *d, struct str address, const struct verifier *v, struct err *e)
{
	return change(d, run_edit, &(struct edit){ .address = address, .edit = edit_verifier, .verifier = v }, e);
}

bool
directory_user_upgrade(
    struct directory *d, struct str address, uint64_t version, const struct verifier *v, struct err *e)
{
	return change(d, run_edit,
	    &(struct edit){ .address = address, .edit = edit_upgrade, .verifier = v, .number = version }, e);
}

bool
directory_user_set_quota(struct directory *d, struct str address, uint64_t quota, struct err *e)
{
	return change(d, run_edit, &(struct edit){ .address = address, .edit = edit_quota, .number = quota }, e);
}

bool
directory_user_set_disabled(struct directory *d, struct str address, bool disabled, struct err *e)
{
	return change(
	    d, run_edit, &(struct edit){ .address = address, .edit = edit_disabled, .disabled = disabled }, e);
}

/* --- aliases and domains --- */

static bool
alias_fits(const struct alias *al, struct err *e)
{
	if (al->ntargets == 0)
		return err_perm(e, "no target", "an alias needs at least one target");
	if (al->ntargets > ALIAS_TARGETS_MAX || al->nsenders > ALIAS_SENDERS_MAX)
		return err_perm(e, "too many targets",
		    "an alias has at most %d targets and %d senders; nest aliases for more", ALIAS_TARGETS_MAX,
		    ALIAS_SENDERS_MAX);
	for (size_t i = 0; i < al->ntargets; i++)
		if (!name_fits(al->targets[i], e))
			return false;
	for (size_t i = 0; i < al->nsenders; i++)
		if (!name_fits(al->senders[i], e))
			return false;
	return name_fits(al->address, e);
}

static bool
run_alias_add(struct change *c, const void *what, struct err *e)
{
	struct alias al = *(const struct alias *)what;
	struct buf row;
	bool ok;

	al.created = wall_seconds(wall_now());
	buf_init(&row, ROW_MAX);
	row_write_alias(&row, &al);
	ok = want_row(c, TABLE_ALIAS, al.address, false, e) && put(c, TABLE_ALIAS, al.address, buf_str(&row), e);
	buf_fini(&row);
	return ok;
}

bool
directory_alias_add(struct directory *d, const struct alias *al, struct err *e)
{
	return alias_fits(al, e) && change(d, run_alias_add, al, e);
}

static bool
run_alias_del(struct change *c, const void *what, struct err *e)
{
	const struct str *address = what;

	return want_row(c, TABLE_ALIAS, *address, true, e) && drop(c, TABLE_ALIAS, *address, e);
}

bool
directory_alias_del(struct directory *d, struct str address, struct err *e)
{
	return change(d, run_alias_del, &address, e);
}

static bool
run_domain_add(struct change *c, const void *what, struct err *e)
{
	const struct domain dom = { .name = *(const struct str *)what, .created = wall_seconds(wall_now()) };
	struct buf row;
	bool ok;

	buf_init(&row, ROW_MAX);
	row_write_domain(&row, &dom);
	ok = want_row(c, TABLE_DOMAIN, dom.name, false, e) && put(c, TABLE_DOMAIN, dom.name, buf_str(&row), e);
	buf_fini(&row);
	return ok;
}

bool
directory_domain_add(struct directory *d, struct str name, struct err *e)
{
	return name_fits(name, e) && change(d, run_domain_add, &name, e);
}

static bool
run_domain_del(struct change *c, const void *what, struct err *e)
{
	const struct str *name = what;

	return want_row(c, TABLE_DOMAIN, *name, true, e) && drop(c, TABLE_DOMAIN, *name, e);
}

bool
directory_domain_del(struct directory *d, struct str name, struct err *e)
{
	return change(d, run_domain_del, &name, e);
}
