/* sort.c - walks over all recipients in slices, and writes those whose destination is another than it was. Rows of version 1 get
 * theirs here. */
#include "sort.h"

#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "schedule.h"

enum { SLICE = 500, PAUSE_MS = 10000 };

struct moved {
	struct ledger_key key;
	struct str destination;
};

struct sorting {
	struct commit_op op; /* must be first */
	struct queue *q;
	struct queue_limits limits;
	struct arena mem;
	struct moved rows[SLICE];
	size_t n;
};

/* --- in the commit thread ----------------------------------------------------------------------------------------- */

static int
move_row(const struct sorting *s, struct ledger *l, MDB_txn *t, const struct moved *to)
{
	struct row_recipient r;
	struct row_message m;
	int rc = ledger_get_recipient(l, t, to->key, &r);

	if (rc != 0 || r.kind != ROW_REMOTE || row_is_rerouted(&r)) /* by the operator, while this waited */
		return rc == MDB_NOTFOUND ? 0 : rc;
	r.destination = to->destination;
	if (r.deadline.us == 0) { /* of version 1 */
		if ((rc = ledger_get_message(l, t, to->key.qid, &m)) != 0)
			return rc == MDB_NOTFOUND ? 0 : rc;
		r.source = row_source(&m);
		r.deadline = schedule_deadline(&s->limits, &m, &r);
	}
	return ledger_put_recipient(l, t, to->key, &r);
}

static int
apply(struct commit_op *op, struct ledger *l, MDB_txn *t)
{
	const struct sorting *s = (const struct sorting *)op;
	int rc = 0;

	for (size_t i = 0; i < s->n && rc == 0; i++)
		rc = move_row(s, l, t, &s->rows[i]);
	return rc;
}

static void
done(struct commit_op *op)
{
	struct sorting *s = (struct sorting *)op;
	struct queue *q = s->q;

	q->changing--;
	if (op->err.class != ERR_NONE) {
		log_say(LEVEL_ERROR, "error", "queue: destinations anew: %s", op->err.log);
		sort_start(q);
		loop_timer_start(&q->slice, PAUSE_MS);
	} else {
		loop_timer_start(&q->slice, 0);
	}
	schedule_soon(q);
	queue_check_idle(q);
}

static void
release(struct commit_op *op)
{
	struct sorting *s = (struct sorting *)op;

	arena_fini(&s->mem);
	free(s);
}

/* --- in the loop -------------------------------------------------------------------------------------------------- */

static void
look_at(struct sorting *s, struct ledger_key k, const struct row_recipient *r)
{
	struct queue_destination to;

	if (r->kind != ROW_REMOTE || row_is_rerouted(r))
		return;
	schedule_destination(s->q, r->target, &to);
	if (!str_eq(r->destination, str_of(to.name)))
		s->rows[s->n++] = (struct moved){ k, arena_str(&s->mem, str_of(to.name)) };
}

static void
collect(struct sorting *s)
{
	struct queue *q = s->q;
	MDB_txn *t = ledger_read(&q->ledger);
	struct row_recipient r;

	for (unsigned n = 0; n < SLICE && q->sorting; n++) {
		q->sorting = t != NULL && ledger_next_row(&q->ledger, t, &q->sorted, &r) == 0;
		if (q->sorting)
			look_at(s, q->sorted, &r);
	}
	if (t != NULL)
		mdb_txn_abort(t);
}

void
sort_slice(struct queue *q)
{
	struct sorting *s = NEW(struct sorting);

	s->op = (struct commit_op){ .file = -1, .apply = apply, .done = done, .free = release };
	s->q = q;
	s->limits = q->options.limits;
	arena_init(&s->mem);
	collect(s);
	if (s->n > 0) {
		q->changing++;
		commit_submit(q->commit, &s->op);
		return;
	}
	release(&s->op);
	if (q->sorting)
		loop_timer_start(&q->slice, 0);
}

void
sort_start(struct queue *q)
{
	q->sorted = (struct ledger_key){ .number = 0 };
	q->sorting = true;
	if (!q->loading)
		loop_timer_start(&q->slice, 0);
}
