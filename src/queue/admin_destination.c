/* admin_destination.c - the operator's view of destinations: the records of the ledger, with what memory knows of those that have
 * mail. */
#include <string.h>

#include <postern/queue/admin.h>

#include "destination.h"
#include "schedule.h"

typedef void show_fn(void *ctx, const struct queue_destination_info *d);

/* What a record's arrays say, as views. */
struct view {
	struct queue_destination_info info;
	struct queue_tls_day days[RECORD_DAYS];
	struct queue_tls_failure failures[RECORD_DAYS][RECORD_FAILURES_MAX];
};

static void
view_day(struct view *v, size_t i, const struct record_day *d)
{
	struct queue_tls_day *day = &v->days[v->info.ndays++];

	*day = (struct queue_tls_day){ .begins = wall_from_seconds((int64_t)d->day * 86400), .counts = d->counts,
		.failures = v->failures[i], .n = d->nfailures };
	for (size_t f = 0; f < d->nfailures; f++) {
		const struct record_failure *from = &d->failures[f];

		v->failures[i][f] = (struct queue_tls_failure){ from->policy, from->result, from->sessions,
			str_of(from->host), str_of(from->ip), str_of(from->reason) };
	}
}

static void
view_record(struct view *v, const struct record *r)
{
	struct queue_destination_info *i = &v->info;

	i->rest_until = r->rest_until.us > wall_now().us ? r->rest_until : (struct wall){ 0 };
	i->status = str_of(r->status);
	i->reason = str_of(r->text);
	i->tls_at = r->tls_at;
	i->last = (struct queue_last_host){ .host = str_of(r->host),
		.ip = str_of(r->ip),
		.wanted = r->wanted,
		.got = r->got,
		.why = str_of(r->why),
		.plain = r->plain };
	i->plain_at = r->plain_at;
	i->handshakes_failed = r->handshakes_failed;
	i->sts_check = r->sts_check;
	i->sts_words = str_of(r->sts_words);
	i->days = v->days;
	for (size_t day = 0; day < RECORD_DAYS && r->days[day].day != 0; day++)
		view_day(v, day, &r->days[day]);
}

static void
view_memory(struct view *v, const struct destination *d)
{
	v->info.mail = d->lanes > 0 || d->jobs > 0;
	v->info.jobs = d->jobs;
	v->info.window = d->probing ? 1 : d->window;
	if (d->rest_until.us > wall_now().us)
		v->info.rest_until = d->rest_until;
}

/* A policy that has ended is none. */
static void
view_sts(struct view *v, struct str bytes)
{
	struct record_sts sts;
	struct sts_policy p;
	struct err e;

	if (!record_parse_sts(bytes, &sts) || !tls_sts_parse_policy(sts.policy, &p, &e) ||
	    !tls_sts_in_force(&p, sts.fetched, wall_now()))
		return;
	v->info.sts_id = sts.id;
	v->info.sts_policy = sts.policy;
	v->info.sts_fetched = sts.fetched;
}

static bool
show_one(struct queue *q, struct str name, show_fn *show, void *ctx)
{
	struct view v = { .info = { .name = name, .sts_id = STR(""), .sts_policy = STR("") } };
	const struct destination *d = destination_find(q, name);
	struct record r = { 0 };
	bool known = destination_record(q, name, &r) || d != NULL;
	MDB_txn *t = known ? ledger_read(&q->ledger) : NULL;
	struct str bytes;

	if (!known)
		return false;
	view_record(&v, &r);
	if (d != NULL)
		view_memory(&v, d);
	if (t != NULL && ledger_get_named(t, q->ledger.sts, name, &bytes) == 0)
		view_sts(&v, bytes);
	show(ctx, &v.info);
	if (t != NULL)
		mdb_txn_abort(t);
	return true;
}

bool
queue_destinations(struct queue *q, char *at, unsigned max, show_fn *show, void *ctx)
{
	struct str value;
	bool more = true;

	for (unsigned n = 0; more && n < max; n++) {
		MDB_txn *t = ledger_read(&q->ledger);

		more = t != NULL && ledger_next_named(t, q->ledger.destination, at, &value) == 0;
		if (t != NULL)
			mdb_txn_abort(t);
		if (more)
			show_one(q, str_of(at), show, ctx);
	}
	return more;
}

bool
queue_destination_show(struct queue *q, struct str domain, show_fn *show, void *ctx)
{
	struct queue_destination to;

	schedule_destination(q, domain, &to);
	return show_one(q, str_of(to.name), show, ctx) ||
	       (domain.n < QUEUE_DESTINATION_SIZE && show_one(q, domain, show, ctx));
}
