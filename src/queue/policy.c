/* policy.c - asking for a policy, and what the answer changes. */
#include "policy.h"

#include <postern/core/log.h>
#include <postern/tls/sts.h>

#include "ask.h"
#include "schedule.h"

enum { CHECK_MIN_S = 60, CHECK_MAX_S = STS_REFRESH_S };

bool
policy_is_due(const struct destination *d)
{
	int64_t now = wall_now().us;

	return !d->asking && (d->sts_check.us <= now || d->sts_check.us > now + CHECK_MAX_S * INT64_C(2000000)); /* of a clock that was ahead */
}

/* A policy that has ended is not known any more: the same id is news again. */
static bool
known(const struct destination *d, struct wall now)
{
	return d->sts_until.us > now.us;
}

/* The next look at the record; a policy that grows old is fetched again before it ends (RFC 8461 3.3). */
static void
check_again(struct destination *d, struct record *r, uint32_t ttl, uint32_t min_s)
{
	struct wall now = wall_now();
	int64_t s = ttl < CHECK_MAX_S ? ttl : CHECK_MAX_S;
	int64_t earliest = now.us + (int64_t)min_s * 1000000;

	d->sts_check.us = now.us + s * 1000000;
	if (known(d, now) && d->sts_refresh.us < d->sts_check.us)
		d->sts_check = d->sts_refresh;
	if (d->sts_check.us < earliest)
		d->sts_check.us = earliest;
	r->sts_check = d->sts_check;
}

static void
keep(struct destination *d, struct str id, struct str policy)
{
	const struct record_sts sts = { .fetched = wall_now(), .id = id, .policy = policy };

	destination_know_sts(d, &sts);
	news_write_sts(d, &sts);
}

/* The same policy, seen again at its place: its time begins anew. */
static void
confirm(struct destination *d)
{
	struct ledger *l = &d->q->ledger;
	MDB_txn *t = ledger_read(l);
	struct record_sts sts;
	struct str bytes;

	if (t == NULL)
		return;
	if (ledger_get_named(t, l->sts, str_of(d->name), &bytes) == 0 && record_parse_sts(bytes, &sts))
		keep(d, sts.id, sts.policy);
	mdb_txn_abort(t);
}

static void
failed(struct destination *d, struct record *r, const struct queue_sts *s)
{
	static const struct queue_hop no_host = { .host = STR_INIT(""), .ip = STR_INIT("") };
	struct queue_hop why = no_host;

	why.reason = s->words;
	record_text(r->sts_words, sizeof r->sts_words, s->words);
	if (s->result > TLSRPT_OK && s->result < TLSRPT_RESULTS)
		record_count(r, TLSRPT_STS, s->result, &why, wall_now());
	log_say(LEVEL_WARN, "sts", "%s: %s%s", d->name, r->sts_words,
	    known(d, wall_now()) ? "; the policy that is known stays in force" : "");
}

static bool
sound(const struct queue_sts *s)
{
	struct sts_policy p;
	struct err e;

	return s->id.n > 0 && s->id.n <= STS_ID_MAX && s->policy.n <= QUEUE_STS_MAX &&
	    tls_sts_parse_policy(s->policy, &p, &e);
}

/* Fetched at a time that is still to come: by a clock that was ahead. Its life begins now, or it would last until then and longer. */
static bool
is_of_the_future(const struct destination *d)
{
	return d->sts_refresh.us > wall_now().us + STS_REFRESH_S * INT64_C(1000000);
}

static void
learn(struct destination *d, const struct queue_sts *s, bool refreshing)
{
	struct record *r = destination_news(d);

	r->sts_words[0] = '\0';
	switch (s->news) {
	case QUEUE_STS_NONE:
		break;
	case QUEUE_STS_SAME:
		if (refreshing)
			confirm(d);
		break;
	case QUEUE_STS_NEW:
		if (sound(s))
			keep(d, s->id, s->policy);
		break;
	case QUEUE_STS_FAILED:
		failed(d, r, s);
		break;
	}
	if (is_of_the_future(d))
		confirm(d);
	check_again(d, r, s->ttl, s->news == QUEUE_STS_FAILED ? STS_RETRY_S : CHECK_MIN_S);
}

static bool
refreshes(const struct destination *d)
{
	return known(d, wall_now()) && d->sts_refresh.us <= wall_now().us;
}

static void
on_sts(void *ctx, const struct queue_sts *s)
{
	struct destination *d = ctx;
	struct queue *q = d->q;

	d->asking = false;
	d->refs--;
	q->jobs--;
	if (s != NULL)
		learn(d, s, refreshes(d));
	else
		check_again(d, destination_news(d), 0, CHECK_MIN_S);
	destination_arrange(d);
	schedule_soon(q);
	queue_check_idle(q);
}

void
policy_ask(struct destination *d)
{
	struct queue *q = d->q;
	struct str id = str_of(known(d, wall_now()) ? d->sts_id : "");

	d->asking = true;
	d->refs++;
	q->jobs++;
	destination_arrange(d);
	q->ops->sts(q->ctx, str_of(d->name), id, refreshes(d), ask_new_sts(q, on_sts, d));
}
