/* destination.c - destinations in memory: made from their records, put into the schedule, taught by results. */
#include "destination.h"

#include <stdio.h>
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/tls/sts.h>

#include "lane.h"
#include "schedule.h"

enum {
	GONE_FIRST_MS = 500, /* a relay process is back within a second */
	JOBS_BITS = 40,      /* of the key in q->eligible: jobs above, turn below */
};

/* --- made and freed ----------------------------------------------------------------------------------------------- */

struct destination *
destination_find(struct queue *q, struct str name)
{
	return map_get(&q->destinations, name);
}

void
destination_know_sts(struct destination *d, const struct record_sts *sts)
{
	struct sts_policy p;
	struct err e;

	if (!tls_sts_parse_policy(sts->policy, &p, &e))
		return;
	snprintf(d->sts_id, sizeof d->sts_id, "%.*s", STR_ARG(sts->id));
	d->sts_refresh = tls_sts_refresh_at(&p, sts->fetched);
	d->sts_until.us = sts->fetched.us + (int64_t)p.max_age_s * 1000000;
}

static void
recall(struct destination *d)
{
	struct ledger *l = &d->q->ledger;
	MDB_txn *t = ledger_read(l);
	struct record_sts sts;
	struct record r;
	struct str bytes;

	if (t == NULL)
		return;
	if (ledger_get_named(t, l->destination, str_of(d->name), &bytes) == 0 && record_parse(bytes, &r)) {
		d->rest_until = r.rest_until;
		d->unreached = r.unreached;
		d->probing = r.unreached > 0;
		d->handshakes_failed = r.handshakes_failed;
		d->sts_check = r.sts_check;
	}
	if (ledger_get_named(t, l->sts, str_of(d->name), &bytes) == 0 && record_parse_sts(bytes, &sts))
		destination_know_sts(d, &sts);
	mdb_txn_abort(t);
}

struct destination *
destination_get(struct queue *q, struct str name)
{
	struct destination *d = destination_find(q, name);

	if (d != NULL)
		return d;
	d = NEW(struct destination);
	d->q = q;
	d->name = mem_cstr(name);
	d->window = DESTINATION_WINDOW_FIRST;
	TAILQ_INIT(&d->ready);
	map_put(&q->destinations, name, d);
	recall(d);
	return d;
}

static void
destination_free(struct destination *d)
{
	struct queue *q = d->q;

	heap_take(&q->eligible, &d->eligible);
	heap_take(&q->resting, &d->rests);
	if (d->dirty)
		TAILQ_REMOVE(&q->news, d, news);
	free(d->record);
	free(d->name);
	free(d);
}

void
destination_free_all(struct queue *q)
{
	size_t at = 0;
	struct str name;
	void *d;

	while (map_next(&q->destinations, &at, &name, &d))
		destination_free(d);
	map_fini(&q->destinations);
}

/* --- its place in the schedule ------------------------------------------------------------------------------------ */

static unsigned
window(const struct destination *d)
{
	unsigned most = d->q->options.limits.jobs_per_destination;

	if (d->probing)
		return 1;
	return d->window < most ? d->window : most;
}

static bool
is_eligible(const struct destination *d, bool rests)
{
	return !rests && !d->asking && !TAILQ_EMPTY(&d->ready) && d->jobs < window(d);
}

/* Longer than any pause is: of a clock that was ahead. */
static bool
rests_too_long(const struct destination *d)
{
	return d->rest_until.us > wall_now().us + d->q->options.limits.retry_last_s * INT64_C(2000000);
}

void
destination_arrange(struct destination *d)
{
	struct queue *q = d->q;
	bool rests;

	if (d->lanes == 0 && d->refs == 0 && d->writing == 0 && d->record == NULL) {
		map_del(&q->destinations, str_of(d->name));
		destination_free(d);
		return;
	}
	if (rests_too_long(d))
		destination_wake(d);
	rests = d->rest_until.us > wall_now().us;
	if (rests)
		heap_put(&q->resting, &d->rests, d->rest_until.us);
	else
		heap_take(&q->resting, &d->rests);
	if (!is_eligible(d, rests))
		heap_take(&q->eligible, &d->eligible);
	else if (d->eligible.slot == 0 || d->eligible.at >> JOBS_BITS != d->jobs) /* else it keeps its turn */
		heap_put(&q->eligible, &d->eligible, ((int64_t)d->jobs << JOBS_BITS) + (int64_t)++q->turn);
}

