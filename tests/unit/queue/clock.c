/* clock.c - the wall clock is set, forward by mistake and back again, or back by mistake: what waits and what is remembered of destinations has an
 * end, and nothing that was counted is lost or counted twice. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#include "../../../src/queue/destination.h"
#include "../../../src/queue/schedule.h"

enum { HOUR_MS = 3600 * 1000, DAY_S = 86400 };

#define SENDER "sender@example.test"

static const char *const far[] = { "far@remote.test", NULL };
static const char *const here[] = { "alice@example.test", NULL };
static enum remote now_is;
static enum queue_sts_news record_is;

static enum remote
as_said(struct world *w, const struct queue_job *job)
{
	(void)w;
	(void)job;
	return now_is;
}

static void
start(struct world *w, enum remote how)
{
	world_init(w);
	now_is = how;
	w->remote = as_said;
	world_open(w);
}

static void
submit(struct world *w, const char *const *to)
{
	world_submit(w, world_message(w, SENDER, to, 100, NULL));
	assert_int_equal(w->last.verdict, QUEUE_DONE);
	world_idle(w);
}

/* The wall clock alone; while the queue is at work, or closed. */
static void
set_clock(struct world *w, int days, bool closed)
{
	if (closed)
		world_crash(w);
	clock_fake(mono_now(), (struct wall){ wall_now().us + days * DAY_S * INT64_C(1000000) });
	if (closed)
		world_open(w);
	schedule_run(w->q);
	world_idle(w);
}

static void
run_for(struct world *w, int64_t ms)
{
	clock_fake_step(ms);
	schedule_run(w->q);
	world_idle(w);
}

static void
on_acted(void *ctx, uint64_t recipients, const struct err *e)
{
	(void)e;
	*(uint64_t *)ctx = recipients;
}

static void
delete_all(struct world *w)
{
	const struct queue_selection all = { .all = true, .domain = STR(""), .destination = STR("") };
	uint64_t n = 0;

	queue_act(w->q, QUEUE_ACT_DELETE, &all, on_acted, &n);
	world_idle(w);
	assert_int_equal(n, 1);
}

/* --- destinations ------------------------------------------------------------------------------------------------- */

/* Nothing waits for it any more when the clock is put right; what comes then does not wait for the time that was wrong. */
static void
the_dead_may_live_again(void **state)
{
	(void)state;
	for (int closed = 0; closed < 2; closed++) {
		struct world w;

		start(&w, REMOTE_DEAD);
		set_clock(&w, 40, closed);
		submit(&w, far);
		news_write(w.q); /* its rest */
		world_idle(&w);
		delete_all(&w);
		set_clock(&w, -40, closed);
		now_is = REMOTE_TAKE;
		submit(&w, far);
		world_settle(&w, 1);
		assert_int_equal(w.nsent, 1);
		world_fini(&w);
	}
}

/* A rest that is true is kept. */
static void
the_dead_rest(void **state)
{
	struct world w;

	(void)state;
	start(&w, REMOTE_DEAD);
	submit(&w, far);
	news_write(w.q);
	world_idle(&w);
	now_is = REMOTE_TAKE;
	set_clock(&w, 0, true);
	submit(&w, far);
	assert_int_equal(w.nsent, 0);
	world_settle(&w, 1);
	assert_int_equal(w.nsent, 2);
	world_fini(&w);
}

/* Mail for users here, whose store did not answer. */
static void
mail_for_here_does_not_wait_for_the_wrong_time(void **state)
{
	(void)state;
	for (int closed = 0; closed < 2; closed++) {
		struct world w;

		start(&w, REMOTE_TAKE);
		set_clock(&w, 3, closed);
		w.down = true;
		submit(&w, here);
		set_clock(&w, -3, closed);
		w.down = false;
		world_settle(&w, 1);
		assert_int_equal(world_copies(&w, "alice@example.test", NULL), 1);
		world_fini(&w);
	}
}

/* --- policies ----------------------------------------------------------------------------------------------------- */

static void
look(struct world *w, struct str domain, struct str known_id, bool refresh, struct queue_ask *ask)
{
	const struct queue_sts s = { .news = record_is, .id = STR("id1"), .ttl = 300, .words = STR(""), .result = TLSRPT_OK,
		.policy = STR("version: STSv1\r\nmode: enforce\r\nmx: mx.remote.test\r\nmax_age: 604800\r\n") };

	(void)w;
	(void)domain;
	(void)known_id;
	(void)refresh;
	queue_answer_sts(ask, &s);
}

