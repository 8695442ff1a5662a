/* retry.c - what waits: retried under the same delivery id, reported when it takes long, bounced when it is over;
 * and who is told. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#include "../../../src/queue/schedule.h"
#include "../../../src/queue/state.h"

enum { HOUR_MS = 3600 * 1000 };

#define SENDER "sender@example.test"

struct script {
	const char *user; /* whom the fault concerns */
	enum act what;
	const char *resolve; /* the address that auth answers so */
	enum act resolve_what;
	enum act publish;
	unsigned delivers;
};

static enum act
scripted(struct world *w, const char *question, struct str user)
{
	struct script *s = w->script;

	if (strcmp(question, "deliver") == 0)
		s->delivers++;
	if (strcmp(question, "publish") == 0)
		return s->publish;
	if (strcmp(question, "resolve") == 0)
		return s->resolve != NULL && str_eq(user, str_of(s->resolve)) ? s->resolve_what : ACT_OK;
	if (strcmp(question, "target") == 0 && s->user != NULL && str_eq(user, str_of(s->user)))
		return s->what;
	return ACT_OK;
}

static void
start(struct world *w, struct script *s)
{
	world_init(w);
	w->act = scripted;
	w->script = s;
	world_open(w);
}

static void
submit(struct world *w, const char *sender, const char *const *to)
{
	world_submit(w, world_message(w, sender, to, 100, NULL));
	assert_int_equal(w->last.verdict, QUEUE_DONE);
	assert_int_equal(w->last.code, 250);
}

static bool
has(const struct copy *c, const char *text)
{
	struct str all = str_from(c->message, c->size);

	return str_search(all, str_of(text)) < all.n;
}

static const char *const bob[] = { "bob@example.test", NULL };

