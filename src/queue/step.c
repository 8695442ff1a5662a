/* step.c - the wall clock was set while mail waited.
 *
 * Forward: what seems old now may never have had its tries; it gets the time that a queue has that was closed for long. Machines that
 * slept look the same. Backward: times that were planned lie far ahead; all that waits is tried at once. */
#include "step.h"

#include <postern/core/log.h>
#include <postern/queue/admin.h>

#include "schedule.h"

enum {
	STEP_S = 600,       /* smaller ones are like any pause */
	LOOKED_AT = 20000, /* places of the schedule, at the start */
};

static void
on_retried(void *ctx, uint64_t recipients, const struct err *e)
{
	struct queue *q = ctx;

	q->retrying = false;
	if (e != NULL)
		log_say(LEVEL_ERROR, "error", "queue: all at once: %s", e->log);
	else
		log_say(LEVEL_INFO, "retry", "the clock was set back: %llu recipients are tried at once",
		    (unsigned long long)recipients);
}

static void
retry_all(struct queue *q)
{
	const struct queue_selection all = { .all = true, .domain = STR(""), .destination = STR("") };

	if (q->retrying)
		return;
	q->retrying = true;
	queue_act(q, QUEUE_ACT_RETRY, &all, on_retried, q);
}

void
step_check(struct queue *q)
{
	int64_t ahead = wall_now().us - mono_now().ns / 1000;
	int64_t step_s = (ahead - q->ahead_us) / 1000000;

	q->ahead_us = ahead;
	if (step_s > -STEP_S && step_s < STEP_S)
		return;
	log_say(LEVEL_WARN, "clock", "the clock was set by %lld seconds, or the machine slept", (long long)step_s);
	q->opened = wall_now();
	if (step_s < 0)
		retry_all(q);
}

void
step_check_place(struct queue *q, struct wall next_try)
{
	int64_t pause_s = 2 * q->options.limits.retry_last_s + STEP_S;

	if (next_try.us > wall_now().us + pause_s * 1000000)
		retry_all(q);
}

/* Of mail for other hosts the schedule has deadlines, which may be days ahead. */
static bool
is_planned_wrongly(struct queue *q, MDB_txn *t, struct ledger_key k)
{
	struct row_recipient r;

	return ledger_get_recipient(&q->ledger, t, k, &r) == 0 && r.kind != ROW_REMOTE && r.state == QUEUE_WAITING;
}

void
step_check_due(struct queue *q)
{
	MDB_txn *t = ledger_read(&q->ledger);
	int64_t due = wall_now().us + (2 * SCHEDULE_LAST_RETRY_MS + STEP_S * INT64_C(1000)) * 1000;
	struct ledger_key k = { .number = 0 };
	bool wrong = false;

	for (unsigned n = 0; t != NULL && !wrong && n < LOOKED_AT && ledger_next_due(&q->ledger, t, &due, &k) == 0; n++, k.number++)
		wrong = is_planned_wrongly(q, t, k);
	if (t != NULL)
		mdb_txn_abort(t);
	if (wrong)
		retry_all(q);
}
