/* sts.c - MTA-STS policies: looked for before mail goes, carried while in force, kept when a look fails, refreshed before they end. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#include "../../../src/queue/destination.h"
#include "../../../src/queue/schedule.h"
#include "../../../src/queue/tend.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 3600 * 1000, DAY_S = 86400 };

#define SENDER "sender@example.test"
#define POLICY_A "version: STSv1\nmode: enforce\nmax_age: 604800\nmx: a.remote.test\n"
#define POLICY_B "version: STSv1\nmode: testing\nmax_age: 604800\nmx: b.remote.test\n"
#define POLICY_SHORT "version: STSv1\nmode: enforce\nmax_age: 7200\nmx: a.remote.test\n"

/* What the domain publishes. */
static const char *id, *policy;
static bool record_gone, fetch_fails, process_gone, hangs;
static unsigned refreshes, fetches;
static char last_known[STS_ID_MAX + 1];
static struct queue_ask *hanging;

static void
look(struct world *w, struct str domain, struct str known_id, bool refresh, struct queue_ask *ask)
{
	struct queue_sts s = { .news = QUEUE_STS_NEW, .id = str_of(id), .policy = str_of(policy), .ttl = 300,
		.words = STR(""), .result = TLSRPT_OK };

	(void)w;
	assert_true(str_eq(domain, STR("remote.test")));
	snprintf(last_known, sizeof last_known, "%.*s", STR_ARG(known_id));
	refreshes += refresh;
	if (process_gone) {
		queue_answer_gone(ask);
		return;
	}
	if (hangs) {
		hanging = ask;
		return;
	}
	if (record_gone)
		s.news = QUEUE_STS_NONE;
	else if (str_eq(known_id, s.id) && !refresh)
		s.news = QUEUE_STS_SAME;
	else if (fetch_fails)
		s.news = QUEUE_STS_FAILED;
	else
		fetches++;
	if (s.news == QUEUE_STS_FAILED) {
		s.words = STR("the certificate of mta-sts.remote.test has expired");
		s.result = TLSRPT_STS_WEBPKI_INVALID;
	}
	queue_answer_sts(ask, &s);
}

static enum remote
takes(struct world *w, const struct queue_job *job)
{
	(void)w;
	(void)job;
	return REMOTE_TAKE;
}

static void
start(struct world *w)
{
	world_init(w);
	id = "id1";
	policy = POLICY_A;
	record_gone = fetch_fails = process_gone = hangs = false;
	refreshes = fetches = 0;
	w->remote = takes;
	w->sts = look;
	world_open(w);
}

static void
send_one(struct world *w)
{
	static const char *const to[] = { "far@remote.test", NULL };

	world_submit(w, world_message(w, SENDER, to, 100, NULL));
	world_idle(w);
}

/* The policy that the last mail went under. */
static const char *
carried(const struct world *w, size_t n)
{
	assert_int_equal(w->nsent, n);
	return w->sent[n - 1].sts;
}

static bool
carries(const struct world *w, size_t n, const char *text)
{
	return strncmp(carried(w, n), text, sizeof w->sent[0].sts - 1) == 0;
}

static void
step(struct world *w, int64_t ms)
{
	clock_fake_step(ms);
	schedule_run(w->q);
	world_idle(w);
}

static void
known_before_the_first_mail(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	send_one(&w);
	assert_int_equal(w.looks, 1);
	assert_true(carries(&w, 1, POLICY_A));
	for (int i = 0; i < 5; i++)
		send_one(&w);
	assert_int_equal(w.looks, 1); /* within the record's life */
	assert_true(carries(&w, 6, POLICY_A));
	step(&w, 6 * MINUTE_MS);
	send_one(&w);
	assert_int_equal(w.looks, 2);
	assert_int_equal(fetches, 1);
	assert_string_equal(last_known, "id1");
	id = "id2";
	policy = POLICY_B;
	step(&w, 6 * MINUTE_MS);
	send_one(&w);
	assert_true(carries(&w, 8, POLICY_B));
	news_write(w.q);
	world_idle(&w);
	world_crash(&w);
	world_open(&w);
	send_one(&w);
	assert_int_equal(w.looks, 3); /* remembered */
	assert_true(carries(&w, 9, POLICY_B));
	world_fini(&w);
}

