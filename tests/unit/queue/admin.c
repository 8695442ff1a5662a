/* admin.c - the operator's view: pages, one message, hold and release, retry, delete, by id, all, or domain. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#include "../../../src/queue/schedule.h"
#include "../../../src/queue/state.h"

#define SENDER "sender@example.test"

struct seen {
	unsigned messages, recipients;
	char last_to[128];
	char last_reason[256];
};

static void
see_message(void *ctx, const struct queue_message_info *m)
{
	struct seen *s = ctx;

	s->messages++;
	assert_true(str_eq(m->sender, STR(SENDER)));
	assert_true(str_eq(m->client, STR("192.0.2.7")));
	assert_true(m->size >= 10 && m->received.us > 0);
}

static void
see_recipient(void *ctx, const struct queue_recipient_info *r)
{
	struct seen *s = ctx;

	s->recipients++;
	snprintf(s->last_to, sizeof s->last_to, "%.*s", STR_ARG(r->address));
	snprintf(s->last_reason, sizeof s->last_reason, "%.*s", STR_ARG(r->reason));
}

static const struct queue_view view = { see_message, see_recipient };

static void
submit(struct world *w, const char *const *to, size_t size, struct id *qid)
{
	world_submit(w, world_message(w, SENDER, to, size, qid));
	assert_int_equal(w->last.verdict, QUEUE_DONE);
}

static const char *const two[] = { "a@one.test", "b@Two.Test", NULL };
static const char *const bob[] = { "bob@example.test", NULL };

static void
start(struct world *w)
{
	world_init(w);
	world_open(w);
}

static void
pages(void **state)
{
	struct world w;
	struct seen s = { 0 };
	struct id at = { { 0 } };
	unsigned calls = 1;

	(void)state;
	start(&w);
	for (int i = 0; i < 25; i++)
		submit(&w, two, 100, NULL);
	world_idle(&w);
	while (queue_list(w.q, &at, 10, &view, &s)) {
		assert_int_equal(s.messages, 10 * calls);
		calls++;
	}
	assert_int_equal(s.messages, 25);
	assert_int_equal(s.recipients, 50);
	assert_int_equal(calls, 3);
	assert_string_equal(s.last_reason, "451 4.2.1 try later");
	world_fini(&w);
}

static void
show(void **state)
{
	static const size_t sizes[] = { 100, 100000, 300000 }; /* in the ledger, small and large; a file */
	struct world w;
	struct buf header;
	struct id qid;

	(void)state;
	start(&w);
	buf_init(&header, 1000);
	for (size_t i = 0; i < 3; i++) {
		struct seen s = { 0 };

		submit(&w, two, sizes[i], &qid);
		buf_clear(&header);
		assert_true(queue_show(w.q, qid, &view, &s, &header));
		assert_int_equal(s.messages, 1);
		assert_int_equal(s.recipients, 2);
		assert_true(str_eq(buf_str(&header), STR("Received: by mx.example.test\r\nSubject: test")));
	}
	assert_false(queue_show(w.q, id_new(), &view, NULL, NULL));
	buf_fini(&header);
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
act(struct world *w, enum queue_action action, const struct id *qid, const char *domain)
{
	const struct queue_selection sel = { .all = qid == NULL, .ids = qid, .n = qid != NULL,
		.domain = str_of(domain) };
	uint64_t count = UINT64_MAX;

	queue_act(w->q, action, &sel, on_acted, &count);
	while (count == UINT64_MAX)
		loop_once(w->loop);
	return count;
}

static void
hold_and_release(void **state)
{
	struct queue_recipient_info info;
	char reason[256];
	struct world w;
	struct id qid;

	(void)state;
	start(&w);
	w.down = true;
	submit(&w, bob, 100, &qid);
	assert_int_equal(act(&w, QUEUE_ACT_HOLD, &qid, ""), 1);
	assert_int_equal(act(&w, QUEUE_ACT_HOLD, &qid, ""), 0);
	assert_int_equal(act(&w, QUEUE_ACT_RETRY, &qid, ""), 0);
	w.down = false;
	world_settle(&w, 10 * 24);
	assert_int_equal(world_copies(&w, "bob@example.test", NULL), 0);
	assert_true(world_row(&w, "bob@example.test", &info, reason));
	assert_int_equal(info.state, QUEUE_HELD);
	assert_true(info.next_try.us == 0);
	assert_string_equal(reason, "held by the operator");
	assert_int_equal(act(&w, QUEUE_ACT_RELEASE, &qid, ""), 1);
	world_idle(&w);
	assert_int_equal(world_copies(&w, "bob@example.test", NULL), 1);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static enum remote
takes_one(struct world *w, const struct queue_job *job)
{
	(void)w;
	return str_eq(job->destination, STR("one.test")) ? REMOTE_TAKE : REMOTE_LATER;
}

static void
retry_now(void **state)
{
	struct world w;
	struct id qid;

	(void)state;
	start(&w);
	w.down = true;
	submit(&w, bob, 100, &qid);
	submit(&w, two, 100, NULL);
	world_idle(&w);
	w.down = false;
	w.remote = takes_one;
	assert_int_equal(act(&w, QUEUE_ACT_RETRY, NULL, ""), 3);
	world_idle(&w);
	assert_int_equal(world_sent(&w, "a@one.test"), 1);
	assert_int_equal(world_copies(&w, "bob@example.test", NULL), 1);
	assert_int_equal(world_rows(&w), 1);
	world_fini(&w);
}

static void
delete_by_domain(void **state)
{
	struct world w;
	struct seen s = { 0 };
	struct id at = { { 0 } };
	struct queue_counts c;

	(void)state;
	start(&w);
	for (int i = 0; i < 450; i++)
		submit(&w, two, 10, NULL);
	submit(&w, two, 300000, NULL);
	assert_int_equal(act(&w, QUEUE_ACT_DELETE, NULL, "two.test"), 451); /* several slices */
	assert_int_equal(act(&w, QUEUE_ACT_DELETE, NULL, "none.test"), 0);
	while (queue_list(w.q, &at, 100, &view, &s))
		;
	assert_int_equal(s.recipients, 451);
	assert_string_equal(s.last_to, "a@one.test");
	assert_int_equal(act(&w, QUEUE_ACT_DELETE, NULL, "ONE.test"), 451);
	queue_count(w.q, &c);
	assert_true(c.messages == 0 && c.recipients == 0 && c.bytes == 0);
	world_fini(&w);
}

/* What the operator deletes while it is being tried stays deleted. */
static void
delete_during_attempt(void **state)
{
	struct world w;
	struct id qid;

	(void)state;
	start(&w);
	w.down = true;
	submit(&w, bob, 100, &qid);
	world_idle(&w);
	clock_fake_step(60000);
	schedule_run(w.q); /* the attempt fails at once; its change is on its way */
	assert_int_equal(act(&w, QUEUE_ACT_DELETE, &qid, ""), 1);
	world_idle(&w);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages),
		cmocka_unit_test(show),
		cmocka_unit_test(hold_and_release),
		cmocka_unit_test(retry_now),
		cmocka_unit_test(delete_by_domain),
		cmocka_unit_test(delete_during_attempt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
