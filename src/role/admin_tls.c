/* admin_tls.c - `postern tls show': what is known of destinations and of the TLS that mail to them got.
 *
 * tls show        → [{destination, mail, jobs, window, rest_until, status, reason, at, host, ip, tls_wanted, tls_got, tls_why,
 *                     plain, plain_at, handshakes_failed, sts_mode, sts_why}]
 * tls show DOMAIN → the same for one, and {sts: {id, mode, mx, fetched, until}, sts_check,
 *                     reports: [{day, policy, successful, failed, results: {result: sessions},
 *                                failures: [{result, host, ip, reason, sessions}]}]} */
#include <stdio.h>
#include <time.h>

#include <postern/queue/admin.h>
#include <postern/tls/sts.h>

#include "admin_tls.h"

enum { PAGE = 100 };

json_t *
tls_time_json(int64_t us)
{
	char s[WALL_RFC3339_SIZE];

	if (us == 0)
		return json_null();
	wall_rfc3339((struct wall){ us }, s);
	return json_string(s);
}

void
tls_last_host_json(json_t *object, const struct queue_last_host *h)
{
	if (h->host.n == 0 && h->ip.n == 0)
		return;
	json_object_set_new(object, "host", control_text(h->host));
	json_object_set_new(object, "ip", control_text(h->ip));
	json_object_set_new(object, "tls_wanted", json_string(tls_level_name(h->wanted)));
	json_object_set_new(object, "tls_got", json_string(tls_level_name(h->got)));
	json_object_set_new(object, "tls_why", control_text(h->why));
	json_object_set_new(object, "plain", json_boolean(h->plain));
}

static bool
parse_sts(const struct queue_destination_info *d, struct sts_policy *p)
{
	struct err e;

	return d->sts_policy.n > 0 && tls_sts_parse_policy(d->sts_policy, p, &e);
}

static json_t *
brief_json(const struct queue_destination_info *d)
{
	struct sts_policy p;
	json_t *o = json_object();

	json_object_set_new(o, "destination", control_text(d->name));
	json_object_set_new(o, "mail", json_boolean(d->mail));
	json_object_set_new(o, "jobs", json_integer(d->jobs));
	json_object_set_new(o, "window", json_integer(d->window));
	json_object_set_new(o, "rest_until", tls_time_json(d->rest_until.us));
	json_object_set_new(o, "status", control_text(d->status));
	json_object_set_new(o, "reason", control_text(d->reason));
	json_object_set_new(o, "at", tls_time_json(d->tls_at.us));
	tls_last_host_json(o, &d->last);
	json_object_set_new(o, "plain_at", tls_time_json(d->plain_at.us));
	json_object_set_new(o, "handshakes_failed", json_integer(d->handshakes_failed));
	json_object_set_new(o, "sts_mode", parse_sts(d, &p) ? json_string(tls_sts_mode_name(p.mode)) : json_null());
	json_object_set_new(o, "sts_why", control_text(d->sts_words));
	return o;
}

/* --- one destination ---------------------------------------------------------------------------------------------- */

static json_t *
sts_json(const struct queue_destination_info *d)
{
	struct sts_policy p;
	json_t *o, *mx;

	if (!parse_sts(d, &p))
		return json_null();
	o = json_object();
	mx = json_array();
	for (size_t i = 0; i < p.n_mx; i++)
		json_array_append_new(mx, control_text(p.mx[i]));
	json_object_set_new(o, "id", control_text(d->sts_id));
	json_object_set_new(o, "mode", json_string(tls_sts_mode_name(p.mode)));
	json_object_set_new(o, "mx", mx);
	json_object_set_new(o, "fetched", tls_time_json(d->sts_fetched.us));
	json_object_set_new(o, "until", tls_time_json(d->sts_fetched.us + (int64_t)p.max_age_s * 1000000));
	return o;
}

