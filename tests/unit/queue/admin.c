/* admin.c - the operator's view: pages, one message, destinations; hold and release, retry, delete, reroute, by id, all, or
 * domain. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#include "../../../src/queue/destination.h"
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

static const char *detour = ""; /* of REROUTE */

static uint64_t
act(struct world *w, enum queue_action action, const struct id *qid, const char *domain)
{
	const struct queue_selection sel = { .all = qid == NULL, .ids = qid, .n = qid != NULL,
		.domain = str_of(domain), .destination = str_of(detour) };
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

/* --- other hosts -------------------------------------------------------------------------------------------------- */

static enum remote
dead_but_detours(struct world *w, const struct queue_job *job)
{
	(void)w;
	return str_starts(job->destination, STR("=")) ? REMOTE_TAKE : REMOTE_DEAD;
}

static enum remote
all_take(struct world *w, const struct queue_job *job)
{
	(void)w;
	(void)job;
	return REMOTE_TAKE;
}

/* `queue retry' ends the rest of the destination: all of its mail goes, not one job that finds out. */
static void
retry_ends_a_rest(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	w.remote = dead_but_detours;
	for (int i = 0; i < 10; i++)
		submit(&w, two, 100, NULL);
	world_idle(&w);
	w.remote = all_take;
	assert_int_equal(act(&w, QUEUE_ACT_RETRY, NULL, "one.test"), 10);
	world_idle(&w);
	assert_int_equal(world_sent_to(&w, "one.test"), 10);
	assert_int_equal(world_sent_to(&w, "two.test"), 0);
	assert_int_equal(world_rows(&w), 10);
	world_fini(&w);
}

static void
reroute(void **state)
{
	struct queue_recipient_info info;
	char reason[256];
	struct world w;
	struct id qid;

	(void)state;
	start(&w);
	w.remote = dead_but_detours;
	submit(&w, two, 100, &qid);
	submit(&w, two, 100, NULL);
	world_idle(&w);
	detour = "=[192.0.2.7]:2525";
	assert_int_equal(act(&w, QUEUE_ACT_REROUTE, &qid, "one.test"), 1);
	world_idle(&w);
	assert_int_equal(world_sent_to(&w, detour), 1);
	assert_int_equal(world_rows(&w), 3);
	/* held ones stay held, a reload does not bring them back, a restart neither */
	assert_int_equal(act(&w, QUEUE_ACT_HOLD, NULL, ""), 3);
	detour = "=host.test:25";
	assert_int_equal(act(&w, QUEUE_ACT_REROUTE, NULL, ""), 3);
	queue_configure(w.q, &w.options);
	world_idle(&w);
	world_crash(&w);
	world_open(&w);
	world_idle(&w);
	assert_int_equal(w.nsent, 1);
	assert_true(world_row(&w, "b@Two.Test", &info, reason));
	assert_int_equal(info.state, QUEUE_HELD);
	assert_int_equal(act(&w, QUEUE_ACT_RELEASE, NULL, ""), 3);
	world_idle(&w);
	assert_int_equal(world_sent_to(&w, "=host.test:25"), 3);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static void
reroute_and_back(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	w.remote = NULL;
	submit(&w, two, 100, NULL);
	world_idle(&w);
	detour = "=host.test:25";
	assert_int_equal(act(&w, QUEUE_ACT_REROUTE, NULL, ""), 2);
	world_idle(&w);
	detour = "";
	w.remote = all_take;
	assert_int_equal(act(&w, QUEUE_ACT_REROUTE, NULL, ""), 2);
	world_idle(&w);
	assert_int_equal(world_sent_to(&w, "one.test"), 1);
	assert_int_equal(w.nsent, 2);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

struct shown {
	unsigned n;
	char last[64], reason[64], host[64], sts[64];
	uint64_t good;
	bool mail, rests;
};

static void
see_destination(void *ctx, const struct queue_destination_info *d)
{
	struct shown *s = ctx;

	s->n++;
	snprintf(s->last, sizeof s->last, "%.*s", STR_ARG(d->name));
	snprintf(s->reason, sizeof s->reason, "%.*s", STR_ARG(d->reason));
	snprintf(s->host, sizeof s->host, "%.*s", STR_ARG(d->last.host));
	s->mail = d->mail;
	s->rests = d->rest_until.us > 0;
	s->good = d->ndays > 0 ? d->days[0].counts[TLSRPT_NO_POLICY].sessions[TLSRPT_OK] : 0;
}

static void
destinations(void **state)
{
	struct shown s = { 0 };
	char at[QUEUE_DESTINATION_SIZE] = "";
	struct queue_recipient_info info;
	char reason[256];
	struct world w;

	(void)state;
	start(&w);
	w.remote = takes_one;
	for (int i = 0; i < 3; i++)
		submit(&w, two, 100, NULL);
	world_idle(&w);
	assert_true(queue_destination_show(w.q, STR("ONE.test"), see_destination, &s));
	assert_string_equal(s.last, "one.test");
	assert_string_equal(s.host, "mx.remote.test");
	assert_true(s.good == 3 && !s.mail && !s.rests);
	w.remote = dead_but_detours;
	submit(&w, two, 100, NULL);
	news_write(w.q);
	world_idle(&w);
	s.n = 0;
	while (queue_destinations(w.q, at, 1, see_destination, &s))
		;
	assert_int_equal(s.n, 2);
	assert_string_equal(s.last, "two.test");
	assert_string_equal(s.reason, "no host answers");
	assert_true(s.mail && s.rests);
	assert_false(queue_destination_show(w.q, STR("nobody.test"), see_destination, &s));
	assert_true(world_row(&w, "a@one.test", &info, reason));
	assert_true(str_eq(info.destination, STR("one.test")) && !info.under_way);
	assert_true(info.next_try.us > wall_now().us);
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
		cmocka_unit_test(retry_ends_a_rest),
		cmocka_unit_test(reroute),
		cmocka_unit_test(reroute_and_back),
		cmocka_unit_test(destinations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
