/* remote.c - mail for other hosts, recipient by recipient: taken, refused, later, given up; who is told what; and what crashes,
 * dying relay processes and full disks leave. */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../../src/queue/commit.h"
#include "../../../src/queue/job.h"
#include "../../../src/queue/schedule.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 3600 * 1000 };

#define SENDER "sender@example.test"

static enum remote now_is;

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
submit(struct world *w, const char *sender, const char *const *to, struct id *qid)
{
	world_submit(w, world_message(w, sender, to, 100, qid));
	assert_int_equal(w->last.verdict, QUEUE_DONE);
}

static bool
has(const struct copy *c, const char *text)
{
	struct str all = str_from(c->message, c->size);

	return str_search(all, str_of(text)) < all.n;
}

static const struct copy *
report(const struct world *w, const char *user, const char *text)
{
	for (size_t i = 0; i < w->ncopies; i++)
		if (strcmp(w->copies[i].user, user) == 0 && has(&w->copies[i], text))
			return &w->copies[i];
	return NULL;
}

static const char *const far[] = { "far@remote.test", NULL };
static const char *const three[] = { "a@remote.test", "b@remote.test", "c@remote.test", NULL };

static void
step(struct world *w, int64_t ms)
{
	clock_fake_step(ms);
	schedule_run(w->q);
	world_idle(w);
}

/* --- results ------------------------------------------------------------------------------------------------------ */

static void
taken_at_once(void **state)
{
	static const char *const both[] = { "far@remote.test", "alice@example.test", "other@two.test", NULL };
	struct world w;

	(void)state;
	start(&w, REMOTE_TAKE);
	submit(&w, SENDER, both, NULL);
	world_idle(&w);
	assert_int_equal(world_sent(&w, "far@remote.test"), 1);
	assert_int_equal(world_sent(&w, "other@two.test"), 1);
	assert_int_equal(world_copies(&w, "alice@example.test", NULL), 1);
	assert_int_equal(w.jobs, 2);
	assert_int_equal(world_rows(&w), 0);
	assert_true(world_logged(&w, (const char *const[]){ "event=deliver", "to=far@remote.test", "host=mx.remote.test",
	    "ip=192.0.2.25:25", "delays=0.000/0.012/0.345", "dsn=2.0.0", "reply=\"250 2.0.0 accepted\"", "tls_wanted=may",
	    "tls_got=encrypt", "tls_why=\"no policy\"", NULL }));
	world_fini(&w);
}

