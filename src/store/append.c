/* append.c - APPEND and REPLACE: each message durable in tmp/ of its mailbox, then all of them in one commit. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "acl.h"
#include "guest.h"
#include "stage.h"
#include "work.h"

struct appended {
	struct store_stage *stage;
	uint32_t flags;
	struct str *keywords;
	size_t nkeywords;
	int64_t internal_date;
	char base[FNAME_BASE_SIZE];
	bool linked; /* in tmp/ */
};

struct append_request {
	struct store_request r;
	uint32_t mailbox;
	uint32_t from;     /* REPLACE: a message of this mailbox goes, 0: none … */
	uint32_t replaced; /* … with this UID */
	uint64_t limit;
	struct arena arena;
	struct appended *p;
	size_t n;
	char dir[256]; /* where the links are */
};

static bool
stage_all(struct append_request *q, const struct mdir *d)
{
	uint64_t size = 0;

	for (size_t i = 0; i < q->n; i++)
		size += q->p[i].stage->size;
	if (!blob_has_room(q->p[0].stage->u->store, d->tmp, size))
		return request_refuse_errno(&q->r, "append");
	for (size_t i = 0; i < q->n; i++)
		if (!stage_to_file(q->p[i].stage) || !blob_set_date(&q->p[i].stage->blob, q->p[i].internal_date))
			return request_refuse_errno(&q->r, "append");
	return true;
}

static bool
link_all(struct work *w, struct append_request *q, const struct mdir *d)
{
	for (size_t i = 0; i < q->n; i++) {
		q->p[i].linked = blob_link(w->store, &q->p[i].stage->blob, d->tmp, q->p[i].base);
		if (!q->p[i].linked)
			return request_refuse_errno(&q->r, "append: link");
	}
	return true;
}

/* Its own fsync for each: bytes may have been written long ago, and only the file's own descriptor knows of errors. The
 * names, which nobody reads before the index has them, are there already: what makes a file durable does so with its name
 * on a journaled file system, and little is left to do for the directory. */
static bool
sync_all(struct append_request *q, const struct mdir *d)
{
	for (size_t i = 0; i < q->n; i++)
		if (fsync(q->p[i].stage->blob.fd) == -1)
			return request_refuse_errno(&q->r, "append: sync");
	return fsync(d->tmp) == 0 || request_refuse_errno(&q->r, "append: sync tmp");
}

static bool
append_prepare(struct work *w, struct store_request *r)
{
	struct append_request *q = (struct append_request *)r;
	struct mbox *m = NEW(struct mbox);
	struct mdir d;
	struct snap s;
	bool ok;

	ok = work_snap(w, &s) && mbox_read(&s, q->mailbox, m);
	work_snap_end(w, &s);
	if (ok) {
		memcpy(q->dir, m->dir, sizeof q->dir);
		ok = mdir_open(w->u, m->dir, &d) || request_refuse_errno(r, "append");
		if (ok) {
			ok = stage_all(q, &d) && link_all(w, q, &d) && sync_all(q, &d);
			mdir_close(&d);
		}
	} else {
		request_refuse(r, STORE_NONEXISTENT, "mailbox %u", q->mailbox);
	}
	free(m);
	return ok;
}

/* The message that is to go, and its size as credit. */
static bool
find_replaced(struct txn *t, struct append_request *q, struct row_message *row)
{
	*row = (struct row_message){ 0 };
	if (q->from == 0 || (txn_mbox(t, q->from) != NULL && message_read(&t->s, q->from, q->replaced, row)))
		return true;
	return request_refuse(&q->r, STORE_GONE, "message %u of mailbox %u", q->replaced, q->from);
}

static bool
check(struct txn *t, struct append_request *q, struct open_mbox *o, unsigned rights, uint64_t credit)
{
	uint64_t size = 0, bits;

	for (size_t i = 0; i < q->n; i++) {
		size += q->p[i].stage->size + q->p[i].stage->bare;
		if (rights & STORE_RIGHT_WRITE && !txn_keywords(o, q->p[i].keywords, q->p[i].nkeywords, true, &bits))
			return request_refuse(&q->r, STORE_LIMIT, "%s: keywords", o->m.name);
	}
	if (q->limit > 0 && meta_get(&t->s, META_BYTES) + (uint64_t)t->bytes_delta + size > q->limit + credit)
		return request_refuse(&q->r, STORE_OVERQUOTA, "%s: over quota", t->w->u->address);
	return true;
}

static void
mark_seen(struct txn *t, const struct open_mbox *o, struct str who, uint32_t uid)
{
	struct guest g;

	guest_init(&g, who);
	guest_set_seen(&t->s, &g, o->m.number, uid, true);
	guest_flush(&t->s, &g);
}

/* Flags that the rights do not cover are left out (RFC 4314 4). */
static void
add(struct txn *t, struct append_request *q, struct open_mbox *o, unsigned rights, const struct appended *a)
{
	uint32_t flags = a->flags & store_rights_flags(rights);
	struct row_message row = {
		.modseq = o->m.row.modseq,
		.size = a->stage->size + a->stage->bare,
		.lf = a->stage->bare > 0,
		.flags = q->r.is_guest ? flags & ~(uint32_t)STORE_SEEN : flags,
		.internal_date = a->internal_date,
		.save_date = wall_seconds(wall_now()),
	};
	struct fname f = { .base = str_of(a->base) };
	uint32_t uid = txn_next_uid(o);
	char name[FNAME_SIZE];

	if (rights & STORE_RIGHT_WRITE)
		txn_keywords(o, a->keywords, a->nkeywords, true, &row.keywords);
	fname_write(name, &f, a->stage->size, uid, row.flags, row.keywords, STR(""));
	txn_add(t, o, uid, &row, name);
	if (q->r.is_guest && flags & STORE_SEEN)
		mark_seen(t, o, str_of(q->r.who), uid);
	uidset_add(&q->r.uids, uid, uid);
}