static json_t *
results_json(const struct tlsrpt_counts *c)
{
	json_t *o = json_object();

	for (int i = TLSRPT_OK + 1; i < TLSRPT_RESULTS; i++)
		if (c->sessions[i] > 0)
			json_object_set_new(
			    o, tlsrpt_result_name((enum tlsrpt_result)i), json_integer((json_int_t)c->sessions[i]));
	return o;
}

static json_t *
failures_json(const struct queue_tls_day *day, enum tlsrpt_policy policy)
{
	json_t *list = json_array();

	for (size_t i = 0; i < day->n; i++) {
		const struct queue_tls_failure *f = &day->failures[i];
		json_t *o;

		if (f->policy != policy)
			continue;
		o = json_object();
		json_object_set_new(o, "result", json_string(tlsrpt_result_name(f->result)));
		json_object_set_new(o, "host", control_text(f->host));
		json_object_set_new(o, "ip", control_text(f->ip));
		json_object_set_new(o, "reason", control_text(f->reason));
		json_object_set_new(o, "sessions", json_integer((json_int_t)f->sessions));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *
day_json(struct wall begins)
{
	time_t t = (time_t)wall_seconds(begins);
	char date[16];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(date, sizeof date, "%Y-%m-%d", &tm);
	return json_string(date);
}

static void
add_report(json_t *list, const struct queue_tls_day *day, enum tlsrpt_policy policy)
{
	const struct tlsrpt_counts *c = &day->counts[policy];
	uint64_t failed = tlsrpt_failures(c);
	json_t *o;

	if (failed == 0 && c->sessions[TLSRPT_OK] == 0)
		return;
	o = json_object();
	json_object_set_new(o, "day", day_json(day->begins));
	json_object_set_new(o, "policy", json_string(tlsrpt_policy_name(policy)));
	json_object_set_new(o, "successful", json_integer((json_int_t)c->sessions[TLSRPT_OK]));
	json_object_set_new(o, "failed", json_integer((json_int_t)failed));
	json_object_set_new(o, "results", results_json(c));
	json_object_set_new(o, "failures", failures_json(day, policy));
	json_array_append_new(list, o);
}

static json_t *
reports_json(const struct queue_destination_info *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->ndays; i++)
		for (int p = 0; p < TLSRPT_POLICIES; p++)
			add_report(list, &d->days[i], (enum tlsrpt_policy)p);
	return list;
}

static void
show_whole(void *ctx, const struct queue_destination_info *d)
{
	json_t **o = ctx;

	*o = brief_json(d);
	json_object_set_new(*o, "sts", sts_json(d));
	json_object_set_new(*o, "sts_check", tls_time_json(d->sts_check.us));
	json_object_set_new(*o, "reports", reports_json(d));
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static void
show_brief(void *ctx, const struct queue_destination_info *d)
{
	json_array_append_new(ctx, brief_json(d));
}

static bool
list_all(struct queue *q, const struct control_ask *ask, struct control_answer *out)
{
	char *at = arena_alloc(ask->arena, QUEUE_DESTINATION_SIZE);
	json_t *list = json_array();
	bool more = true;

	if (ask->after.n >= QUEUE_DESTINATION_SIZE)
		return control_fail(out, ask->arena, ADMIN_USAGE, "no destination");
	snprintf(at, QUEUE_DESTINATION_SIZE, "%.*s", STR_ARG(ask->after));
	for (int n = 0; more && n < PAGE && json_dumpb(list, NULL, 0, JSON_COMPACT) < CONTROL_JSON_MAX / 2; n++)
		more = queue_destinations(q, at, 1, show_brief, list);
	out->json = list;
	if (more)
		out->more = str_of(at);
	return true;
}

bool
verb_tls_show(void *queue, const struct control_ask *ask, struct control_answer *out)
{
	if (ask->args.n == 0)
		return list_all(queue, ask, out);
	if (queue_destination_show(queue, ask->args.v[0], show_whole, &out->json))
		return true;
	return control_fail(
	    out, ask->arena, ADMIN_FAILED, "nothing is known of %.*s: no mail went there yet", STR_ARG(ask->args.v[0]));
}
