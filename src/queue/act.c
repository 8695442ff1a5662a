/* act.c - the operator's actions on many recipients, in slices of a transaction each. */
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/queue/admin.h>

#include "destination.h"
#include "schedule.h"
#include "sort.h"

enum {
	SLICE = 200, /* messages of a transaction */
	GRACE_S = 600,
};

struct touched {
	struct id qid;
	bool file_gone, gone;
};

struct act {
	struct commit_op op; /* must be first */
	struct queue *q;
	enum queue_action action;
	bool all;
	struct id *ids;
	size_t nids;
	struct buf domain, destination;
	void (*done)(void *ctx, uint64_t recipients, const struct err *e);
	void *ctx;
	struct wall now;
	uint64_t total; /* of the slices before */
	/* where this slice begins: index into ids, or the message before */
	size_t next_id;
	struct id after;
	/* results of this slice */
	struct touched touched[SLICE];
	size_t n;
	uint64_t count;
	struct buf woken; /* destinations that rest no longer, each with a zero byte */
	size_t to_id;
	struct id to;
	bool last;
};

static bool
in_domain(const struct act *a, struct str address)
{
	struct str domain = buf_str(&a->domain);

	return domain.n == 0 || str_eq_nocase(str_sub(address, str_rfind(address, '@') + 1, address.n), domain);
}

/* One try at least before it is given up. */
static void
wake_row(struct row_recipient *r, struct wall now, const char *reason)
{
	int64_t enough = now.us + GRACE_S * (int64_t)1000000;

	r->next_try = now;
	r->reason = str_of(reason);
	if (r->kind == ROW_REMOTE && r->deadline.us < enough)
		r->deadline.us = enough;
}

static bool
reroute_row(const struct act *a, struct row_recipient *r)
{
	if (r->kind != ROW_REMOTE || r->state == QUEUE_FAILED)
		return false;
	r->destination = buf_str(&a->destination);
	if (r->state == QUEUE_WAITING)
		wake_row(r, a->now, "sent another way by the operator");
	return true;
}

/* False when the action does not concern a recipient in this state. */
static bool
act_on_row(const struct act *a, struct row_recipient *r)
{
	switch (a->action) {
	case QUEUE_ACT_HOLD:
		if (r->state != QUEUE_WAITING)
			return false;
		r->state = QUEUE_HELD;
		r->reason = STR("held by the operator");
		return true;
	case QUEUE_ACT_RELEASE:
		if (r->state != QUEUE_HELD)
			return false;
		r->state = QUEUE_WAITING;
		wake_row(r, a->now, "released by the operator");
		return true;
	case QUEUE_ACT_RETRY:
		if (r->state != QUEUE_WAITING)
			return false;
		wake_row(r, a->now, "to be tried again at once");
		return true;
	case QUEUE_ACT_REROUTE:
		return reroute_row(a, r);
	case QUEUE_ACT_DELETE:
		return true;
	}
	return false;
}

static void
wake_destination(struct act *a, const struct row_recipient *r)
{
	if (a->action == QUEUE_ACT_DELETE || a->action == QUEUE_ACT_HOLD || r->kind != ROW_REMOTE)
		return;
	buf_add(&a->woken, r->destination);
	buf_add_char(&a->woken, '\0');
}

