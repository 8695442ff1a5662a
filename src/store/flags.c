/* flags.c - STORE: one transaction, whatever the number of messages; the file names follow later. */
#include <stdlib.h>

#include <postern/core/mem.h>

#include "acl.h"
#include "guest.h"

struct flags_request {
	struct store_request r;
	uint32_t mailbox;
	struct uidset set;
	enum store_flags_mode mode;
	uint32_t flags;
	struct arena arena;
	struct str *keywords;
	size_t nkeywords;
	bool conditional;
	uint64_t unchangedsince;
};

/* One transaction's; what the rights of who asks leave of the request. */
struct flagging {
	struct txn *t;
	struct flags_request *q;
	struct open_mbox *o;
	uint32_t allowed; /* flags that he may change, … */
	bool words;       /* … and may he change keywords */
	uint64_t keywords;
	uint64_t modseq;
	MDB_cursor *c;
	struct guest guest;
};

static void
change(const struct flagging *g, struct row_message *row)
{
	uint32_t flags = g->q->flags & g->allowed;

	switch (g->q->mode) {
	case STORE_FLAGS_ADD:
		row->flags |= flags;
		row->keywords |= g->keywords;
		break;
	case STORE_FLAGS_REMOVE:
		row->flags &= ~flags;
		row->keywords &= ~g->keywords;
		break;
	case STORE_FLAGS_REPLACE:
		row->flags = (row->flags & ~g->allowed) | flags;
		row->keywords = g->words ? g->keywords : row->keywords;
		break;
	}
}

/* RFC 4314 4: what the rights do not cover stays as it is; false when nothing of what was asked for is left. */
static bool
narrow(struct flagging *g, unsigned rights)
{
	const struct flags_request *q = g->q;

	g->allowed = store_rights_flags(rights);
	g->words = rights & STORE_RIGHT_WRITE;
	return (q->flags & g->allowed) != 0 || (g->words && q->nkeywords > 0) || (q->flags == 0 && q->nkeywords == 0) ||
	    (q->mode == STORE_FLAGS_REPLACE && g->allowed != 0);
}

/* RFC 7162 3.1.3, example 8: UNCHANGEDSINCE 0 asks whether a keyword is there at all; system flags always are. */
static bool
is_first_of_its_kind(const struct flagging *g, const struct row_message *row)
{
	const struct flags_request *q = g->q;

	return q->unchangedsince == 0 && q->mode == STORE_FLAGS_ADD && (q->flags & g->allowed) == 0 && g->words && q->nkeywords > 0 &&
	    (row->keywords & g->keywords) == 0;
}

/* As it is changed: with the \Seen of who asks. */
static void
show_seen(struct flagging *g, struct row_message *row, uint32_t uid)
{
	if (!g->q->r.is_guest)
		return;
	row->flags &= ~(uint32_t)STORE_SEEN;
	if (guest_has_seen(&g->t->s, &g->guest, g->o->m.number, uid))
		row->flags |= STORE_SEEN;
}

/* The row keeps the owner's. */
static void
keep_seen(struct flagging *g, struct row_message *row, const struct row_message *stored, uint32_t uid)
{
	if (!g->q->r.is_guest)
		return;
	guest_set_seen(&g->t->s, &g->guest, g->o->m.number, uid, row->flags & STORE_SEEN);
	row->flags = (row->flags & ~(uint32_t)STORE_SEEN) | (stored->flags & STORE_SEEN);
}

/* The row under the cursor. */
static void
change_one(struct flagging *g, MDB_val key, MDB_val value, uint32_t uid)
{
	struct row_message stored, before, row;
	int rc;

	if (!message_decode(&g->t->s, value, &stored))
		return;
	row = stored;
	show_seen(g, &row, uid);
	g->q->r.progress++;
	if (g->q->conditional && row.modseq > g->q->unchangedsince && !is_first_of_its_kind(g, &row)) {
		uidset_add(&g->q->r.failed, uid, uid);
		return;
	}
	before = row;
	change(g, &row);
	if (row.flags == before.flags && row.keywords == before.keywords)
		return;
	keep_seen(g, &row, &stored, uid);
	row.modseq = g->modseq;
	if (((row.flags ^ stored.flags) & (STORE_SEEN | STORE_DELETED)) != 0) {
		txn_count(g->t, g->o, &stored, -1);
		txn_count(g->t, g->o, &row, 1);
	}
	value = str_val(str_from(&row, sizeof row));
	rc = mdb_cursor_put(g->c, &key, &value, MDB_CURRENT); /* of equal size: checked by message_decode */
	if (rc != 0)
		snap_fail(&g->t->s, rc);
	uidset_add(&g->q->r.uids, uid, uid);
}