static void
one_by_one(void **state)
{
	struct queue_recipient_info info;
	char reason[256];
	const struct copy *c;
	struct world w;

	(void)state;
	start(&w, REMOTE_MIXED);
	submit(&w, SENDER, three, NULL);
	world_idle(&w);
	assert_int_equal(w.jobs, 1);
	assert_int_equal(world_sent(&w, "a@remote.test"), 1);
	c = report(&w, SENDER, "Final-Recipient: rfc822; b@remote.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
			       "Remote-MTA: dns; mx.remote.test\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n");
	assert_non_null(c);
	assert_false(has(c, "c@remote.test"));
	assert_true(world_row(&w, "c@remote.test", &info, reason));
	assert_int_equal(info.attempts, 1);
	assert_string_equal(reason, "451 4.2.1 try later");
	assert_true(info.next_try.us - wall_now().us > 95 * 1000000LL && info.next_try.us - wall_now().us < 145 * 1000000LL);
	assert_int_equal(world_rows(&w), 1);
	assert_true(world_logged(&w, (const char *const[]){ "event=bounce", "to=b@remote.test", "dsn=5.1.1", "tls_got=encrypt", NULL }));
	assert_true(world_logged(&w, (const char *const[]){ "event=defer", "to=c@remote.test", "dsn=4.2.1", NULL }));
	now_is = REMOTE_TAKE;
	world_settle(&w, 1);
	assert_int_equal(world_sent(&w, "c@remote.test"), 1);
	assert_int_equal(w.nsent, 2);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

/* RFC 3461 5.2.2: "relayed" when the next host will not report; nothing when it will. */
static void
success(void **state)
{
	static const char *const to[] = { "+far@remote.test", "other@remote.test", NULL };
	struct world w;

	(void)state;
	start(&w, REMOTE_TAKE);
	submit(&w, SENDER, to, NULL);
	world_idle(&w);
	assert_int_equal(world_copies(&w, SENDER, NULL), 1);
	assert_non_null(report(&w, SENDER, "Final-Recipient: rfc822; far@remote.test\r\nAction: relayed\r\nStatus: 2.0.0\r\n"
					   "Remote-MTA: dns; mx.remote.test\r\n"));
	assert_null(report(&w, SENDER, "other@remote.test"));
	w.dsn_passed = true;
	submit(&w, SENDER, to, NULL);
	submit(&w, "", to, NULL);
	world_idle(&w);
	assert_int_equal(world_copies(&w, SENDER, NULL), 1);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static void
many_recipients(void **state)
{
	char addresses[200][32];
	const char *to[201] = { NULL };
	struct world w;

	(void)state;
	for (int i = 0; i < 200; i++) {
		snprintf(addresses[i], sizeof addresses[i], "r%d@remote.test", i);
		to[i] = addresses[i];
	}
	start(&w, REMOTE_TAKE);
	submit(&w, SENDER, to, NULL);
	world_idle(&w);
	assert_int_equal(w.jobs, 4);
	for (int i = 0; i < 200; i++)
		assert_int_equal(world_sent(&w, to[i]), 1);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static void
tried_and_given_up(void **state)
{
	struct world w;

	(void)state;
	start(&w, REMOTE_LATER);
	submit(&w, SENDER, far, NULL);
	world_settle(&w, 3);
	assert_int_equal(world_copies(&w, SENDER, NULL), 0);
	world_settle(&w, 20);
	assert_int_equal(world_copies(&w, SENDER, NULL), 1);
	assert_non_null(report(&w, SENDER, "Action: delayed\r\nStatus: 4.2.1\r\nRemote-MTA: dns; mx.remote.test\r\n"
					   "Diagnostic-Code: smtp; 451 4.2.1 try later\r\n"));
	assert_true(w.jobs > 20 && w.jobs < 40);
	world_settle(&w, 5 * 24);
	assert_int_equal(world_copies(&w, SENDER, NULL), 2);
	assert_non_null(report(&w, SENDER, "Action: failed\r\nStatus: 5.4.7\r\nDiagnostic-Code: X-Postern; not delivered within 5 "
					   "days; the last reason: 451 4.2.1 try later\r\n"));
	assert_true(w.jobs > 110 && w.jobs < 160);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

/* Mail behind a destination that rests is not tried, but its sender hears of it, with the destination's reason. */
static void
untouched_mail_has_its_deadlines(void **state)
{
	struct queue_recipient_info info;
	char reason[256];
	struct world w;
	unsigned before;

	(void)state;
	start(&w, REMOTE_DEAD);
	for (int i = 0; i < 40; i++)
		submit(&w, i % 2 == 0 ? SENDER : "", far, NULL);
	world_idle(&w);
	before = w.jobs;
	assert_true(before <= 5);
	world_settle(&w, 5);
	assert_int_equal(world_copies(&w, SENDER, NULL), 20);
	assert_int_equal(world_rows(&w), 40);
	assert_true(w.jobs < 20); /* one probe for each rest */
	assert_true(world_row(&w, "far@remote.test", &info, reason));
	for (size_t i = 0; i < w.ncopies; i++) {
		assert_true(has(&w.copies[i], "Action: delayed\r\nStatus: 4.4.1\r\n"));
		assert_true(has(&w.copies[i], "Diagnostic-Code: X-Postern; no host answers\r\n"));
		assert_false(has(&w.copies[i], "Remote-MTA"));
	}
	world_settle(&w, 5 * 24);
	assert_int_equal(world_copies(&w, SENDER, NULL), 40);
	assert_int_equal(world_rows(&w), 0);
	assert_non_null(report(&w, SENDER, "Action: failed\r\nStatus: 5.4.7\r\nDiagnostic-Code: X-Postern; not delivered within 5 "
					   "days; the last reason: no host answers\r\n"));
	assert_true(world_logged(&w, (const char *const[]){ "event=bounce", "dsn=5.4.7", "the last reason: no host answers", NULL }));
	world_fini(&w);
}

/* The machine was off for a week: everything is tried before it is given up. */
static void
after_a_long_stop(void **state)
{
	struct world w;

	(void)state;
	start(&w, REMOTE_HANGS);
	for (int i = 0; i < 3; i++)
		submit(&w, SENDER, three, NULL);
	world_crash(&w);
	clock_fake_step(7 * 24 * (int64_t)HOUR_MS);
	now_is = REMOTE_TAKE;
	world_open(&w);
	world_settle(&w, 1);
	assert_int_equal(w.nsent, 9);
	assert_int_equal(w.ncopies, 0);
	/* and what cannot be delivered then comes back, when it has had some minutes of tries */
	now_is = REMOTE_HANGS;
	submit(&w, SENDER, far, NULL);
	world_crash(&w);
	clock_fake_step(7 * 24 * (int64_t)HOUR_MS);
	now_is = REMOTE_DEAD;
	world_open(&w);
	step(&w, MINUTE_MS);
	assert_int_equal(world_rows(&w), 1);
	assert_int_equal(world_copies(&w, SENDER, NULL), 0);
	world_settle(&w, 1);
	assert_int_equal(world_copies(&w, SENDER, NULL), 1);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

/* --- accidents ---------------------------------------------------------------------------------------------------- */

static void
crash_before_the_answer(void **state)
{
	struct world w;

	(void)state;
	start(&w, REMOTE_HANGS);
	submit(&w, SENDER, three, NULL);
	world_idle(&w);
	assert_int_equal(w.nheld, 1);
	assert_int_equal(world_rows(&w), 3);
	world_crash(&w);
	now_is = REMOTE_MIXED;
	world_open(&w);
	world_idle(&w);
	assert_int_equal(w.nsent, 1);
	world_crash(&w); /* some are done: they are not tried again */
	now_is = REMOTE_TAKE;
	world_open(&w);
	world_settle(&w, 1);
	assert_int_equal(world_sent(&w, "a@remote.test"), 1);
	assert_int_equal(world_sent(&w, "b@remote.test"), 0);
	assert_int_equal(world_sent(&w, "c@remote.test"), 1);
	assert_int_equal(world_copies(&w, SENDER, NULL), 1);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static unsigned commits_until;

static int
crash_at(void *ctx)
{
	struct world *w = ctx;

	if (commits_until > 0 && --commits_until == 0)
		w->dead = true;
	return w->dead ? MDB_MAP_FULL : 0;
}

/* The queue dies at its nth commit, whichever that is: nobody is lost, and whoever was noted is not tried again. */
static void
crash_at_each_commit(void **state)
{
	static const char *const to[] = { "a@remote.test", "b@remote.test", "c@remote.test", "alice@example.test", NULL };
	struct world w;

	(void)state;
	for (unsigned n = 1; n < 8; n++) {
		start(&w, REMOTE_MIXED);
		commits_until = n;
		commit_set_fault(crash_at, &w);
		world_submit(&w, world_message(&w, SENDER, to, 100, NULL));
		for (int i = 0; i < 50 && !w.dead; i++)
			loop_turn(w.loop);
		world_crash(&w);
		commit_set_fault(NULL, NULL);
		now_is = REMOTE_TAKE;
		world_open(&w);
		world_settle(&w, 24);
		assert_int_equal(world_rows(&w), 0);
		if (w.answered && w.last.verdict == QUEUE_DONE) {
			assert_int_equal(world_copies(&w, "alice@example.test", NULL), 1);
			assert_true(world_sent(&w, "a@remote.test") >= 1 && world_sent(&w, "a@remote.test") <= 2);
			assert_int_equal(world_sent(&w, "b@remote.test") + world_copies(&w, SENDER, NULL), 1);
			assert_int_equal(world_sent(&w, "c@remote.test"), 1);
		}
		world_fini(&w);
	}
}

static int
no_space(void *ctx)
{
	(void)ctx;
	return MDB_MAP_FULL;
}

/* A result that cannot be written is kept until it can: the mail is not sent again. */
static void
results_wait_for_space(void **state)
{
	struct world w;

	(void)state;
	start(&w, REMOTE_HANGS);
	submit(&w, SENDER, three, NULL);
	world_idle(&w);
	commit_set_fault(no_space, NULL);
	world_release(&w, REMOTE_TAKE);
	while (TAILQ_EMPTY(&w.q->unwritten))
		loop_turn(w.loop);
	assert_int_equal(world_rows(&w), 3);
	commit_set_fault(NULL, NULL);
	now_is = REMOTE_TAKE;
	step(&w, MINUTE_MS);
	world_settle(&w, 1);
	assert_int_equal(w.nsent, 3);
	assert_int_equal(w.jobs, 1);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

/* A relay process that dies costs seconds; one that dies of this mail each time, less and less. */
static void
relay_dies(void **state)
{
	struct world w;

	(void)state;
	start(&w, REMOTE_GONE);
	submit(&w, SENDER, three, NULL);
	world_idle(&w);
	assert_int_equal(w.jobs, 1);
	world_settle(&w, 1);
	assert_true(w.jobs > 5 && w.jobs < 25);
	now_is = REMOTE_TAKE;
	world_settle(&w, 1);
	assert_int_equal(w.nsent, 3);
	now_is = REMOTE_GONE;
	submit(&w, SENDER, far, NULL);
	world_idle(&w);
	now_is = REMOTE_TAKE;
	step(&w, 5000);
	assert_int_equal(w.nsent, 4);
	world_fini(&w);
}

static void
on_acted(void *ctx, uint64_t n, const struct err *e)
{
	uint64_t *count = ctx;

	assert_null(e);
	*count = n;
}

static uint64_t
act(struct world *w, enum queue_action action)
{
	const struct queue_selection sel = { .all = true, .domain = STR("") };
	uint64_t count = 0;

	queue_act(w->q, action, &sel, on_acted, &count);
	world_idle(w);
	return count;
}

/* The operator acts while a job is under way. */
static void
acts_meanwhile(void **state)
{
	struct queue_recipient_info info;
	char reason[256];
	struct world w;

	(void)state;
	start(&w, REMOTE_HANGS);
	submit(&w, SENDER, far, NULL);
	world_idle(&w);
	assert_int_equal(act(&w, QUEUE_ACT_RETRY), 1);
	assert_int_equal(w.nheld, 1); /* it is on its way already */
	assert_int_equal(act(&w, QUEUE_ACT_HOLD), 1);
	world_release(&w, REMOTE_LATER);
	world_idle(&w);
	assert_true(world_row(&w, "far@remote.test", &info, reason));
	assert_int_equal(info.state, QUEUE_HELD);
	world_settle(&w, 24);
	assert_int_equal(w.jobs, 1);
	assert_int_equal(act(&w, QUEUE_ACT_RELEASE), 1);
	assert_int_equal(w.jobs, 2);
	assert_int_equal(act(&w, QUEUE_ACT_DELETE), 1);
	world_release(&w, REMOTE_LATER);
	world_idle(&w);
	assert_int_equal(world_rows(&w), 0);
	assert_int_equal(w.ncopies, 0);
	world_fini(&w);
}

/* A deadline does not take mail that is on its way. */
static void
deadline_meanwhile(void **state)
{
	struct world w;

	(void)state;
	start(&w, REMOTE_HANGS);
	w.q->options.limits.warn_s = w.q->options.limits.expire_s = 600;
	submit(&w, SENDER, far, NULL);
	world_idle(&w);
	for (int i = 0; i < 6; i++)
		step(&w, 20 * MINUTE_MS);
	assert_int_equal(w.ncopies, 0);
	assert_int_equal(world_rows(&w), 1);
	world_release(&w, REMOTE_TAKE);
	world_idle(&w);
	assert_int_equal(w.nsent, 1);
	assert_int_equal(world_rows(&w), 0);
	assert_int_equal(w.ncopies, 0);
	world_fini(&w);
}

/* Sets the wall clock alone. */
static void
set_clock(struct world *w, int64_t days)
{
	clock_fake(mono_now(), (struct wall){ wall_now().us + days * 24 * HOUR_MS * 1000 });
	schedule_run(w->q);
	world_idle(w);
}

/* The clock is put forward by more than mail may wait: nobody is given up untried. */
static void
clock_forward(void **state)
{
	struct world w;

	(void)state;
	start(&w, REMOTE_DEAD);
	submit(&w, SENDER, far, NULL);
	submit(&w, SENDER, three, NULL);
	world_idle(&w);
	now_is = REMOTE_TAKE;
	set_clock(&w, 10);
	world_settle(&w, 1);
	assert_int_equal(w.nsent, 4);
	assert_null(report(&w, SENDER, "Action: failed"));
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

/* It is put back: what was planned for a time that is far ahead now is tried at once; while it was closed, too. */
static void
clock_back(void **state)
{
	struct world w;

	(void)state;
	for (int closed = 0; closed < 2; closed++) {
		start(&w, REMOTE_LATER);
		submit(&w, SENDER, far, NULL);
		world_idle(&w);
		now_is = REMOTE_DEAD;
		submit(&w, SENDER, three, NULL);
		world_idle(&w);
		now_is = REMOTE_TAKE;
		if (closed)
			world_crash(&w);
		clock_fake(mono_now(), (struct wall){ wall_now().us - 10 * 24 * HOUR_MS * INT64_C(1000) });
		if (closed)
			world_open(&w);
		world_settle(&w, 1);
		assert_int_equal(w.nsent, 4);
		assert_int_equal(world_rows(&w), 0);
		world_fini(&w);
	}
}

/* A relay process lives, but does not answer: its jobs end after hours, and their mail has its tries and deadlines again. */
static void
relay_hangs(void **state)
{
	struct world w;

	(void)state;
	start(&w, REMOTE_HANGS);
	submit(&w, SENDER, three, NULL);
	world_idle(&w);
	step(&w, 2 * (int64_t)HOUR_MS);
	assert_int_equal(w.q->jobs, 1);
	step(&w, 2 * (int64_t)HOUR_MS);
	assert_int_equal(w.q->jobs, 0);
	assert_int_equal(w.q->marks.n, 0);
	world_settle(&w, 1);
	assert_int_equal(w.jobs, 2); /* it hangs again */
	now_is = REMOTE_TAKE;
	step(&w, 4 * (int64_t)HOUR_MS);
	world_settle(&w, 1);
	assert_int_equal(w.nsent, 3);
	assert_int_equal(world_rows(&w), 0);
	world_release(&w, REMOTE_LATER); /* too late */
	world_release(&w, REMOTE_REFUSE);
	world_idle(&w);
	assert_int_equal(w.q->jobs, 0);
	assert_int_equal(w.nsent, 3);
	assert_null(report(&w, SENDER, "Action: failed"));
	world_fini(&w);
}

/* Due and too late at the same moment: it is given up, and no job takes it while that is being written. */
static void
given_up_is_not_tried(void **state)
{
	struct world w;

	(void)state;
	start(&w, REMOTE_LATER);
	submit(&w, SENDER, three, NULL);
	world_idle(&w);
	now_is = REMOTE_TAKE;
	step(&w, 6 * 24 * (int64_t)HOUR_MS);
	assert_int_equal(w.nsent, 0);
	assert_int_equal(w.ncopies, 1);
	assert_non_null(report(&w, SENDER, "Action: failed"));
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static int
no_space_for_a_while(void *ctx)
{
	unsigned *left = ctx;

	return *left > 0 && (*left)-- > 0 ? ENOSPC : 0;
}

/* When giving up finds no space the recipient is in its lane still. */
static void
given_up_without_space(void **state)
{
	unsigned failing = 1;
	struct world w;

	(void)state;
	start(&w, REMOTE_LATER);
	submit(&w, SENDER, far, NULL);
	world_idle(&w);
	commit_set_fault(no_space_for_a_while, &failing);
	now_is = REMOTE_HANGS;
	step(&w, 6 * 24 * (int64_t)HOUR_MS);
	assert_int_equal(failing, 0);
	assert_int_equal(world_rows(&w), 1);
	assert_true(w.q->lanes.n == 1);
	world_settle(&w, 1);
	commit_set_fault(NULL, NULL);
	assert_int_equal(w.nsent, 0);
	assert_non_null(report(&w, SENDER, "Action: failed"));
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_at_once),
		cmocka_unit_test(one_by_one),
		cmocka_unit_test(success),
		cmocka_unit_test(many_recipients),
		cmocka_unit_test(tried_and_given_up),
		cmocka_unit_test(untouched_mail_has_its_deadlines),
		cmocka_unit_test(after_a_long_stop),
		cmocka_unit_test(crash_before_the_answer),
		cmocka_unit_test(crash_at_each_commit),
		cmocka_unit_test(results_wait_for_space),
		cmocka_unit_test(relay_dies),
		cmocka_unit_test(acts_meanwhile),
		cmocka_unit_test(deadline_meanwhile),
		cmocka_unit_test(relay_hangs),
		cmocka_unit_test(clock_forward),
		cmocka_unit_test(clock_back),
		cmocka_unit_test(given_up_is_not_tried),
		cmocka_unit_test(given_up_without_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
