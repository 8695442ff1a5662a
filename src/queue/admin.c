/* admin.c - the operator's view: pages of the ledger, and actions on many recipients in slices of a transaction
 * each. */
#include <postern/queue/admin.h>

#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "change.h"
#include "job.h"
#include "schedule.h"

/* --- looking ------------------------------------------------------------------------------------------------------ */

/* What waits for another host waits for its destination, too. */
static struct wall
next_try(struct queue *q, const struct row_recipient *r)
{
	const struct destination *d;
	struct wall next = r->next_try;

	if (r->kind != ROW_REMOTE || r->state != QUEUE_WAITING)
		return (struct wall){ row_due(r) };
	d = destination_find(q, r->destination);
	if (d != NULL && d->rest_until.us > next.us)
		next = d->rest_until;
	return next;
}

/* Mail that was never tried says why its destination rests. */
static void
say_why(struct queue *q, const struct row_recipient *r, struct record *known, struct queue_recipient_info *info)
{
	if (r->kind != ROW_REMOTE || r->state != QUEUE_WAITING || r->attempts > 0)
		return;
	if (!destination_record(q, r->destination, known) || known->text[0] == '\0')
		return;
	info->status = str_of(known->status);
	info->reason = str_of(known->text);
}

static void
show_recipient(struct queue *q, struct ledger_key k, const struct row_recipient *r, const struct queue_view *v, void *ctx)
{
	struct queue_recipient_info info = { .qid = k.qid, .number = k.number, .state = r->state,
		.address = r->address, .target = r->kind == ROW_RESOLVE ? STR("") : r->target,
		.local = r->kind == ROW_LOCAL,
		.attempts = r->attempts, .next_try = next_try(q, r), .last_try = r->last_try, .status = r->status,
		.reason = r->reason, .destination = r->destination, .under_way = job_has(q, k), .last = r->last };
	struct record known;

	say_why(q, r, &known, &info);
	v->recipient(ctx, &info);
}

static void
show_message(struct queue *q, MDB_txn *t, struct id qid, const struct row_message *m, const struct queue_view *v,
    void *ctx)
{
	const struct queue_message_info info = { .qid = qid, .size = m->message_size, .received = m->received,
		.flags = m->flags, .sender = m->sender, .sid = m->sid, .client = m->client, .helo = m->helo,
		.login = m->login, .envid = m->envid };
	struct row_recipient r;

	v->message(ctx, &info);
	for (uint32_t at = 0; ledger_next_recipient(&q->ledger, t, qid, &at, &r) == 0; at++)
		show_recipient(q, (struct ledger_key){ qid, at }, &r, v, ctx);
}

bool
queue_list(struct queue *q, struct id *at, unsigned max, const struct queue_view *view, void *ctx)
{
	MDB_txn *t = ledger_read(&q->ledger);
	struct row_message m;
	bool more = t != NULL;

	for (unsigned n = 0; more && n < max; n++) {
		more = ledger_next_message(&q->ledger, t, at, &m) == 0;
		if (more)
			show_message(q, t, *at, &m, view, ctx);
	}
	if (t != NULL)
		mdb_txn_abort(t);
	return more;
}

static void
add_header(struct queue *q, struct id qid, struct buf *out)
{
	struct envelope_reader r;
	struct err e;
	int fd = content_open(q, qid, &e);
	bool ok;

	if (fd == -1) {
		log_say(LEVEL_WARN, "error", "queue: show: %s", e.log);
		return;
	}
	ok = envelope_open(&r, fd, &e) && envelope_read_message(&r, 0, out->max - out->n, out, &e);
	envelope_close(&r);
	io_close(&fd);
	if (ok)
		buf_cut(out, str_search(buf_str(out), STR("\r\n\r\n")));
}

bool
queue_show(struct queue *q, struct id qid, const struct queue_view *view, void *ctx, struct buf *header)
{
	MDB_txn *t = ledger_read(&q->ledger);
	struct row_message m;
	bool found = t != NULL && ledger_get_message(&q->ledger, t, qid, &m) == 0;

	if (found)
		show_message(q, t, qid, &m, view, ctx);
	if (t != NULL)
		mdb_txn_abort(t);
	if (found && header != NULL)
		add_header(q, qid, header);
	return found;
}

/* --- acting ------------------------------------------------------------------------------------------------------- */

enum { SLICE = 200 }; /* messages of a transaction */

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
	struct buf domain;
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

static void
wake_row(struct row_recipient *r, struct wall now, const char *reason)
{
	r->next_try = now;
	r->reason = str_of(reason);
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
	case QUEUE_ACT_DELETE:
		return true;
	}
	return false;
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
	act_submit(a);
}

static void
act_done(struct commit_op *op)
{
	struct act *a = (struct act *)op;
	struct queue *q = a->q;

	q->changing--;
	if (op->err.class == ERR_NONE)
		tell_deleted(a);
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
	a->done = done;
	a->ctx = ctx;
	a->now = wall_now();
	act_submit(a);
}
