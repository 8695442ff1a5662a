/* tend.c - walks over the tables by destination, a slice a minute. */
#include "tend.h"

#include <stdlib.h>
#include <string.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "destination.h"
#include "policy.h"

enum {
	SLICE = 200, /* names looked at in one run */
	ASKS = 10,   /* policies asked for in one run */
};

/* --- old rows ----------------------------------------------------------------------------------------------------- */

struct sweep {
	struct commit_op op; /* must be first */
	struct queue *q;
	struct wall now;
	char names[SLICE][QUEUE_DESTINATION_SIZE];
	size_t n;
};

static bool
is_old_policy(struct str bytes, struct wall now)
{
	struct record_sts sts;
	struct sts_policy p;
	struct err e;

	return !record_parse_sts(bytes, &sts) || !tls_sts_parse_policy(sts.policy, &p, &e) ||
	    !tls_sts_in_force(&p, sts.fetched, now);
}

static bool
is_old_record(struct str bytes, struct wall now)
{
	struct record r;

	return !record_parse(bytes, &r) || r.used.us + TEND_KEPT_S * (int64_t)1000000 < now.us;
}

static int
sweep_name(const struct sweep *s, struct ledger *l, MDB_txn *t, struct str name)
{
	struct str bytes;
	int rc = ledger_get_named(t, l->sts, name, &bytes);

	if (rc == 0 && is_old_policy(bytes, s->now))
		rc = ledger_put_named(t, l->sts, name, STR(""));
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	rc = ledger_get_named(t, l->destination, name, &bytes);
	if (rc == 0 && is_old_record(bytes, s->now)) /* it may have been used since it was looked at */
		rc = ledger_put_named(t, l->destination, name, STR(""));
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
sweep_apply(struct commit_op *op, struct ledger *l, MDB_txn *t)
{
	const struct sweep *s = (const struct sweep *)op;
	int rc = 0;

	for (size_t i = 0; i < s->n && rc == 0; i++)
		rc = sweep_name(s, l, t, str_of(s->names[i]));
	return rc;
}

static void
sweep_done(struct commit_op *op)
{
	const struct sweep *s = (const struct sweep *)op;

	s->q->changing--;
	if (op->err.class != ERR_NONE)
		log_say(LEVEL_WARN, "error", "queue: old records: %s", op->err.log);
	queue_check_idle(s->q);
}

static void
sweep_free(struct commit_op *op)
{
	free(op);
}

static struct sweep *
sweep_new(struct queue *q)
{
	struct sweep *s = NEW(struct sweep);

	s->op = (struct commit_op){ .file = -1, .apply = sweep_apply, .done = sweep_done, .free = sweep_free };
	s->q = q;
	s->now = wall_now();
	return s;
}

static void
sweep_submit(struct sweep *s)
{
	if (s->n == 0) {
		free(s);
		return;
	}
	s->q->changing++;
	commit_submit(s->q->commit, &s->op);
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

/* Whoever is in memory has mail, and is looked after there. */
static void
look_at(struct sweep *s, const char *name, bool old)
{
	if (old && destination_find(s->q, str_of(name)) == NULL)
		memcpy(s->names[s->n++], name, QUEUE_DESTINATION_SIZE);
}

/* The next names of a table; at its end it begins again with the next run. */
static void
walk(struct sweep *s, MDB_dbi table, char *at, bool (*old)(struct str bytes, struct wall now))
{
	MDB_txn *t = ledger_read(&s->q->ledger);
	struct str bytes;

	for (unsigned n = 0; t != NULL && n < SLICE / 2; n++) {
		if (ledger_next_named(t, table, at, &bytes) != 0) {
			at[0] = '\0';
			break;
		}
		look_at(s, at, old(bytes, s->now));
	}
	if (t != NULL)
		mdb_txn_abort(t);
}

/* --- policies ----------------------------------------------------------------------------------------------------- */

/* False when it was not asked for: it is young, or nobody sent mail there for long. */
static bool
refresh(struct queue *q, const char *name)
{
	struct destination *d;
	struct record r;
	bool ask;

	if (!destination_record(q, str_of(name), &r) || r.used.us + TEND_KEPT_S * (int64_t)1000000 < wall_now().us)
		return false;
	d = destination_get(q, str_of(name));
	ask = policy_is_due(d) && d->sts_refresh.us <= wall_now().us && d->sts_until.us > wall_now().us;
	if (ask)
		policy_ask(d);
	else
		destination_arrange(d);
	return ask;
}

static void
refresh_some(struct queue *q)
{
	unsigned asked = 0;

	for (unsigned n = 0; n < SLICE && asked < ASKS; n++) {
		MDB_txn *t = ledger_read(&q->ledger);
		struct str bytes;
		bool more = t != NULL && ledger_next_named(t, q->ledger.sts, q->refreshed, &bytes) == 0;

		if (t != NULL)
			mdb_txn_abort(t);
		if (!more) {
			q->refreshed[0] = '\0';
			return;
		}
		asked += refresh(q, q->refreshed);
	}
}

void
tend_run(struct queue *q)
{
	struct sweep *s;

	loop_timer_start(&q->tend, TEND_EVERY_MS);
	if (q->draining)
		return;
	s = sweep_new(q);
	walk(s, q->ledger.sts, q->swept_sts, is_old_policy);
	walk(s, q->ledger.destination, q->swept, is_old_record);
	sweep_submit(s);
	refresh_some(q);
}