/* --- what it is like ---------------------------------------------------------------------------------------------- */

static void
rest(struct destination *d, int64_t ms)
{
	d->rest_until.us = wall_now().us + ms * 1000;
	d->probing = true;
	d->rests_begun++;
}

/* Doubles from the first pause to the last. A job that began before the rest did says the same once more. */
static void
rest_longer(struct destination *d, const struct queue_answer *why, unsigned rests_begun)
{
	const struct queue_limits *limits = &d->q->options.limits;
	struct record *r = destination_news(d);

	record_text(r->status, sizeof r->status, str_of(why->status));
	record_text(r->text, sizeof r->text, str_of(why->text));
	if (rests_begun != d->rests_begun)
		return;
	d->unreached += d->unreached < UINT32_MAX;
	rest(d, schedule_pause_ms(limits->retry_first_s * 1000, limits->retry_last_s * 1000, d->unreached));
	r->unreached = d->unreached;
	r->rest_until = d->rest_until;
}

static void
halve(struct destination *d)
{
	d->window = d->window > 1 ? d->window / 2 : 1;
}

void
destination_wake(struct destination *d)
{
	struct record *r;

	if (d->unreached > 0 || d->rest_until.us != 0) {
		r = destination_news(d);
		r->unreached = 0;
		r->rest_until.us = 0;
		r->status[0] = r->text[0] = '\0';
	}
	d->unreached = 0;
	d->gone = 0;
	d->rest_until.us = 0;
	d->probing = false;
}

static void
reached(struct destination *d)
{
	destination_wake(d);
	if (d->window < d->q->options.limits.jobs_per_destination)
		d->window++;
}

/* A domain that does not exist is an answer, too: nothing rests when nothing is to be tried again. */
static void
learn_reach(struct destination *d, enum queue_reach reach, const struct queue_answer *temporary, unsigned rests_begun)
{
	bool crowded_out = reach == QUEUE_CROWDED && (d->window == 1 || d->probing);

	d->gone = 0;
	if (reach == QUEUE_REACHED) {
		reached(d);
		return;
	}
	if (temporary == NULL) {
		destination_wake(d);
		return;
	}
	if (rests_begun == d->rests_begun)
		halve(d);
	if (reach == QUEUE_UNREACHED || crowded_out)
		rest_longer(d, temporary, rests_begun);
}

void
destination_learn(struct destination *d, const struct queue_relayed *r, const struct queue_answer *temporary,
    unsigned rests_begun)
{
	struct record *record = destination_news(d);

	for (size_t i = 0; i < r->nhops && i < QUEUE_HOPS_MAX; i++)
		record_hop(record, &r->hops[i], wall_now());
	record->used = wall_now();
	d->handshakes_failed = record->handshakes_failed;
	learn_reach(d, r->reach, temporary, rests_begun);
}

/* Its relay process ended: tried again soon, but less and less soon if it is this destination that ends it. */
void
destination_gone(struct destination *d, unsigned rests_begun)
{
	const struct queue_limits *limits = &d->q->options.limits;

	if (rests_begun != d->rests_begun)
		return;
	d->gone += d->gone < UINT32_MAX;
	rest(d, schedule_pause_ms(GONE_FIRST_MS, limits->retry_first_s * 1000, d->gone));
}

/* --- records ------------------------------------------------------------------------------------------------------ */

static bool
read_record(struct queue *q, struct str name, struct record *out)
{
	MDB_txn *t = ledger_read(&q->ledger);
	struct str bytes;
	bool found =
	    t != NULL && ledger_get_named(t, q->ledger.destination, name, &bytes) == 0 && record_parse(bytes, out);

	if (t != NULL)
		mdb_txn_abort(t);
	return found;
}

bool
destination_record(struct queue *q, struct str name, struct record *out)
{
	const struct destination *d = destination_find(q, name);

	if (d == NULL || d->record == NULL)
		return read_record(q, name, out);
	*out = *d->record;
	return true;
}

struct record *
destination_news(struct destination *d)
{
	if (d->record == NULL) {
		d->record = NEW(struct record);
		if (!read_record(d->q, str_of(d->name), d->record))
			*d->record = (struct record){ .used = wall_now() };
	}
	if (!d->dirty) {
		if (TAILQ_EMPTY(&d->q->news))
			news_soon(d->q);
		TAILQ_INSERT_TAIL(&d->q->news, d, news);
		d->dirty = true;
	}
	return d->record;
}
