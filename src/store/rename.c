/* rename.c - RENAME: the names of a whole subtree in one commit, its directories right after it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern/core/mem.h>

#include "acl.h"
#include "annotation.h"
#include "copy.h"
#include "create.h"
#include "name.h"

/* A mailbox of the subtree and what becomes of it. */
struct renaming {
	char from[STORE_NAME_SIZE + 1];
	char to[STORE_NAME_SIZE + 1];
	char dir[256];
};

struct rename_request {
	struct store_request r;
	struct named from, to;
	struct renaming *p;
	size_t n, cap;
	bool inbox;
	struct copy c; /* of INBOX the messages move */
};

static struct str
parent_of(struct str name)
{
	return str_sub(name, 0, str_rfind(name, '/'));
}

static bool
add_one(struct rename_request *q, struct str old)
{
	struct str from = buf_str(&q->from.name), to = buf_str(&q->to.name), rest = str_sub(old, from.n, old.n);
	struct renaming *p;

	if (to.n + rest.n > STORE_NAME_SIZE)
		return request_refuse(&q->r, STORE_CANNOT, "a name becomes too long");
	if (q->n == q->cap) {
		q->cap = q->cap == 0 ? 8 : q->cap * 2;
		q->p = mem_resize(q->p, q->cap * sizeof *q->p);
	}
	p = &q->p[q->n++];
	snprintf(p->from, sizeof p->from, "%.*s", STR_ARG(old));
	snprintf(p->to, sizeof p->to, "%.*s%.*s", STR_ARG(to), STR_ARG(rest));
	return create_dir_name(str_of(p->to), p->dir) || request_refuse(&q->r, STORE_CANNOT, "a name becomes too long");
}

/* The mailboxes at and below the name, in one snapshot. */
static bool
find_subtree(struct snap *s, struct rename_request *q)
{
	struct str from = buf_str(&q->from.name);
	MDB_val key = str_val(from), value;
	MDB_cursor *c = snap_cursor(s, T_NAME);
	bool ok = true;

	q->n = 0;
	for (bool more = snap_step(s, c, &key, &value, MDB_SET_RANGE); ok && more && str_starts(val_str(key), from);
	    more = snap_step(s, c, &key, &value, MDB_NEXT)) {
		struct row_name row;

		/* between a name and what lies below it others may stand: "a", "a b", "a/b" */
		if (!str_eq(val_str(key), from) && !name_below(val_str(key), from))
			continue;
		if (name_read(s, val_str(key), &row) && row.mailbox != 0)
			ok = add_one(q, val_str(key));
	}
	cursor_close(c);
	return ok && s->rc == 0;
}

static bool
check(struct snap *s, struct rename_request *q)
{
	struct str from = buf_str(&q->from.name), to = buf_str(&q->to.name);
	struct row_name row;

	if (name_read(s, to, &row) && row.mailbox != 0)
		return request_refuse(&q->r, STORE_EXISTS, "a mailbox of that name exists");
	if (str_eq(to, STR("INBOX")) || name_below(to, from))
		return request_refuse(&q->r, STORE_CANNOT, "a mailbox cannot become its own child, or INBOX");
	if (q->inbox)
		return true;
	if (!find_subtree(s, q))
		return false;
	return q->n > 0 || request_refuse(&q->r, STORE_NONEXISTENT, "no such mailbox");
}

static bool
dirs_free(struct work *w, struct rename_request *q)
{
	for (size_t i = 0; i < q->n; i++)
		if (mdir_exists(w->u->maildir, q->p[i].dir))
			return request_refuse(&q->r, STORE_EXISTS, "directory %s is taken", q->p[i].dir);
	return true;
}

static bool
prepare_inbox(struct work *w, struct rename_request *q)
{
	if (!create_prepare(w, &q->r, buf_str(&q->to.name)) || !create_dir_name(buf_str(&q->to.name), q->c.to_dir))
		return false;
	return copy_prepare(w, &q->c) || request_refuse_errno(&q->r, "rename");
}

static bool
prepare(struct work *w, struct store_request *r)
{
	struct rename_request *q = (struct rename_request *)r;
	struct row_name row;
	struct snap s;
	struct str parent;
	bool ok;

	if (!named_ok(r, &q->from) || !named_ok(r, &q->to))
		return false;
	q->inbox = str_eq(buf_str(&q->from.name), STR("INBOX"));
	ok = work_snap(w, &s) && check(&s, q);
	if (ok && q->inbox && name_read(&s, STR("INBOX"), &row))
		q->c.from = row.mailbox;
	if (s.rc != 0)
		request_refuse(r, STORE_UNAVAILABLE, "index: %s", mdb_strerror(s.rc));
	work_snap_end(w, &s);
	if (!ok || q->inbox)
		return ok && prepare_inbox(w, q);
	parent = parent_of(buf_str(&q->to.name));
	if (parent.n < q->to.name.n && !create_prepare(w, r, parent))
		return false;
	return dirs_free(w, q);
}

