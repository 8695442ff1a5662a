/* schedule.c - when things are due, and finding what is: local recipients, bounces and deadlines in the table due of the ledger,
 * of which nothing is kept in memory; mail for other hosts in its lanes. */
#include "schedule.h"

#include <stdio.h>

#include <sodium.h>

#include <postern/message/address.h>

#include "ask.h"
#include "attempt.h"
#include "dispatch.h"
#include "job.h"
#include "step.h"
#include "record.h"

enum {
	STARTS_MAX = 64,       /* attempts started in one turn of the loop */
	FIRST_RETRY_MS = 2000, /* a store is back within a second */
	SLEEP_MAX_MS = 60000, /* the wall clock may be set meanwhile */
	PAUSE_MS = 10000,
};

int64_t
schedule_pause_ms(int64_t first_ms, int64_t last_ms, uint32_t n)
{
	int64_t ms = first_ms;

	for (uint32_t i = 1; i < n && ms < last_ms; i++)
		ms *= 2;
	if (ms > last_ms)
		ms = last_ms;
	return ms + ms / 5 - (int64_t)randombytes_uniform((uint32_t)(ms * 2 / 5));
}

struct wall
schedule_next_try(struct wall now, uint32_t attempts)
{
	return (struct wall){ now.us + schedule_pause_ms(FIRST_RETRY_MS, SCHEDULE_LAST_RETRY_MS, attempts) * 1000 };
}

bool
schedule_is_over(const struct queue *q, const struct row_message *m)
{
	return wall_now().us - m->received.us >= q->options.limits.expire_s * 1000000;
}

bool
schedule_has_grace(const struct queue *q, const struct row_message *m)
{
	return m->received.us < q->opened.us && wall_now().us < q->opened.us + SCHEDULE_GRACE_S * (int64_t)1000000;
}

bool
schedule_gives_up(const struct queue *q, const struct row_message *m)
{
	return schedule_is_over(q, m) && !schedule_has_grace(q, m);
}

void
schedule_expired_words(const struct queue *q, struct str reason, char out[static QUEUE_TEXT_SIZE])
{
	static const struct {
		int64_t s;
		const char *name;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	int64_t s = q->options.limits.expire_s;
	char words[2 * QUEUE_TEXT_SIZE];
	size_t i = 0;

	while (s % units[i].s != 0)
		i++;
	s /= units[i].s;
	snprintf(words, sizeof words, "not delivered within %lld %s%s; the last reason: %.*s", (long long)s,
	    units[i].name, s == 1 ? "" : "s", STR_ARG(reason));
	record_text(out, QUEUE_TEXT_SIZE, str_of(words));
}

/* --- other hosts -------------------------------------------------------------------------------------------------- */

/* Domains as they are compared: lower-case A-labels. */
void
schedule_destination(const struct queue *q, struct str address, struct queue_destination *out)
{
	size_t at = str_rfind(address, '@');
	struct str domain = at < address.n ? str_sub(address, at + 1, address.n) : address;
	struct arena a;
	struct str canon;

	arena_init(&a);
	if (!str_starts(domain, STR("[")) && address_canon_domain(&a, domain, &canon))
		domain = canon;
	q->ops->destination(q->ctx, domain, out);
	arena_fini(&a);
}

struct wall
schedule_deadline(const struct queue_limits *l, const struct row_message *m, const struct row_recipient *r)
{
	bool warns = !r->warned && m->sender.n > 0 && row_wants(r->notify, ENVELOPE_NOTIFY_DELAY);
	int64_t s = warns && l->warn_s < l->expire_s ? l->warn_s : l->expire_s;

	return (struct wall){ m->received.us + s * 1000000 };
}

void
schedule_remote(const struct queue *q, struct arena *a, const struct row_message *m, struct row_recipient *r)
{
	struct queue_destination to;

	schedule_destination(q, r->target, &to);
	r->destination = arena_str(a, str_of(to.name));
	r->source = row_source(m);
	r->deadline = schedule_deadline(&q->options.limits, m, r);
	r->next_try = wall_now();
	r->reason = STR("waiting for the first try");
}

/* --- what is due -------------------------------------------------------------------------------------------------- */

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

/* The loop looks again then: microseconds since the epoch. */
static void
sleep_until(struct queue *q, int64_t us)
{
	int64_t ms = (us - wall_now().us) / 1000 + 1;

	loop_timer_start(&q->wake, ms < 0 ? 0 : ms < SLEEP_MAX_MS ? ms : SLEEP_MAX_MS);
}

/* Messages that are due and free, marked busy. *next: when the first is due that is not yet. */
static unsigned
collect(struct queue *q, MDB_txn *t, struct id found[static STARTS_MAX], int64_t *next)
{
	int64_t now = wall_now().us;
	int64_t due = 0;
	struct ledger_key k = { .number = 0 };
	unsigned n = 0;

	while (ledger_next_due(&q->ledger, t, &due, &k) == 0) {
		if (due > now || n == STARTS_MAX) {
			*next = due;
			break;
		}
		if (q->delivering + n >= q->options.limits.deliveries)
			break; /* the end of one of them looks again */
		if (busy_take_message(q, k.qid))
			found[n++] = k.qid;
		k.number++;
	}
	return n;
}

/* When to look again. */
static int64_t
attempt_run(struct queue *q)
{
	struct id found[STARTS_MAX];
	int64_t next = INT64_MAX;
	MDB_txn *t = ledger_read(&q->ledger);
	unsigned n;

	if (t == NULL)
		return next;
	n = collect(q, t, found, &next);
	mdb_txn_abort(t);
	for (unsigned i = 0; i < n; i++)
		attempt_start(q, found[i]);
	return next;
}

void
schedule_run(struct queue *q)
{
	int64_t local, remote;

	if (q->draining)
		return;
	step_check(q);
	ask_check(q);
	if (mono_before(mono_now(), q->pause)) {
		loop_timer_start(&q->wake, mono_ms_between(q->pause, mono_now()));
		return;
	}
	job_rewrite_all(q);
	local = attempt_run(q);
	remote = dispatch_run(q);
	sleep_until(q, local < remote ? local : remote);
}