static void
store_comes_back(void **state)
{
	struct script s = { 0 };
	struct world w;
	struct queue_recipient_info info;
	char reason[256];

	(void)state;
	start(&w, &s);
	w.down = true;
	submit(&w, SENDER, bob);
	assert_true(world_row(&w, "bob@example.test", &info, reason));
	assert_string_equal(reason, "the store process ended; delivering again");
	assert_int_equal(world_copies(&w, "bob@example.test", NULL), 0);
	clock_fake_step(60000);
	w.down = false;
	world_settle(&w, 1);
	assert_int_equal(world_copies(&w, "bob@example.test", NULL), 1);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static void
survives_restart(void **state)
{
	struct script s = { 0 };
	struct world w;

	(void)state;
	start(&w, &s);
	w.down = true;
	submit(&w, SENDER, bob);
	world_crash(&w);
	w.down = false;
	world_open(&w);
	world_settle(&w, 1);
	assert_int_equal(world_copies(&w, "bob@example.test", NULL), 1);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

/* The delivery was done, the answer lost, the ledger asks again: DONE, and one copy. */
static void
same_delivery_id(void **state)
{
	struct script s = { .user = "bob@example.test", .what = ACT_OK };
	struct world w;

	(void)state;
	start(&w, &s);
	s.what = ACT_TEMP;
	submit(&w, SENDER, bob);
	s.what = ACT_OK;
	clock_fake_step(HOUR_MS);
	w.dead = true; /* delivered, but the queue dies before the answer */
	schedule_soon(w.q);
	loop_turn(w.loop);
	loop_turn(w.loop);
	assert_int_equal(world_copies(&w, "bob@example.test", NULL), 1);
	world_crash(&w);
	world_open(&w);
	world_settle(&w, 24);
	assert_int_equal(world_copies(&w, "bob@example.test", NULL), 1);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static void
delay_is_reported_once(void **state)
{
	struct script s = { .user = "bob@example.test", .what = ACT_TEMP };
	struct world w;
	const struct copy *c;

	(void)state;
	start(&w, &s);
	submit(&w, SENDER, bob);
	world_settle(&w, 3);
	assert_int_equal(world_copies(&w, SENDER, NULL), 0);
	world_settle(&w, 20);
	assert_int_equal(world_copies(&w, SENDER, NULL), 1);
	c = world_copy(&w, SENDER);
	assert_string_equal(c->sender, "");
	assert_true(has(c, "Action: delayed\r\nStatus: 4.2.1\r\n"));
	assert_true(has(c, "Will-Retry-Until: "));
	assert_true(has(c, "text/rfc822-headers"));
	s.what = ACT_OK;
	world_settle(&w, 24);
	assert_int_equal(world_copies(&w, "bob@example.test", NULL), 1);
	assert_int_equal(world_copies(&w, SENDER, NULL), 1);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static void
expiry_bounces(void **state)
{
	struct script s = { .user = "bob@example.test", .what = ACT_TEMP };
	struct world w;
	unsigned delivers;

	(void)state;
	start(&w, &s);
	submit(&w, SENDER, bob);
	world_settle(&w, 6 * 24);
	assert_int_equal(world_copies(&w, SENDER, NULL), 2); /* delayed, then failed */
	assert_int_equal(world_copies(&w, "bob@example.test", NULL), 0);
	assert_int_equal(world_rows(&w), 0);
	assert_true(s.delivers > 300 && s.delivers < 1000); /* back-off: not more often than every few minutes */
	delivers = s.delivers;
	world_settle(&w, 48);
	assert_int_equal(s.delivers, delivers);
	world_fini(&w);
}

static const struct copy *
find(const struct world *w, const char *user, const char *text)
{
	for (size_t i = 0; i < w->ncopies; i++)
		if (strcmp(w->copies[i].user, user) == 0 && has(&w->copies[i], text))
			return &w->copies[i];
	return NULL;
}

static void
refusal_of_one_bounces(void **state)
{
	static const char *const to[] = { "alice@example.test", "bob@example.test", NULL };
	struct script s = { .user = "bob@example.test", .what = ACT_PERM };
	struct world w;
	const struct copy *c;

	(void)state;
	start(&w, &s);
	submit(&w, SENDER, to);
	world_settle(&w, 1);
	assert_int_equal(world_copies(&w, "alice@example.test", NULL), 1);
	c = find(&w, SENDER, "Action: failed\r\nStatus: 5.2.2\r\n");
	assert_non_null(c);
	assert_true(has(c, "Final-Recipient: rfc822; bob@example.test\r\n"));
	assert_false(has(c, "alice@example.test"));
	assert_true(has(c, "message/rfc822")); /* small, RET not given: all of it */
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static void
refusal_of_all_is_refused(void **state)
{
	struct script s = { .user = "bob@example.test", .what = ACT_PERM };
	struct world w;

	(void)state;
	start(&w, &s);
	world_submit(&w, world_message(&w, SENDER, bob, 10, NULL));
	assert_int_equal(w.last.verdict, QUEUE_PERM);
	assert_int_equal(w.last.code, 552);
	assert_string_equal(w.last.status, "5.2.2");
	world_settle(&w, 1);
	assert_int_equal(w.ncopies, 0);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

/* E20: nothing to the null sender, nothing where the sender said NEVER. */
static void
e20_nobody_is_told(void **state)
{
	static const char *const quiet[] = { "!bob@example.test", "alice@example.test", NULL };
	static const char *const plain[] = { "bob@example.test", "alice@example.test", NULL };
	struct script s = { .user = "bob@example.test", .what = ACT_PERM };
	struct world w;

	(void)state;
	start(&w, &s);
	submit(&w, SENDER, quiet);
	submit(&w, "", plain);
	world_settle(&w, 1);
	s.what = ACT_TEMP;
	submit(&w, SENDER, quiet);
	submit(&w, "", plain);
	world_settle(&w, 7 * 24);
	assert_int_equal(w.ncopies, 4); /* alice's */
	assert_int_equal(world_copies(&w, "alice@example.test", NULL), 4);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static void
e20_bounce_of_a_bounce(void **state)
{
	static const char *const to[] = { "alice@example.test", "bob@example.test", NULL };
	struct script s = { .user = "bob@example.test", .what = ACT_PERM, .resolve = SENDER, .resolve_what = ACT_PERM };
	struct world w;
	const struct copy *c;

	(void)state;
	start(&w, &s);
	submit(&w, SENDER, to);
	world_settle(&w, 1);
	assert_int_equal(world_copies(&w, SENDER, NULL), 0);
	c = find(&w, "postmaster@example.test", "Final-Recipient: rfc822; " SENDER);
	assert_non_null(c);
	assert_int_equal(w.ncopies, 2);
	assert_int_equal(world_rows(&w), 0);
	/* the postmaster's own mailbox refuses, too: it ends */
	s.resolve = NULL;
	s.user = "postmaster@example.test";
	w.options.postmaster = STR("postmaster@example.test");
	submit(&w, "", bob);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static void
double_bounce_ends(void **state)
{
	static const char *const to[] = { "alice@example.test", "bob@example.test", NULL };
	struct script s = { .user = "bob@example.test", .what = ACT_PERM };
	struct world w;

	(void)state;
	start(&w, &s);
	w.options.postmaster = STR("bob@example.test"); /* full as well */
	queue_configure(w.q, &w.options);
	s.resolve = SENDER;
	s.resolve_what = ACT_PERM;
	submit(&w, SENDER, to);
	world_settle(&w, 24);
	assert_int_equal(w.ncopies, 1); /* alice's */
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static void
auth_answers_later(void **state)
{
	static const char *const to[] = { "alice@example.test", "bob@example.test", NULL };
	struct script s = { .user = "bob@example.test", .what = ACT_PERM, .resolve = SENDER,
		.resolve_what = ACT_GONE_BEFORE };
	struct world w;

	(void)state;
	start(&w, &s);
	submit(&w, SENDER, to);
	world_settle(&w, 1);
	assert_int_equal(world_copies(&w, SENDER, NULL), 0);
	s.resolve_what = ACT_TEMP;
	world_settle(&w, 1);
	assert_int_equal(world_copies(&w, SENDER, NULL), 0);
	s.resolve_what = ACT_OK;
	world_settle(&w, 1);
	assert_int_equal(world_copies(&w, SENDER, NULL), 1);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

/* A bounce to another host is remote mail: it is tried until it is over, and nobody is told but the postmaster. */
static void
bounce_to_far(void **state)
{
	static const char *const to[] = { "alice@example.test", "bob@example.test", NULL };
	struct script s = { .user = "bob@example.test", .what = ACT_PERM };
	struct queue_recipient_info info;
	char reason[256];
	struct world w;

	(void)state;
	start(&w, &s);
	submit(&w, "far@remote.test", to);
	world_settle(&w, 4 * 24);
	assert_true(world_row(&w, "far@remote.test", &info, reason));
	assert_int_equal(info.state, QUEUE_WAITING);
	assert_true(info.attempts > 90 && info.attempts < 130);
	assert_string_equal(reason, "451 4.2.1 try later");
	assert_int_equal(world_rows(&w), 1);
	world_settle(&w, 2 * 24);
	assert_int_equal(world_rows(&w), 0);
	assert_int_equal(world_copies(&w, "postmaster@example.test", NULL), 1);
	assert_int_equal(w.ncopies, 2);
	world_fini(&w);
}

static void
success_is_reported(void **state)
{
	static const char *const to[] = { "+alice@example.test", "+bob@example.test", "dave@example.test", NULL };
	struct script s = { .user = "nobody" };
	struct world w;
	const struct copy *c;

	(void)state;
	start(&w, &s);
	submit(&w, SENDER, to);
	world_settle(&w, 1);
	assert_int_equal(world_copies(&w, SENDER, NULL), 1); /* one for all */
	c = world_copy(&w, SENDER);
	assert_true(has(c, "Final-Recipient: rfc822; alice@example.test\r\nAction: delivered\r\nStatus: 2.0.0\r\n"));
	assert_true(has(c, "Final-Recipient: rfc822; bob@example.test\r\nAction: delivered\r\nStatus: 2.0.0\r\n"));
	assert_false(has(c, "dave"));
	/* and after a retry */
	s.user = "bob@example.test";
	s.what = ACT_TEMP;
	submit(&w, SENDER, to);
	world_idle(&w);
	s.what = ACT_OK;
	world_settle(&w, 1);
	assert_int_equal(world_copies(&w, SENDER, NULL), 3);
	assert_int_equal(world_rows(&w), 0);
	submit(&w, "", to); /* nobody to tell */
	world_settle(&w, 1);
	assert_int_equal(world_copies(&w, SENDER, NULL), 3);
	world_fini(&w);
}

/* Two recipients of one batch, both late; at the retry one still cannot: the other is published. */
static void
batch_retry_publishes(void **state)
{
	static const char *const to[] = { "bob@example.test", "dave@example.test", NULL };
	struct script s = { .user = "bob@example.test", .what = ACT_TEMP };
	struct world w;

	(void)state;
	start(&w, &s);
	w.down = true;
	submit(&w, SENDER, to);
	w.down = false;
	clock_fake_step(60000);
	s.publish = ACT_GONE_BEFORE; /* first the store dies while publishing */
	schedule_soon(w.q);
	world_idle(&w);
	assert_int_equal(world_copies(&w, "dave@example.test", NULL), 0);
	s.publish = ACT_OK;
	clock_fake_step(60000);
	schedule_soon(w.q);
	world_idle(&w);
	assert_int_equal(world_copies(&w, "dave@example.test", NULL), 1);
	assert_int_equal(world_copies(&w, "bob@example.test", NULL), 0);
	s.what = ACT_OK;
	world_settle(&w, 24);
	assert_int_equal(world_copies(&w, "bob@example.test", NULL), 1);
	assert_int_equal(world_copies(&w, "dave@example.test", NULL), 1);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static void
backoff(void **state)
{
	const struct wall now = { 1000000000 };
	int64_t first, late;

	(void)state;
	clock_real();
	for (int i = 0; i < 200; i++) {
		first = schedule_next_try(now, 1).us - now.us;
		late = schedule_next_try(now, 40).us - now.us;
		assert_true(first >= 1600000 && first <= 2400000);
		assert_true(late >= 720000000 && late <= 1080000000);
		assert_true(schedule_next_try(now, 4).us - now.us >= 12800000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(store_comes_back),
		cmocka_unit_test(survives_restart),
		cmocka_unit_test(same_delivery_id),
		cmocka_unit_test(delay_is_reported_once),
		cmocka_unit_test(expiry_bounces),
		cmocka_unit_test(refusal_of_one_bounces),
		cmocka_unit_test(refusal_of_all_is_refused),
		cmocka_unit_test(e20_nobody_is_told),
		cmocka_unit_test(e20_bounce_of_a_bounce),
		cmocka_unit_test(double_bounce_ends),
		cmocka_unit_test(auth_answers_later),
		cmocka_unit_test(bounce_to_far),
		cmocka_unit_test(success_is_reported),
		cmocka_unit_test(batch_retry_publishes),
		cmocka_unit_test(backoff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