/* A policy that was fetched in a future that never was ends after its own time, not after that. */
static void
policies_end(void **state)
{
	(void)state;
	for (int closed = 0; closed < 2; closed++) {
		struct world w;

		start(&w, REMOTE_TAKE);
		w.sts = look;
		record_is = QUEUE_STS_NEW;
		set_clock(&w, 400, closed);
		submit(&w, far);
		run_for(&w, 2000);
		assert_int_equal(strncmp(w.sent[0].sts, "version", 7), 0);
		record_is = QUEUE_STS_NONE;
		set_clock(&w, -400, closed);
		submit(&w, far); /* in force still */
		assert_int_equal(strncmp(w.sent[1].sts, "version", 7), 0);
		for (int hours = 0; hours < 8 * 24; hours += 4) {
			run_for(&w, 4 * HOUR_MS);
			submit(&w, far);
		}
		assert_string_equal(w.sent[w.nsent - 1].sts, "");
		world_fini(&w);
	}
}

/* --- days of TLS reporting ---------------------------------------------------------------------------------------- */

enum { TODAY = 20000 };

/* As destination_learn does. */
static void
sessions(struct record *r, int64_t day, unsigned n)
{
	const struct queue_hop hop = { .host = STR("mx.b"), .ip = STR("192.0.2.1:25"), .policy = TLSRPT_STS, .counted = true,
		.result = TLSRPT_OK };
	struct wall now = wall_from_seconds(day * DAY_S + 3600);

	for (unsigned i = 0; i < n; i++) {
		record_hop(r, &hop, now);
		r->used = now;
	}
}

static void
expect(const struct record *r, size_t at, uint32_t day, uint64_t n)
{
	assert_int_equal(r->days[at].day, day);
	assert_int_equal(r->days[at].counts[TLSRPT_STS].sessions[TLSRPT_OK], n);
}

/* Over midnight and back: each session is of one day. */
static void
over_midnight_and_back(void **state)
{
	struct record r = { 0 };

	(void)state;
	sessions(&r, TODAY - 1, 4);
	sessions(&r, TODAY, 10);
	sessions(&r, TODAY + 1, 1);
	sessions(&r, TODAY, 5);
	expect(&r, 0, TODAY + 1, 1);
	expect(&r, 1, TODAY, 15);
	sessions(&r, TODAY + 1, 2);
	expect(&r, 0, TODAY + 1, 3);
	expect(&r, 1, TODAY, 15);
}

/* Far ahead for a while: the days that follow are days of their own. */
static void
ahead_for_a_while(void **state)
{
	struct record r = { 0 };

	(void)state;
	sessions(&r, TODAY, 10);
	sessions(&r, TODAY + 40, 1);
	sessions(&r, TODAY, 2);
	expect(&r, 1, TODAY, 12);
	sessions(&r, TODAY + 1, 3); /* what was counted for the time ahead is this day's */
	expect(&r, 0, TODAY + 1, 4);
	expect(&r, 1, TODAY, 12);
	sessions(&r, TODAY + 2, 1);
	expect(&r, 0, TODAY + 2, 1);
	expect(&r, 1, TODAY + 1, 4);
}

/* For more than a day: both days that are kept lie ahead. */
static void
ahead_for_days(void **state)
{
	struct record r = { 0 };

	(void)state;
	sessions(&r, TODAY + 40, 7);
	sessions(&r, TODAY + 41, 1);
	sessions(&r, TODAY, 2);
	expect(&r, 0, TODAY + 41, 3);
	sessions(&r, TODAY + 1, 4);
	expect(&r, 0, TODAY + 1, 7);
	sessions(&r, TODAY + 2, 1);
	expect(&r, 0, TODAY + 2, 1);
	expect(&r, 1, TODAY + 1, 7);
}

/* Back for a while, as a machine whose clock has lost its battery: nothing is forgotten. */
static void
back_for_a_while(void **state)
{
	struct record r = { 0 };

	(void)state;
	sessions(&r, TODAY - 1, 4);
	sessions(&r, TODAY, 10);
	sessions(&r, 3, 2);
	sessions(&r, TODAY, 5);
	expect(&r, 0, TODAY, 17);
	expect(&r, 1, TODAY - 1, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_dead_may_live_again),
		cmocka_unit_test(the_dead_rest),
		cmocka_unit_test(mail_for_here_does_not_wait_for_the_wrong_time),
		cmocka_unit_test(policies_end),
		cmocka_unit_test(over_midnight_and_back),
		cmocka_unit_test(ahead_for_a_while),
		cmocka_unit_test(ahead_for_days),
		cmocka_unit_test(back_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
