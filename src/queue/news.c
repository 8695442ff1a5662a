/* news.c - what was learnt of destinations on its way to the ledger: collected for a moment, then many in one transaction. A crash
 * loses the moment: a destination that rested is tried once more, a few sessions are not counted. Policies do not wait. */
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "destination.h"
#include "schedule.h"

enum { BATCH = 64, WAIT_MS = 1000, VALUE_MAX = QUEUE_STS_MAX + 1024 };
_Static_assert((int)VALUE_MAX > (int)RECORD_MAX, "a record fits, too");

struct row {
	MDB_dbi table;
	struct destination *of; /* held by its count of writings */
	struct buf value;
};

struct news {
	struct commit_op op; /* must be first */
	struct queue *q;
	struct row rows[BATCH];
	size_t n;
};

void
news_soon(struct queue *q)
{
	loop_timer_start(&q->write_news, WAIT_MS);
}

static int
apply(struct commit_op *op, struct ledger *l, MDB_txn *t)
{
	const struct news *n = (const struct news *)op;
	int rc = 0;

	(void)l;
	for (size_t i = 0; i < n->n && rc == 0; i++)
		rc = ledger_put_named(t, n->rows[i].table, str_of(n->rows[i].of->name), buf_str(&n->rows[i].value));
	return rc;
}

/* Jobs read the policy from the ledger: they wait until it is there, or ask for it once more. */
static void
policy_written(struct destination *d, bool ok)
{
	d->asking = false;
	if (!ok)
		d->sts_check.us = 0;
}

static void
written(struct destination *d, bool ok)
{
	d->writing--;
	if (!ok) {
		destination_news(d);
	} else if (!d->dirty && d->writing == 0) {
		free(d->record);
		d->record = NULL;
	}
	destination_arrange(d);
}

static void
done(struct commit_op *op)
{
	const struct news *n = (const struct news *)op;
	struct queue *q = n->q;

	q->changing--;
	if (op->err.class != ERR_NONE) {
		log_say(LEVEL_WARN, "error", "queue: what was learnt of destinations: %s", op->err.log);
		schedule_pause(q); /* a policy that is not kept is asked for again, but not at once */
	}
	if (n->n > 0 && n->rows[0].table == q->ledger.sts)
		policy_written(n->rows[0].of, op->err.class == ERR_NONE);
	for (size_t i = 0; i < n->n; i++)
		written(n->rows[i].of, op->err.class == ERR_NONE);
	schedule_soon(q);
	queue_check_idle(q);
}

static void
release(struct commit_op *op)
{
	struct news *n = (struct news *)op;

	for (size_t i = 0; i < n->n; i++)
		buf_fini(&n->rows[i].value);
	free(n);
}

static struct buf *
add(struct news *n, struct destination *d, MDB_dbi table)
{
	struct row *r = &n->rows[n->n++];

	r->table = table;
	r->of = d;
	d->writing++;
	buf_init(&r->value, VALUE_MAX);
	return &r->value;
}

static void
collect(struct news *n)
{
	struct queue *q = n->q;
	struct destination *d;

	while (n->n < BATCH && (d = TAILQ_FIRST(&q->news)) != NULL) {
		TAILQ_REMOVE(&q->news, d, news);
		d->dirty = false;
		record_write(add(n, d, q->ledger.destination), d->record);
	}
}

static struct news *
begin(struct queue *q)
{
	struct news *n = NEW(struct news);

	n->q = q;
	n->op = (struct commit_op){ .file = -1, .apply = apply, .done = done, .free = release };
	return n;
}

static void
submit(struct news *n)
{
	n->q->changing++;
	commit_submit(n->q->commit, &n->op);
}

void
news_write(struct queue *q)
{
	while (!TAILQ_EMPTY(&q->news)) {
		struct news *n = begin(q);

		collect(n);
		submit(n);
	}
}

void
news_write_sts(struct destination *d, const struct record_sts *sts)
{
	struct news *n = begin(d->q);

	d->asking = true;
	record_write_sts(add(n, d, d->q->ledger.sts), sts);
	submit(n);
}
