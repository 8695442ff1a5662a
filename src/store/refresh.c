/* refresh.c - looking at directories when a session wants to see what is new, and cache rows that a session made. */
#include <stdlib.h>

#include "view.h"
#include "work.h"

static const struct request_kind refresh_kind = { .name = "refresh" };

struct refresh {
	struct store_request r;
	struct store_user *u; /* when no work is needed */
};

/* Rows for what is in the index already; such a work looks at no directory and leaves u->seen alone. */
static bool
is_aside(const struct work *w)
{
	return w->kind == WORK_CACHE || w->kind == WORK_GRAMS;
}

/* Everything that was asked or has come is in the index, and nobody changes it. */
static bool
is_at_rest(const struct store_user *u)
{
	return u->state == USER_READY && (u->running == NULL || is_aside(u->running)) && u->first_request == NULL
	    && u->first_arrival == NULL && !u->rebuild;
}

/* A look at two times tells, for a mailbox of which nothing has been changed lately. */
static bool
is_unchanged(struct store_user *u, uint32_t mailbox)
{
	struct err e;
	struct store_view *v = is_at_rest(u) ? store_view_open(u, &e) : NULL;
	const struct mbox *m = v != NULL ? view_mbox(v, mailbox) : NULL;
	struct mdir d;
	bool unchanged = false;

	if (m != NULL && mdir_open(u, m->dir, &d)) {
		unchanged = look_is_needless(u, mailbox, &d);
		mdir_close(&d);
	}
	store_view_close(v);
	return unchanged;
}

static void
tell_unchanged(void *ctx)
{
	struct refresh *q = ctx;
	struct store_request *r = &q->r;
	struct store_user *u = q->u;

	if (r->done.fn != NULL && !u->store->closing)
		r->done.fn(r->done.ctx, &(struct store_result){ .code = STORE_OK, .err = &r->err, .uids = &r->uids,
			.source = &r->source, .failed = &r->failed });
	request_free(r);
	store_user_unref(u);
}

struct store_request *
store_refresh(struct store_user *u, uint32_t mailbox, struct store_done done)
{
	struct refresh *q = (struct refresh *)request_new(sizeof *q, &refresh_kind, done);

	q->r.look = mailbox != 0 ? mailbox : LOOK_ALL;
	if (mailbox == 0 || !is_unchanged(u, mailbox))
		return work_submit(u, &q->r);
	q->u = u;
	store_user_ref(u);
	loop_defer(u->store->config.loop, tell_unchanged, q);
	return &q->r;
}

struct cache_request {
	struct store_request r;
	uint32_t mailbox;
	uint32_t uid;
	struct store_made made;
};

static void
cache_apply(struct txn *t, struct store_request *r)
{
	struct cache_request *q = (struct cache_request *)r;
	struct key k = key_message(q->mailbox, q->uid);
	struct row_message row;

	if (!message_read(&t->s, q->mailbox, q->uid, &row))
		return;
	snap_put(&t->s, T_CACHE, key_val(&k), str_val(buf_str(&q->made.row)));
	snap_put(&t->s, T_KEYS, key_val(&k), str_val(buf_str(&q->made.keys)));
}

static void
cache_fini(struct store_request *r)
{
	struct cache_request *q = (struct cache_request *)r;

	buf_fini(&q->made.row);
	buf_fini(&q->made.keys);
}

static const struct request_kind cache_kind = { .name = "cache", .apply = cache_apply, .fini = cache_fini };

void
store_cache_put(struct store_user *u, uint32_t mailbox, uint32_t uid, struct str row, struct str keys)
{
	struct cache_request *q = (struct cache_request *)request_new(sizeof *q, &cache_kind, (struct store_done){ 0 });

	q->mailbox = mailbox;
	q->uid = uid;
	buf_init(&q->made.row, row.n);
	buf_add(&q->made.row, row);
	buf_init(&q->made.keys, keys.n);
	buf_add(&q->made.keys, keys);
	work_submit_later(u, &q->r);
}
