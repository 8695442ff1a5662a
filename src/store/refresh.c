/* refresh.c - looking at directories when a session wants to see what is new, and cache rows that a session made. */
#include <stdlib.h>

#include "work.h"

static const struct request_kind refresh_kind = { .name = "refresh" };

struct store_request *
store_refresh(struct store_user *u, uint32_t mailbox, struct store_done done)
{
	struct store_request *r = request_new(sizeof *r, &refresh_kind, done);

	r->look = mailbox != 0 ? mailbox : LOOK_ALL;
	return work_submit(u, r);
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
