/* change.c - applying a change in the commit thread. It may run twice: the rows it is made of are not touched. */
#include "change.h"

#include <errno.h>
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

struct change *
change_new(struct queue *q)
{
	struct change *c = NEW(struct change);

	c->q = q;
	c->content = -1;
	c->op.file = -1;
	arena_init(&c->mem);
	return c;
}

struct row_recipient *
change_rows(struct change *c, uint32_t n)
{
	c->nrows = n;
	return c->rows = arena_array(&c->mem, n, sizeof *c->rows);
}

struct row_update *
change_updates(struct change *c, struct id qid, uint32_t n)
{
	c->has_old = true;
	c->old_qid = qid;
	c->nupdates = n;
	return c->updates = arena_array(&c->mem, n, sizeof *c->updates);
}

static struct queue_last_host *
keep_host(struct arena *a, const struct queue_last_host *h)
{
	struct queue_last_host *kept = ARENA_NEW(a, struct queue_last_host);

	*kept = *h;
	kept->host = arena_str(a, h->host);
	kept->ip = arena_str(a, h->ip);
	kept->why = arena_str(a, h->why);
	return kept;
}

void
change_keep(struct change *c)
{
	for (uint32_t i = 0; i < c->nupdates; i++) {
		struct row_update *u = &c->updates[i];

		u->status = arena_str(&c->mem, u->status);
		u->reason = arena_str(&c->mem, u->reason);
		u->destination = arena_str(&c->mem, u->destination);
		u->last = u->last != NULL ? keep_host(&c->mem, u->last) : NULL;
	}
}

void
change_drop(struct change *c)
{
	io_close(&c->content);
	arena_fini(&c->mem);
	free(c);
}

static void
change_free(struct commit_op *op)
{
	change_drop((struct change *)op);
}

static int
put_rows(const struct change *c, struct ledger *l, MDB_txn *t, struct id qid, uint32_t from)
{
	int rc = 0;

	for (uint32_t i = 0; i < c->nrows && rc == 0; i++)
		rc = ledger_put_recipient(l, t, (struct ledger_key){ qid, from + i }, &c->rows[i]);
	return rc;
}

static int
apply_new(const struct change *c, struct ledger *l, MDB_txn *t)
{
	struct row_message m = c->message;
	int rc;

	m.next_number = c->nrows;
	rc = ledger_add_message(l, t, c->new_qid, &m);
	if (rc == 0 && !m.in_file)
		rc = ledger_add_content(l, t, c->new_qid, c->content, m.file_size);
	return rc == 0 ? put_rows(c, l, t, c->new_qid, 0) : rc;
}

static void
update_try(struct row_recipient *r, const struct row_update *u)
{
	if (u->tried.us != 0) {
		r->attempts++;
		r->last_try = u->tried;
	}
	r->next_try = u->next_try;
	r->status = u->status;
	r->reason = u->reason;
	if (u->last != NULL)
		r->last = *u->last;
}

static void
update_row(struct row_recipient *r, const struct row_update *u)
{
	switch (u->kind) {
	case UPDATE_RETRY:
		update_try(r, u);
		break;
	case UPDATE_FAIL:
		update_try(r, u);
		r->state = QUEUE_FAILED;
		break;
	case UPDATE_HOLD:
		update_try(r, u);
		r->state = QUEUE_HELD;
		break;
	case UPDATE_WARNED:
		r->warned = true;
		break;
	case UPDATE_MOVE:
		if (!row_is_rerouted(r)) /* by the operator, while this waited */
			r->destination = u->destination;
		break;
	case UPDATE_LATER:
	case UPDATE_DELETE:
		break;
	}
	if (u->deadline.us != 0)
		r->deadline = u->deadline;
}

/* A row that is gone was deleted by the operator meanwhile: nothing is owed any more. */
static int
apply_update(const struct change *c, const struct row_update *u, struct ledger *l, MDB_txn *t)
{
	struct ledger_key k = { c->old_qid, u->number };
	struct row_recipient r;
	int rc;

	if (u->kind == UPDATE_DELETE) {
		rc = ledger_del_recipient(l, t, k);
		return rc == MDB_NOTFOUND ? 0 : rc;
	}
	rc = ledger_get_recipient(l, t, k, &r);
	if (rc != 0)
		return rc == MDB_NOTFOUND ? 0 : rc;
	update_row(&r, u);
	return ledger_put_recipient(l, t, k, &r);
}

/* What an address was resolved to: more recipients of a message that is there. */
static int
apply_more(const struct change *c, struct ledger *l, MDB_txn *t)
{
	struct row_message m;
	uint32_t from;
	int rc = ledger_get_message(l, t, c->old_qid, &m);

	if (rc != 0)
		return rc;
	from = m.next_number;
	m.next_number += c->nrows;
	rc = ledger_set_message(l, t, c->old_qid, &m);
	return rc == 0 ? put_rows(c, l, t, c->old_qid, from) : rc;
}

static bool
still_owed(const struct change *c, struct ledger *l, MDB_txn *t)
{
	struct row_recipient r;

	return ledger_get_recipient(l, t, (struct ledger_key){ c->old_qid, c->updates[0].number }, &r) == 0;
}

static int
apply_old(struct change *c, struct ledger *l, MDB_txn *t)
{
	int rc = 0;

	/* the rows that replace one the operator deleted meanwhile would bring it back */
	if (!c->adds_message && c->nrows > 0 && still_owed(c, l, t))
		rc = apply_more(c, l, t);
	for (uint32_t i = 0; i < c->nupdates && rc == 0; i++)
		rc = apply_update(c, &c->updates[i], l, t);
	return rc == 0 ? ledger_drop_if_settled(l, t, c->old_qid, &c->file_gone) : rc;
}

static int
change_apply(struct commit_op *op, struct ledger *l, MDB_txn *t)
{
	struct change *c = (struct change *)op;
	int rc = c->adds_message ? apply_new(c, l, t) : 0;

	return rc == 0 && c->has_old ? apply_old(c, l, t) : rc;
}

static void
change_after(struct commit_op *op)
{
	struct change *c = (struct change *)op;

	if (c->file_gone)
		spool_remove(&c->q->spool, c->old_qid);
}

static void
change_done(struct commit_op *op)
{
	struct change *c = (struct change *)op;
	struct queue *q = c->q;

	q->changing--;
	q->bytes_coming -= c->coming;
	if (c->done != NULL)
		c->done(c->ctx, c, op->err.class == ERR_NONE ? NULL : &op->err);
	queue_check_idle(q);
}

void
change_submit(struct change *c, void (*done)(void *ctx, struct change *c, const struct err *e), void *ctx)
{
	c->done = done;
	c->ctx = ctx;
	c->op.apply = change_apply;
	c->op.after = change_after;
	c->op.done = change_done;
	c->op.free = change_free;
	if (c->adds_message) {
		ASSERT(c->content != -1);
		c->op.qid = c->new_qid;
		c->op.file = c->message.in_file ? c->content : -1;
		c->coming = c->message.file_size;
	}
	c->q->changing++;
	c->q->bytes_coming += c->coming;
	commit_submit(c->q->commit, &c->op);
}