/* RFC 8461 3.3: neither a record that is gone nor a fetch that fails ends a policy; its time does. */
static void
stays_in_force(void **state)
{
	struct record r;
	struct world w;
	size_t n = 1;

	(void)state;
	start(&w);
	policy = POLICY_SHORT;
	send_one(&w);
	record_gone = true;
	step(&w, 10 * MINUTE_MS);
	send_one(&w);
	assert_true(carries(&w, ++n, POLICY_SHORT));
	record_gone = false;
	id = "id2";
	fetch_fails = true;
	step(&w, 10 * MINUTE_MS);
	send_one(&w);
	assert_true(carries(&w, ++n, POLICY_SHORT));
	assert_true(destination_record(w.q, STR("remote.test"), &r));
	assert_string_equal(r.sts_words, "the certificate of mta-sts.remote.test has expired");
	assert_int_equal(r.days[0].counts[TLSRPT_STS].sessions[TLSRPT_STS_WEBPKI_INVALID], 1);
	step(&w, 2 * HOUR_MS);
	send_one(&w);
	assert_string_equal(carried(&w, ++n), "");
	assert_string_equal(last_known, ""); /* even the old id would be news now */
	fetch_fails = false;
	step(&w, 10 * MINUTE_MS);
	send_one(&w);
	assert_true(carries(&w, ++n, POLICY_SHORT));
	assert_true(destination_record(w.q, STR("remote.test"), &r));
	assert_string_equal(r.sts_words, "");
	world_fini(&w);
}

/* Looks that fail do not come more often than every five minutes, others not more often than every minute. */
static void
not_too_often(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	fetch_fails = true;
	send_one(&w);
	assert_string_equal(carried(&w, 1), "");
	for (int i = 0; i < 8; i++) {
		step(&w, 30 * 1000);
		send_one(&w);
	}
	assert_int_equal(w.looks, 1);
	process_gone = true;
	step(&w, 60 * 1000);
	send_one(&w);
	assert_int_equal(w.looks, 2);
	step(&w, 30 * 1000);
	send_one(&w);
	assert_int_equal(w.looks, 2);
	step(&w, 31 * 1000);
	process_gone = false;
	fetch_fails = false;
	send_one(&w);
	assert_int_equal(w.looks, 3);
	assert_true(carries(&w, w.nsent, POLICY_A));
	assert_int_equal(w.nsent, 12); /* no mail waited */
	world_fini(&w);
}

static void
refreshed_before_it_ends(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	for (int hour = 0; hour < 30 * 24; hour += 6) {
		send_one(&w);
		assert_true(carries(&w, w.nsent, POLICY_A));
		step(&w, 6 * HOUR_MS);
	}
	assert_true(refreshes >= 28 && refreshes <= 31); /* daily */
	assert_int_equal(fetches, 1 + refreshes);
	world_fini(&w);
}

/* One question at a time; the mail of others goes on meanwhile. */
static void
one_question(void **state)
{
	static const char *const to[] = { "else@other.test", NULL };
	const struct queue_sts none = { .news = QUEUE_STS_NONE, .ttl = 300 };
	struct world w;

	(void)state;
	start(&w);
	hangs = true;
	for (int i = 0; i < 5; i++)
		send_one(&w);
	assert_int_equal(w.looks, 1);
	assert_int_equal(w.nsent, 0);
	w.sts = NULL;
	world_submit(&w, world_message(&w, SENDER, to, 100, NULL));
	world_idle(&w);
	assert_int_equal(w.nsent, 1);
	queue_answer_sts(hanging, &none);
	world_idle(&w);
	assert_int_equal(w.nsent, 6);
	world_fini(&w);
}