static void
change_range(struct flagging *g, struct uid_range r)
{
	struct key from = key_message(g->o->m.number, r.first);
	MDB_val key = key_val(&from), value;
	uint32_t uid;

	for (bool more = snap_step(&g->t->s, g->c, &key, &value, MDB_SET_RANGE);
	    more && key_uid(key, g->o->m.number, &uid) && uid <= r.last;
	    more = snap_step(&g->t->s, g->c, &key, &value, MDB_NEXT))
		change_one(g, key, value, uid);
}

static void
note_change(struct flagging *g)
{
	struct store_request *r = &g->q->r;
	struct uidset none;

	if (uidset_empty(&r->uids))
		return;
	uidset_init(&none);
	r->modseq = txn_bump(g->o);
	g->o->kinds |= STORE_EVENT_FLAGS;
	change_write(&g->t->s, &g->o->m, &r->uids, &none);
	txn_todo(g->t, TODO_NAMES, g->o->m.number, &r->uids, NULL);
}

static void
flags_apply(struct txn *t, struct store_request *r)
{
	struct flags_request *q = (struct flags_request *)r;
	struct flagging g = { .t = t, .q = q, .o = txn_mbox(t, q->mailbox) };
	unsigned granted = acl_granted(t, r, q->mailbox);

	if (g.o == NULL) {
		request_refuse(r, STORE_NONEXISTENT, "mailbox %u", q->mailbox);
		return;
	}
	if (!narrow(&g, granted)) {
		acl_refuse(r, granted);
		return;
	}
	r->mailbox = q->mailbox;
	r->uidvalidity = g.o->m.row.uidvalidity;
	if (g.words && !txn_keywords(g.o, q->keywords, q->nkeywords, q->mode != STORE_FLAGS_REMOVE, &g.keywords)) {
		request_refuse(r, STORE_LIMIT, "%s: keywords", g.o->m.name);
		return;
	}
	g.modseq = g.o->m.row.modseq + 1;
	guest_init(&g.guest, str_of(r->who));
	r->progress = 0;
	r->goal = uidset_count(&q->set);
	g.c = snap_cursor(&t->s, T_MESSAGE);
	for (size_t i = 0; i < q->set.n && g.c != NULL; i++)
		change_range(&g, q->set.p[i]);
	cursor_close(g.c);
	guest_flush(&t->s, &g.guest);
	note_change(&g);
}

static void
flags_fini(struct store_request *r)
{
	struct flags_request *q = (struct flags_request *)r;

	uidset_fini(&q->set);
	arena_fini(&q->arena);
}

static const struct request_kind flags_kind = { .name = "flags", .apply = flags_apply, .fini = flags_fini };

struct store_request *
store_flags(struct store_user *u, const struct store_flags *f, struct store_done done)
{
	struct flags_request *q = (struct flags_request *)request_new(sizeof *q, &flags_kind, done);

	q->mailbox = f->mailbox;
	uidset_copy(&q->set, f->uids);
	q->mode = f->mode;
	q->flags = f->flags & STORE_FLAGS_ALL;
	arena_init(&q->arena);
	q->nkeywords = f->nkeywords;
	q->keywords = arena_array(&q->arena, f->nkeywords, sizeof *q->keywords);
	for (size_t i = 0; i < f->nkeywords; i++)
		q->keywords[i] = arena_str(&q->arena, f->keywords[i]);
	q->conditional = f->conditional;
	q->unchangedsince = f->unchangedsince;
	return work_submit(u, &q->r);
}