static void
remove_replaced(struct txn *t, struct append_request *q, const struct row_message *row)
{
	struct open_mbox *o = txn_mbox(t, q->from);
	struct uidset none;

	if (q->from != q->mailbox)
		q->r.modseq = txn_bump(o);
	uidset_init(&none);
	uidset_add(&q->r.source, q->replaced, q->replaced);
	txn_remove(t, o, q->replaced, row);
	change_write(&t->s, &o->m, &none, &q->r.source);
	txn_todo(t, TODO_GONE, q->from, &q->r.source, NULL);
}

/* REPLACE needs what STORE of \Deleted and EXPUNGE need, too (RFC 8508 4.1). */
static bool
may(struct txn *t, struct append_request *q)
{
	return acl_allows(t, &q->r, q->mailbox, STORE_RIGHT_INSERT) &&
	    (q->from == 0 || acl_allows(t, &q->r, q->from, STORE_RIGHT_DELETE | STORE_RIGHT_EXPUNGE));
}

static void
append_apply(struct txn *t, struct store_request *r)
{
	struct append_request *q = (struct append_request *)r;
	struct open_mbox *o = txn_mbox(t, q->mailbox);
	struct row_message replaced;
	struct uidset none;
	unsigned rights = acl_granted(t, r, q->mailbox);

	if (o == NULL || strcmp(o->m.dir, q->dir) != 0) {
		request_refuse(r, STORE_NONEXISTENT, "mailbox %u", q->mailbox);
		return;
	}
	if (!may(t, q) || !find_replaced(t, q, &replaced) || !check(t, q, o, rights, replaced.size))
		return;
	r->mailbox = q->mailbox;
	r->uidvalidity = o->m.row.uidvalidity;
	r->modseq = txn_bump(o);
	for (size_t i = 0; i < q->n; i++)
		add(t, q, o, rights, &q->p[i]);
	uidset_init(&none);
	change_write(&t->s, &o->m, &r->uids, &none);
	txn_todo(t, TODO_PLACE, o->m.number, &r->uids, NULL);
	if (q->from != 0)
		remove_replaced(t, q, &replaced);
}

/* Of what was not taken nothing stays in tmp/. */
static void
append_after(struct work *w, struct store_request *r)
{
	struct append_request *q = (struct append_request *)r;
	struct mdir d;

	if ((r->code == STORE_OK && w->rc == 0 && w->err.class == ERR_NONE) || !mdir_open(w->u, q->dir, &d))
		return;
	for (size_t i = 0; i < q->n; i++)
		if (q->p[i].linked)
			unlinkat(d.tmp, q->p[i].base, 0);
	mdir_close(&d);
}

static void
append_fini(struct store_request *r)
{
	struct append_request *q = (struct append_request *)r;

	for (size_t i = 0; i < q->n; i++)
		store_stage_free(q->p[i].stage);
	arena_fini(&q->arena);
}

static const struct request_kind append_kind = { "append", append_prepare, append_apply, append_after, append_fini,
	false, NULL };

static void
take(struct append_request *q, struct store_user *u, struct appended *a, const struct store_new *from)
{
	a->stage = from->stage;
	a->flags = from->flags & STORE_FLAGS_ALL;
	a->nkeywords = from->nkeywords;
	a->keywords = arena_array(&q->arena, from->nkeywords, sizeof *a->keywords);
	for (size_t i = 0; i < from->nkeywords; i++)
		a->keywords[i] = arena_str(&q->arena, from->keywords[i]);
	a->internal_date = from->internal_date == STORE_DATE_NOW ? wall_seconds(wall_now()) : from->internal_date;
	fname_base(a->base, store_clock_next(u->store), id_new(), u->store->config.host);
}

static struct append_request *
append_new(struct store_user *u, uint32_t mailbox, const struct store_new *messages, size_t n, uint64_t limit,
    struct store_done done)
{
	struct append_request *q = (struct append_request *)request_new(sizeof *q, &append_kind, done);

	ASSERT(n > 0);
	q->mailbox = mailbox;
	q->r.look = mailbox;
	q->limit = limit;
	arena_init(&q->arena);
	q->p = arena_array(&q->arena, n, sizeof *q->p);
	q->n = n;
	for (size_t i = 0; i < n; i++)
		take(q, u, &q->p[i], &messages[i]);
	return q;
}

struct store_request *
store_append(struct store_user *u, uint32_t mailbox, const struct store_new *messages, size_t n, uint64_t limit,
    struct store_done done)
{
	return work_submit(u, &append_new(u, mailbox, messages, n, limit, done)->r);
}

struct store_request *
store_replace(struct store_user *u, uint32_t mailbox, const struct store_new *message, uint32_t from, uint32_t uid,
    uint64_t limit, struct store_done done)
{
	struct append_request *q = append_new(u, mailbox, message, 1, limit, done);

	q->from = from;
	q->replaced = uid;
	return work_submit(u, &q->r);
}