/* Whoever is asked hangs: mail waits three minutes for the answer. It goes under what is known; a late answer changes nothing. */
static void
nobody_answers(void **state)
{
	const struct queue_sts late = { .news = QUEUE_STS_NEW, .id = STR("id1"), .policy = str_of(POLICY_A), .ttl = 300 };
	struct world w;

	(void)state;
	start(&w);
	hangs = true;
	send_one(&w);
	step(&w, 2 * MINUTE_MS);
	assert_int_equal(w.nsent, 0);
	assert_int_equal(w.q->jobs, 1);
	step(&w, MINUTE_MS);
	assert_true(carries(&w, 1, ""));
	assert_int_equal(w.q->jobs, 0);
	queue_answer_sts(hanging, &late);
	send_one(&w);
	assert_true(carries(&w, 2, ""));
	hangs = false;
	step(&w, 2 * MINUTE_MS);
	send_one(&w);
	assert_true(carries(&w, 3, POLICY_A));
	world_fini(&w);
}

/* A policy that does not parse is none: what was known stays. */
static void
nonsense(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	send_one(&w);
	id = "id2";
	policy = "version: STSv7\n";
	step(&w, 10 * MINUTE_MS);
	send_one(&w);
	assert_true(carries(&w, 2, POLICY_A));
	world_fini(&w);
}

static void
handshakes_are_counted(void **state)
{
	static const char *const to[] = { "far@remote.test", NULL };
	struct record r;
	struct world w;

	(void)state;
	start(&w);
	record_gone = true;
	w.hop.handshake_failed = true;
	w.hop.got = TLS_LEVEL_NONE;
	w.hop.plain = true;
	w.hop.result = TLSRPT_VALIDATION_FAILURE;
	for (int i = 0; i < 3; i++)
		send_one(&w);
	assert_int_equal(destination_get(w.q, STR("remote.test"))->handshakes_failed, 3);
	assert_true(destination_record(w.q, STR("remote.test"), &r));
	assert_true(r.handshakes_failed == 3 && r.plain && r.plain_at.us == wall_now().us);
	assert_int_equal(r.days[0].counts[TLSRPT_NO_POLICY].sessions[TLSRPT_VALIDATION_FAILURE], 3);
	w.hop.handshake_failed = false;
	w.hop.got = TLS_LEVEL_ENCRYPT;
	w.hop.plain = false;
	w.hop.result = TLSRPT_OK;
	world_submit(&w, world_message(&w, SENDER, to, 100, NULL));
	world_idle(&w);
	assert_true(destination_record(w.q, STR("remote.test"), &r));
	assert_true(r.handshakes_failed == 0 && !r.plain && r.plain_at.us != 0);
	assert_int_equal(r.days[0].counts[TLSRPT_NO_POLICY].sessions[TLSRPT_OK], 1);
	assert_string_equal(r.host, "mx.remote.test");
	world_fini(&w);
}

static bool
known(struct world *w, MDB_dbi table)
{
	MDB_txn *t = ledger_read(&w->q->ledger);
	struct str value;
	bool found = ledger_get_named(t, table, STR("remote.test"), &value) == 0;

	mdb_txn_abort(t);
	return found;
}

static void
tend(struct world *w, int64_t ms)
{
	clock_fake_step(ms);
	tend_run(w->q);
	news_write(w->q);
	world_idle(w);
}

/* Without mail, too: a policy is there when the next mail comes, for a month after the last. Then all is forgotten. */
static void
tended_without_mail(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	send_one(&w);
	news_write(w.q);
	world_idle(&w);
	assert_true(known(&w, w.q->ledger.sts) && known(&w, w.q->ledger.destination));
	for (int hour = 0; hour < 28 * 24; hour += 4)
		tend(&w, 4 * HOUR_MS);
	assert_true(refreshes >= 25 && refreshes <= 29);
	assert_int_equal(w.q->destinations.n, 0);
	process_gone = true; /* the certificate expires, the record goes: it stays in force */
	send_one(&w);
	assert_true(carries(&w, 2, POLICY_A));
	process_gone = false;
	refreshes = 0;
	for (int hour = 0; hour < 50 * 24; hour += 4)
		tend(&w, 4 * HOUR_MS);
	assert_true(refreshes >= 27 && refreshes <= 31);
	assert_false(known(&w, w.q->ledger.sts));
	assert_false(known(&w, w.q->ledger.destination));
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_before_the_first_mail),
		cmocka_unit_test(stays_in_force),
		cmocka_unit_test(not_too_often),
		cmocka_unit_test(refreshed_before_it_ends),
		cmocka_unit_test(one_question),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(handshakes_are_counted),
		cmocka_unit_test(tended_without_mail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
