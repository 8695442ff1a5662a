/* delete.c - DELETE and SUBSCRIBE. */
#include <stdlib.h>

#include "acl.h"
#include "create.h"

struct name_request {
	struct store_request r;
	struct named named;
	bool on;
	bool name_only; /* there is no mailbox of that name: the event is not its */
};

static bool
prepare(struct work *w, struct store_request *r)
{
	(void)w;
	return named_ok(r, &((struct name_request *)r)->named);
}

static void
fini(struct store_request *r)
{
	named_fini(&((struct name_request *)r)->named);
}

static struct name_request *
name_request_new(const struct request_kind *kind, struct str name, struct store_done done)
{
	struct name_request *q = (struct name_request *)request_new(sizeof *q, kind, done);

	named_init(&q->named, name);
	return q;
}

/* Names are gone with the commit; files and rows go in slices. */
static void
delete_apply(struct txn *t, struct store_request *r)
{
	struct name_request *q = (struct name_request *)r;
	struct str name = buf_str(&q->named.name);
	struct row_name row;
	struct open_mbox *o;

	if (str_eq(name, STR("INBOX"))) {
		request_refuse(r, STORE_CANNOT, "INBOX cannot be deleted");
		return;
	}
	if (!name_read(&t->s, name, &row) || (o = txn_mbox(t, row.mailbox)) == NULL) {
		request_refuse(r, STORE_NONEXISTENT, "no such mailbox");
		return;
	}
	if (!acl_allows(t, r, o->m.number, STORE_RIGHT_DELETE_BOX))
		return;
	r->mailbox = o->m.number;
	r->uidvalidity = o->m.row.uidvalidity;
	txn_todo(t, TODO_PURGE, o->m.number, NULL, o->m.dir);
	txn_by(o, r);
	txn_mbox_drop(t, o);
}

static const struct request_kind delete_kind = { "delete", prepare, delete_apply, NULL, fini, true, NULL };

struct store_request *
store_delete(struct store_user *u, struct str name, struct store_done done)
{
	return work_submit(u, &name_request_new(&delete_kind, name, done)->r);
}

static bool
too_many_names(struct txn *t)
{
	enum { NAMES_MAX = 2 * STORE_MAILBOXES_MAX };
	MDB_stat st;

	return t->s.rc == 0 && mdb_stat(t->s.mdb, t->s.ix->table[T_NAME], &st) == 0 && st.ms_entries >= NAMES_MAX;
}

/* A name may be subscribed without a mailbox (RFC 9051 6.3.7). */
static void
subscribe_apply(struct txn *t, struct store_request *r)
{
	struct name_request *q = (struct name_request *)r;
	struct row_name row;
	struct open_mbox *o;

	q->name_only = false;
	name_read(&t->s, buf_str(&q->named.name), &row);
	if ((row.subscribed != 0) == q->on)
		return;
	if (q->on && too_many_names(t)) {
		request_refuse(r, STORE_LIMIT, "%s: too many names", t->w->u->address);
		return;
	}
	row.subscribed = q->on;
	name_write(&t->s, buf_str(&q->named.name), &row);
	o = row.mailbox != 0 ? txn_mbox(t, row.mailbox) : NULL;
	q->name_only = o == NULL;
	if (o == NULL)
		return;
	txn_by(o, r);
	o->m.row.subscribed = q->on;
	o->dirty = true;
	o->kinds |= STORE_EVENT_SUBSCRIBED;
	txn_todo(t, TODO_SIDECAR, o->m.number, NULL, NULL);
}

static void
subscribe_events(struct work *w, const struct store_request *r)
{
	const struct name_request *q = (const struct name_request *)r;

	if (q->name_only)
		work_event(w, &(struct store_event){ .kinds = STORE_EVENT_SUBSCRIBED,
		    .name = buf_str(&q->named.name),
		    .by = r->done.ctx });
}

static const struct request_kind subscribe_kind = { "subscribe", prepare, subscribe_apply, NULL, fini, false,
	subscribe_events };

struct store_request *
store_subscribe(struct store_user *u, struct str name, bool on, struct store_done done)
{
	struct name_request *q = name_request_new(&subscribe_kind, name, done);

	q->on = on;
	return work_submit(u, &q->r);
}
