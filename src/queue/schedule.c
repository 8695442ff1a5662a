/* schedule.c - finding what is due. The schedule is a table of the ledger: nothing of it is kept in memory. */
#include "schedule.h"

#include <sodium.h>

#include "attempt.h"

enum {
	STARTS_MAX = 64,       /* attempts started in one turn of the loop */
	FIRST_RETRY_MS = 2000, /* a store is back within a second */
	LAST_RETRY_MS = 900000,
	SLEEP_MAX_MS = 60000, /* the wall clock may be set meanwhile */
	PAUSE_MS = 10000,
};

struct wall
schedule_next_try(struct wall now, uint32_t attempts)
{
	int64_t ms = FIRST_RETRY_MS;

	for (uint32_t i = 1; i < attempts && ms < LAST_RETRY_MS; i++)
		ms *= 2;
	if (ms > LAST_RETRY_MS)
		ms = LAST_RETRY_MS;
	ms += ms / 5 - (int64_t)randombytes_uniform((uint32_t)(ms * 2 / 5));
	return (struct wall){ now.us + ms * 1000 };
}

void
schedule_soon(struct queue *q)
{
	if (!q->draining)
		loop_timer_start(&q->wake, 0);
}

void
schedule_pause(struct queue *q)
{
	q->pause = mono_add_ms(mono_now(), PAUSE_MS);
}

static void
sleep_ms(struct queue *q, int64_t ms)
{
	loop_timer_start(&q->wake, ms < SLEEP_MAX_MS ? ms : SLEEP_MAX_MS);
}

/* Messages that are due and free, marked busy; the timer is set for the next one that is not due yet. */
static unsigned
collect(struct queue *q, MDB_txn *t, struct id found[static STARTS_MAX])
{
	int64_t now = wall_now().us;
	int64_t due = 0;
	struct ledger_key k = { .number = 0 };
	unsigned n = 0;

	while (ledger_next_due(&q->ledger, t, &due, &k) == 0) {
		if (due > now) {
			sleep_ms(q, (due - now) / 1000 + 1);
			break;
		}
		if (q->delivering + n >= q->options.limits.deliveries)
			break; /* the end of one of them looks again */
		if (n == STARTS_MAX) {
			sleep_ms(q, 0);
			break;
		}
		if (busy_take_message(q, k.qid))
			found[n++] = k.qid;
		k.number++;
	}
	return n;
}

void
schedule_run(struct queue *q)
{
	struct id found[STARTS_MAX];
	MDB_txn *t;
	unsigned n;

	if (q->draining)
		return;
	if (mono_before(mono_now(), q->pause)) {
		sleep_ms(q, mono_ms_between(q->pause, mono_now()));
		return;
	}
	t = ledger_read(&q->ledger);
	if (t == NULL)
		return;
	n = collect(q, t, found);
	mdb_txn_abort(t);
	for (unsigned i = 0; i < n; i++)
		attempt_start(q, found[i]);
}
