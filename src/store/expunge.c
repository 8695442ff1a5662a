/* expunge.c - EXPUNGE: the rows in one commit, the files after it. */
#include <stdlib.h>

#include <postern/core/mem.h>

#include "acl.h"

struct expunge_request {
	struct store_request r;
	uint32_t mailbox;
	bool all;
	bool any;      /* \Deleted or not */
	struct uidset set;
};

static void
find_range(struct txn *t, struct expunge_request *q, struct uid_range r)
{
	MDB_cursor *c = snap_cursor(&t->s, T_MESSAGE);
	struct key from = key_message(q->mailbox, r.first);
	MDB_val key = key_val(&from), value;
	struct row_message row;
	uint32_t uid;

	for (bool more = snap_step(&t->s, c, &key, &value, MDB_SET_RANGE);
	    more && key_uid(key, q->mailbox, &uid) && uid <= r.last; more = snap_step(&t->s, c, &key, &value, MDB_NEXT))
		if (message_decode(&t->s, value, &row) && (q->any || (row.flags & STORE_DELETED) != 0))
			uidset_add(&q->r.uids, uid, uid);
	cursor_close(c);
}

static void
find(struct txn *t, struct expunge_request *q)
{
	if (q->all)
		find_range(t, q, (struct uid_range){ 1, UINT32_MAX });
	for (size_t i = 0; !q->all && i < q->set.n; i++)
		find_range(t, q, q->set.p[i]);
}

static void
remove_all(struct txn *t, struct expunge_request *q, struct open_mbox *o)
{
	struct row_message row;

	q->r.progress = 0;
	q->r.goal = uidset_count(&q->r.uids);
	for (uint32_t uid = uidset_next(&q->r.uids, 1); uid != 0 && t->s.rc == 0;
	     uid = uidset_next(&q->r.uids, uid + 1), q->r.progress++)
		if (message_read(&t->s, q->mailbox, uid, &row))
			txn_remove(t, o, uid, &row);
}

static void
expunge_apply(struct txn *t, struct store_request *r)
{
	struct expunge_request *q = (struct expunge_request *)r;
	struct open_mbox *o = txn_mbox(t, q->mailbox);
	struct uidset none;

	if (o == NULL) {
		request_refuse(r, STORE_NONEXISTENT, "mailbox %u", q->mailbox);
		return;
	}
	if (!acl_allows(t, r, q->mailbox, STORE_RIGHT_EXPUNGE | (q->any ? STORE_RIGHT_DELETE : 0)))
		return;
	r->mailbox = q->mailbox;
	r->uidvalidity = o->m.row.uidvalidity;
	if (q->any || o->m.row.deleted > 0)
		find(t, q);
	if (uidset_empty(&r->uids))
		return;
	uidset_init(&none);
	r->modseq = txn_bump(o);
	remove_all(t, q, o);
	change_write(&t->s, &o->m, &none, &r->uids);
	txn_todo(t, TODO_GONE, o->m.number, &r->uids, NULL);
}

static void
expunge_fini(struct store_request *r)
{
	uidset_fini(&((struct expunge_request *)r)->set);
}

static const struct request_kind expunge_kind = { .name = "expunge", .apply = expunge_apply, .fini = expunge_fini };

struct store_request *
store_remove(struct store_user *u, uint32_t mailbox, const struct uidset *uids, struct store_done done)
{
	struct expunge_request *q = (struct expunge_request *)request_new(sizeof *q, &expunge_kind, done);

	q->mailbox = mailbox;
	q->any = true;
	uidset_copy(&q->set, uids);
	return work_submit(u, &q->r);
}

struct store_request *
store_expunge(struct store_user *u, uint32_t mailbox, const struct uidset *uids, struct store_done done)
{
	struct expunge_request *q = (struct expunge_request *)request_new(sizeof *q, &expunge_kind, done);

	q->mailbox = mailbox;
	q->all = uids == NULL;
	if (uids != NULL)
		uidset_copy(&q->set, uids);
	return work_submit(u, &q->r);
}