static int
act_on_message(struct act *a, struct ledger *l, MDB_txn *t, struct id qid)
{
	struct touched *done = &a->touched[a->n++];
	struct row_recipient r;
	uint32_t at = 0;
	int rc;

	*done = (struct touched){ .qid = qid };
	for (; (rc = ledger_next_recipient(l, t, qid, &at, &r)) == 0; at++) {
		const struct ledger_key k = { qid, at };

		if (!in_domain(a, r.target) || !act_on_row(a, &r))
			continue;
		a->count++;
		wake_destination(a, &r);
		rc = a->action == QUEUE_ACT_DELETE ? ledger_del_recipient(l, t, k) : ledger_put_recipient(l, t, k, &r);
		if (rc != 0)
			return rc;
		done->gone = a->action == QUEUE_ACT_DELETE;
	}
	if (rc == MDB_NOTFOUND && done->gone)
		rc = ledger_drop_if_settled(l, t, qid, &done->file_gone);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The next message of the selection; false at its end. */
static bool
next_message(struct act *a, struct ledger *l, MDB_txn *t, int *rc)
{
	struct row_message m;

	if (!a->all) {
		if (a->to_id == a->nids)
			return false;
		a->to = a->ids[a->to_id++];
		return true;
	}
	*rc = ledger_next_message(l, t, &a->to, &m);
	if (*rc == MDB_NOTFOUND)
		*rc = 0;
	else if (*rc == 0)
		return true;
	return false;
}

static int
act_apply(struct commit_op *op, struct ledger *l, MDB_txn *t)
{
	struct act *a = (struct act *)op;
	int rc = 0;

	a->n = 0;
	buf_clear(&a->woken);
	a->count = 0;
	a->to_id = a->next_id;
	a->to = a->after;
	a->last = false;
	while (rc == 0 && a->n < SLICE && !a->last) {
		if (next_message(a, l, t, &rc))
			rc = act_on_message(a, l, t, a->to);
		else
			a->last = true;
	}
	return rc;
}

static void
act_after(struct commit_op *op)
{
	struct act *a = (struct act *)op;

	for (size_t i = 0; i < a->n; i++)
		if (a->touched[i].file_gone)
			spool_remove(&a->q->spool, a->touched[i].qid);
}

static void
act_free(struct commit_op *op)
{
	struct act *a = (struct act *)op;

	buf_fini(&a->domain);
	buf_fini(&a->destination);
	buf_fini(&a->woken);
	free(a->ids);
	free(a);
}

static void
tell_deleted(const struct act *a)
{
	struct log_line l;
	char qid[ID_TEXT_SIZE];

	for (size_t i = 0; i < a->n; i++) {
		if (!a->touched[i].gone)
			continue;
		id_text(a->touched[i].qid, qid);
		log_begin(&l, LEVEL_INFO, "delete");
		log_cstr(&l, "qid", qid);
		log_cstr(&l, "why", "deleted by the operator");
		log_end(&l);
	}
}

static void act_submit(struct act *a);

/* An operation is freed after its answer: the next slice is a new one that takes everything over. */
static void
next_slice(struct act *was)
{
	struct act *a = NEW(struct act);

	*a = *was;
	a->total += was->count;
	a->next_id = was->to_id;
	a->after = was->to;
	was->ids = NULL;
	buf_init(&was->domain, 0);
	buf_init(&was->destination, 0);
	buf_init(&was->woken, 0);
	act_submit(a);
}

static void
wake_all(struct act *a)
{
	struct str rest = buf_str(&a->woken);
	struct destination *d;
	struct str name;

	while (str_cut(&rest, '\0', &name)) {
		d = destination_find(a->q, name);
		if (d == NULL)
			continue;
		destination_wake(d);
		destination_arrange(d);
	}
}

static void
act_done(struct commit_op *op)
{
	struct act *a = (struct act *)op;
	struct queue *q = a->q;

	q->changing--;
	if (op->err.class == ERR_NONE) {
		tell_deleted(a);
		wake_all(a);
	}
	if (a->action == QUEUE_ACT_REROUTE && a->destination.n == 0)
		sort_start(q); /* which finds where they belong */
	if (op->err.class != ERR_NONE)
		a->done(a->ctx, a->total, &op->err);
	else if (a->last)
		a->done(a->ctx, a->total + a->count, NULL);
	else
		next_slice(a);
	schedule_soon(q);
	queue_check_idle(q);
}

static void
act_submit(struct act *a)
{
	a->op = (struct commit_op){ .file = -1, .apply = act_apply, .after = act_after, .done = act_done,
		.free = act_free };
	a->q->changing++;
	commit_submit(a->q->commit, &a->op);
}

void
queue_act(struct queue *q, enum queue_action action, const struct queue_selection *sel,
    void (*done)(void *ctx, uint64_t recipients, const struct err *e), void *ctx)
{
	struct act *a = NEW(struct act);

	a->q = q;
	a->action = action;
	a->all = sel->all;
	a->nids = sel->n;
	a->ids = mem_array(sel->n, sizeof *a->ids);
	if (sel->n > 0)
		memcpy(a->ids, sel->ids, sel->n * sizeof *a->ids);
	buf_init(&a->domain, ENVELOPE_ADDRESS_MAX);
	buf_add(&a->domain, sel->domain);
	buf_init(&a->destination, QUEUE_DESTINATION_SIZE - 1);
	buf_add(&a->destination, sel->destination);
	buf_init(&a->woken, SIZE_MAX);
	a->done = done;
	a->ctx = ctx;
	a->now = wall_now();
	act_submit(a);
}