static void
rename_one(struct txn *t, const struct store_request *r, const struct renaming *p, bool itself)
{
	struct row_name old, fresh;
	struct open_mbox *o;
	char dir[256];

	if (!name_read(&t->s, str_of(p->from), &old) || (o = txn_mbox(t, old.mailbox)) == NULL)
		return;
	name_read(&t->s, str_of(p->to), &fresh);
	fresh.mailbox = old.mailbox;
	old.mailbox = 0; /* a subscription belongs to the name and stays */
	name_write(&t->s, str_of(p->from), &old);
	name_write(&t->s, str_of(p->to), &fresh);
	memcpy(dir, o->m.dir, sizeof dir);
	snprintf(o->m.name, sizeof o->m.name, "%s", p->to);
	snprintf(o->m.dir, sizeof o->m.dir, "%s", p->dir);
	o->m.row.subscribed = fresh.subscribed;
	o->dirty = true;
	o->kinds |= STORE_EVENT_RENAMED;
	txn_by(o, r);
	if (itself && o->old_name == NULL)
		o->old_name = mem_cstr(str_of(p->from));
	txn_todo(t, TODO_RENAME, o->m.number, NULL, dir);
	txn_todo(t, TODO_SIDECAR, o->m.number, NULL, NULL);
}

static void
apply_inbox(struct txn *t, struct rename_request *q)
{
	struct open_mbox *from = txn_mbox(t, q->c.from), *to;

	to = from != NULL ? create_apply(t, &q->r, buf_str(&q->to.name)) : NULL;
	if (to == NULL)
		return;
	annotation_copy(t, T_METADATA, q->c.from, to->m.number); /* RFC 5464 4.1 */
	txn_todo(t, TODO_ANNOTATIONS, to->m.number, NULL, NULL);
	copy_take(t, &q->c, from, to);
}

/* "x" on the mailbox, "k" above its new name (RFC 4314 4); a level that is no mailbox has no rights. A guest renames a mailbox alone. */
static bool
may(struct txn *t, struct rename_request *q)
{
	struct row_name row;

	if (q->r.is_guest && (q->inbox || q->n > 1))
		return request_refuse(&q->r, STORE_CANNOT, "%s: not alone", q->r.who);
	if (name_read(&t->s, buf_str(&q->from.name), &row) && row.mailbox != 0 &&
	    !acl_allows(t, &q->r, row.mailbox, STORE_RIGHT_DELETE_BOX))
		return false;
	return create_allowed(t, &q->r, buf_str(&q->to.name));
}

static void
apply(struct txn *t, struct store_request *r)
{
	struct rename_request *q = (struct rename_request *)r;
	struct row_name row;
	struct str parent;
	size_t prepared = q->n;

	/* requests before this one in the transaction may have changed the names */
	if (!check(&t->s, q) || q->n != prepared) {
		if (r->code == STORE_OK)
			request_refuse(r, STORE_UNAVAILABLE, "the names changed meanwhile");
		return;
	}
	if (!may(t, q))
		return;
	if (q->inbox) {
		apply_inbox(t, q);
		return;
	}
	parent = parent_of(buf_str(&q->to.name));
	if (parent.n < q->to.name.n && create_apply(t, r, parent) == NULL)
		return;
	for (size_t i = 0; i < q->n; i++)
		rename_one(t, r, &q->p[i], str_eq(str_of(q->p[i].from), buf_str(&q->from.name)));
	if (name_read(&t->s, buf_str(&q->to.name), &row))
		r->mailbox = row.mailbox;
}

static void
after(struct work *w, struct store_request *r)
{
	struct rename_request *q = (struct rename_request *)r;

	create_undo(w, r);
	if (!q->inbox)
		return;
	if (r->code != STORE_OK || w->rc != 0 || w->err.class != ERR_NONE)
		for (size_t i = 0; i < q->c.n; i++)
			q->c.p[i].taken = false;
	copy_clean(w, &q->c);
}

static void
fini(struct store_request *r)
{
	struct rename_request *q = (struct rename_request *)r;

	named_fini(&q->from);
	named_fini(&q->to);
	copy_fini(&q->c);
	free(q->p);
}

static const struct request_kind rename_kind = { "rename", prepare, apply, after, fini, true, NULL };

struct store_request *
store_rename(struct store_user *u, struct str from, struct str to, struct store_done done)
{
	struct rename_request *q = (struct rename_request *)request_new(sizeof *q, &rename_kind, done);

	named_init(&q->from, from);
	named_init(&q->to, to);
	q->c.r = &q->r;
	q->c.move = true;
	q->c.clock = store_clock_next(u->store);
	uidset_add(&q->c.set, 1, UINT32_MAX);
	return work_submit(u, &q->r);
}
