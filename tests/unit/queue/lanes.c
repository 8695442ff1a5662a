/* lanes.c - who is next: destinations and senders take turns, windows open and close, dead destinations rest and cost nobody else
 * anything, and memory goes with the mail. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../src/queue/destination.h"
#include "../../../src/queue/ledger_own.h"
#include "../../../src/queue/mark.h"
#include "../../../src/queue/schedule.h"
#include "../../../src/queue/sort.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 3600 * 1000 };

#define SENDER "sender@example.test"

/* --- the world's hosts: by the first letters of the destination --------------------------------------------------- */

static bool dead_is_back;

static enum remote
by_name(struct world *w, const struct queue_job *job)
{
	(void)w;
	if (str_starts(job->destination, STR("dead")))
		return dead_is_back ? REMOTE_TAKE : REMOTE_DEAD;
	if (str_starts(job->destination, STR("slow")))
		return REMOTE_HANGS;
	if (str_starts(job->destination, STR("grey")))
		return REMOTE_LATER;
	if (str_starts(job->destination, STR("full")))
		return REMOTE_CROWDED;
	if (str_starts(job->destination, STR("none")))
		return REMOTE_NO_DOMAIN;
	return REMOTE_TAKE;
}

static void
start(struct world *w)
{
	world_init(w);
	dead_is_back = false;
	w->remote = by_name;
	world_open(w);
}

static void
send_from(struct world *w, const char *sender, const char *address)
{
	const char *const to[] = { address, NULL };

	world_submit(w, world_message(w, sender, to, 100, NULL));
	assert_int_equal(w->last.verdict, QUEUE_DONE);
}

static void
send_to(struct world *w, const char *address)
{
	send_from(w, SENDER, address);
}

static void
send_many(struct world *w, unsigned n, const char *address)
{
	for (unsigned i = 0; i < n; i++)
		send_to(w, address);
}

static void
step(struct world *w, int64_t ms)
{
	clock_fake_step(ms);
	schedule_run(w->q);
	world_idle(w);
}

static struct destination *
destination(struct world *w, const char *name)
{
	struct destination *d = destination_find(w->q, str_of(name));

	assert_non_null(d);
	return d;
}

static size_t
held_for(const struct world *w, const char *destination)
{
	size_t n = 0;

	for (size_t i = 0; i < w->nheld; i++)
		n += strcmp(w->held[i].destination, destination) == 0;
	return n;
}

/* What was learnt is in the ledger, and what is not needed is not in memory. */
static void
nothing_in_memory(struct world *w)
{
	news_write(w->q);
	world_idle(w);
	assert_int_equal(w->q->lanes.n, 0);
	assert_int_equal(w->q->destinations.n, 0);
	assert_int_equal(w->q->waiting.n + w->q->resting.n + w->q->eligible.n, 0);
	assert_int_equal(w->q->jobs, 0);
}

/* --- windows ------------------------------------------------------------------------------------------------------ */

static void
window(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	send_many(&w, 90, "x@slow.test");
	world_idle(&w);
	assert_int_equal(w.nheld, 5);
	world_release(&w, REMOTE_TAKE);
	world_idle(&w);
	assert_int_equal(w.nheld, 6); /* one done, one more allowed */
	for (int i = 0; i < 20; i++) {
		world_release(&w, REMOTE_TAKE);
		world_idle(&w);
	}
	assert_int_equal(w.nheld, 20); /* jobs_per_destination */
	world_release(&w, REMOTE_CROWDED);
	world_idle(&w);
	assert_int_equal(destination(&w, "slow.test")->window, 10);
	assert_int_equal(w.nheld, 19); /* no new ones until there are fewer than ten */
	for (int i = 0; i < 9; i++)
		world_release(&w, REMOTE_LATER);
	world_idle(&w);
	assert_int_equal(w.nheld, 19);
	while (w.nheld > 0) {
		world_release(&w, REMOTE_TAKE);
		world_idle(&w);
	}
	w.remote = NULL;
	step(&w, HOUR_MS);
	assert_int_equal(w.q->jobs, 0);
	world_fini(&w);
}

/* A host that turns away the only connection rests like a dead one: its mail is not tried one by one in vain. */
static void
crowded_to_the_last(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	send_many(&w, 100, "x@full.test");
	world_idle(&w);
	assert_true(w.jobs < 12);
	assert_true(destination(&w, "full.test")->rest_until.us > wall_now().us);
	world_settle(&w, 1);
	assert_true(w.jobs < 25);
	world_fini(&w);
}

/* A greylisting host takes connections: each message is tried by itself, and does not hold up the others. */
static void
greylisting_does_not_rest(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	send_many(&w, 30, "x@grey.test");
	world_idle(&w);
	assert_int_equal(w.jobs, 30);
	assert_int_equal(destination(&w, "grey.test")->rest_until.us, 0);
	w.remote = NULL;
	world_fini(&w);
}

/* --- rests -------------------------------------------------------------------------------------------------------- */

static void
rest_and_return(void **state)
{
	struct destination *d;
	struct world w;
	unsigned jobs;

	(void)state;
	start(&w);
	send_many(&w, 200, "x@dead.test");
	world_idle(&w);
	jobs = w.jobs;
	assert_true(jobs <= 5);
	d = destination(&w, "dead.test");
	assert_int_equal(d->unreached, 1); /* however many jobs said it */
	assert_true(d->rest_until.us - wall_now().us > 90 * 1000000LL);
	assert_true(d->rest_until.us - wall_now().us < 150 * 1000000LL);
	step(&w, 80 * 1000);
	assert_int_equal(w.jobs, jobs);
	step(&w, MINUTE_MS + 5000);
	assert_int_equal(w.jobs, jobs + 1); /* one job finds out */
	assert_int_equal(d->unreached, 2);
	assert_true(d->rest_until.us - wall_now().us > 190 * 1000000LL);
	world_settle(&w, 12);
	assert_true(w.jobs < jobs + 25); /* an hour at most, give or take a fifth */
	assert_true(d->rest_until.us - wall_now().us < 73 * 60 * 1000000LL);
	dead_is_back = true;
	step(&w, 73 * MINUTE_MS);
	assert_int_equal(world_sent_to(&w, "dead.test"), 200); /* at once, not by and by */
	assert_int_equal(world_rows(&w), 0);
	nothing_in_memory(&w);
	world_fini(&w);
}

/* A rest survives a restart, and so does the reason. */
static void
rest_is_remembered(void **state)
{
	struct record r;
	struct world w;
	unsigned jobs;

	(void)state;
	start(&w);
	send_many(&w, 20, "x@dead.test");
	world_idle(&w);
	news_write(w.q);
	world_idle(&w);
	jobs = w.jobs;
	world_crash(&w);
	world_open(&w);
	world_idle(&w);
	assert_int_equal(w.jobs, jobs);
	assert_int_equal(destination(&w, "dead.test")->unreached, 1);
	assert_true(destination_record(w.q, STR("dead.test"), &r));
	assert_string_equal(r.text, "no host answers");
	step(&w, 3 * MINUTE_MS);
	assert_int_equal(w.jobs, jobs + 1);
	dead_is_back = true;
	world_settle(&w, 2);
	assert_int_equal(world_sent_to(&w, "dead.test"), 20);
	world_fini(&w);
}

/* A domain that does not exist is an answer for each message, not a reason to let the next one wait. */
static void
no_domain_does_not_rest(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	send_many(&w, 20, "x@none.test");
	world_settle(&w, 0);
	assert_int_equal(w.jobs, 20);
	assert_int_equal(world_copies(&w, SENDER, NULL), 20);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

/* --- fairness ----------------------------------------------------------------------------------------------------- */

static void
send_round(struct world *w, const char *kind, unsigned destinations, unsigned each)
{
	char address[64];

	for (unsigned n = 0; n < each; n++) {
		for (unsigned i = 0; i < destinations; i++) {
			snprintf(address, sizeof address, "x@%s%u.test", kind, i);
			send_to(w, address);
		}
	}
}

/* Twenty slow, twenty dead, twenty greylisting destinations with much mail: the healthy ones do not wait for them. */
static void
healthy_do_not_wait(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	w.options.limits.jobs = 100;
	queue_configure(w.q, &w.options);
	send_round(&w, "slow", 20, 10);
	send_round(&w, "dead", 20, 10);
	send_round(&w, "grey", 20, 5);
	world_idle(&w);
	assert_true(w.nheld < 90); /* the slow ones leave room */
	for (unsigned i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof name, "slow%u.test", i);
		assert_true(held_for(&w, name) >= 1);
	}
	send_round(&w, "good", 40, 5);
	world_idle(&w);
	assert_int_equal(w.nsent, 200);
	world_fini(&w);
}

static size_t
order_of(const struct world *w, const char *address)
{
	for (size_t i = 0; i < w->nsent; i++)
		if (strcmp(w->sent[i].address, address) == 0)
			return i;
	fail_msg("%s was not sent", address);
	return 0;
}

/* One who sends a thousand messages does not keep another's waiting. */
static void
senders_take_turns(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	send_many(&w, 300, "x@slow.test");
	world_idle(&w);
	send_from(&w, "else@other.test", "last@slow.test");
	send_from(&w, "", "bounce@slow.test");
	w.remote = NULL;
	while (w.nheld > 0)
		world_release(&w, REMOTE_TAKE);
	w.remote = by_name;
	world_idle(&w);
	while (w.nheld > 0) {
		world_release(&w, REMOTE_TAKE);
		world_idle(&w);
	}
	assert_int_equal(w.nsent, 302);
	assert_true(order_of(&w, "last@slow.test") < 20);
	assert_true(order_of(&w, "bounce@slow.test") < 20);
	nothing_in_memory(&w);
	world_fini(&w);
}

/* K20: very much mail for a dead domain is not in memory, and is not touched. */
static void
k20_very_much_for_a_dead_domain(void **state)
{
	enum { MUCH = 2000 };
	char address[64];
	struct world w;
	unsigned jobs;

	(void)state;
	start(&w);
	send_to(&w, "x@dead.test");
	world_idle(&w);
	jobs = w.jobs;
	for (unsigned i = 0; i < MUCH; i++) {
		snprintf(address, sizeof address, "x%u@dead.test", i);
		send_to(&w, address);
	}
	world_idle(&w);
	assert_int_equal(w.jobs, jobs);
	assert_int_equal(w.q->lanes.n, 1);
	assert_int_equal(w.q->destinations.n, 1);
	send_to(&w, "x@good.test");
	world_idle(&w);
	assert_int_equal(world_sent_to(&w, "good.test"), 1);
	world_crash(&w);
	world_open(&w);
	world_idle(&w);
	assert_int_equal(w.q->lanes.n, 1);
	dead_is_back = true;
	world_settle(&w, 1);
	assert_int_equal(world_sent_to(&w, "dead.test"), MUCH + 1);
	for (unsigned i = 0; i < MUCH; i += 97) {
		snprintf(address, sizeof address, "x%u@dead.test", i);
		assert_int_equal(world_sent(&w, address), 1);
	}
	nothing_in_memory(&w);
	world_fini(&w);
}

/* A lane that passed by a marked recipient looks there again when the mark ends. */
static void
passed_by(void **state)
{
	const char *const to[] = { "x@good.test", NULL };
	struct ledger_key k = { .number = 0 };
	struct world w;

	(void)state;
	start(&w);
	w.q->pause = mono_add_ms(mono_now(), MINUTE_MS);
	world_submit(&w, world_message(&w, SENDER, to, 100, &k.qid));
	mark_take(w.q, k);
	w.q->pause = mono_now();
	schedule_run(w.q);
	assert_int_equal(w.q->lanes.n, 0);
	assert_int_equal(w.jobs, 0);
	mark_free(w.q, k);
	world_idle(&w);
	assert_int_equal(world_sent_to(&w, "good.test"), 1);
	nothing_in_memory(&w);
	world_fini(&w);
}

/* --- routes ------------------------------------------------------------------------------------------------------- */

static void
by_smarthost(struct world *w, struct str domain, struct queue_destination *out)
{
	(void)w;
	(void)domain;
	*out = (struct queue_destination){ .name = "*" };
}

/* Routes that change at a reload take waiting mail along, mail of resting destinations too; what is under way stays. */
static void
routes_change(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	send_many(&w, 3, "x@dead.test");
	send_many(&w, 2, "x@slow.test");
	world_idle(&w);
	assert_int_equal(w.nheld, 2);
	w.route = by_smarthost;
	queue_configure(w.q, &w.options);
	world_settle(&w, 1);
	assert_int_equal(world_sent_to(&w, "*"), 3);
	assert_int_equal(w.nheld, 2); /* not a second time by another way */
	world_release(&w, REMOTE_TAKE);
	world_release(&w, REMOTE_LATER);
	world_settle(&w, 1);
	assert_int_equal(world_sent_to(&w, "slow.test"), 1);
	assert_int_equal(world_sent_to(&w, "*"), 4);
	assert_int_equal(w.nsent, 5);
	assert_int_equal(world_rows(&w), 0);
	nothing_in_memory(&w);
	world_fini(&w);
}

/* The same at a start; and a job notices by itself. */
static void
routes_changed_while_it_was_closed(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	send_many(&w, 3, "x@dead.test");
	world_idle(&w);
	world_crash(&w);
	w.route = by_smarthost;
	world_open(&w);
	world_settle(&w, 1);
	assert_int_equal(world_sent_to(&w, "*"), 3);
	w.route = NULL;
	send_many(&w, 3, "x@grey.test");
	world_idle(&w);
	w.route = by_smarthost; /* no reload: nobody is told */
	world_settle(&w, 1);
	assert_int_equal(world_sent_to(&w, "*"), 6);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

/* --- the ledger of an older version ------------------------------------------------------------------------------- */

static void
make_old(struct world *w)
{
	enum { LATER = 2 + 8 + 8 + 2 + 2 + 1 + 1 + 2 + 1 + 1 }; /* what version 2 adds, without its texts */
	struct ledger *l = &w->q->ledger;
	struct ledger_key k = { .number = 0 };
	struct row_recipient r;
	struct buf b;
	MDB_txn *t;

	assert_int_equal(mdb_txn_begin(l->env, NULL, 0, &t), 0);
	while (ledger_next_row(l, t, &k, &r) == 0) {
		uint8_t bytes[KEY_RECIPIENT];
		MDB_val key = val(bytes, sizeof bytes), value;
		size_t texts = r.destination.n + r.last.host.n + r.last.ip.n + r.last.why.n;

		key_recipient(bytes, k);
		buf_init(&b, ROW_RECIPIENT_MAX);
		row_write_recipient(&b, &r);
		b.p[0] = 1;
		buf_cut(&b, b.n - LATER - texts);
		value = val(b.p, b.n);
		assert_int_equal(mdb_put(t, l->recipient, &key, &value, 0), 0);
		buf_fini(&b);
	}
	assert_int_equal(mdb_drop(t, l->lane, 0), 0);
	assert_int_equal(mdb_drop(t, l->due, 0), 0);
	assert_int_equal(ledger_set_number(l, t, "version", 1), 0);
	assert_int_equal(mdb_txn_commit(t), 0);
}

static void
older_ledger(void **state)
{
	struct queue_recipient_info info;
	char reason[256];
	struct world w;

	(void)state;
	start(&w);
	w.remote = NULL;
	send_many(&w, 3, "x@one.test");
	send_to(&w, "x@dead.test");
	world_idle(&w);
	make_old(&w);
	world_crash(&w);
	w.remote = by_name;
	world_open(&w);
	world_settle(&w, 1);
	assert_int_equal(world_sent_to(&w, "one.test"), 3);
	assert_true(world_row(&w, "x@dead.test", &info, reason));
	assert_true(str_eq(info.destination, STR("dead.test")));
	world_settle(&w, 24);
	assert_int_equal(world_copies(&w, SENDER, NULL), 1); /* it has its deadlines */
	world_settle(&w, 5 * 24);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

/* --- the heap ----------------------------------------------------------------------------------------------------- */

static void
heap(void **state)
{
	struct heap_node nodes[200] = { { 0, 0 } };
	struct heap h = { 0 };
	int64_t last = INT64_MIN;
	size_t in = 0;

	(void)state;
	srand(7);
	for (int i = 0; i < 20000; i++) {
		struct heap_node *n = &nodes[rand() % 200];

		in -= n->slot != 0;
		if (rand() % 3 == 0) {
			heap_take(&h, n);
		} else {
			heap_put(&h, n, rand() % 50);
			in++;
		}
		assert_int_equal(h.n, in);
	}
	while (heap_first(&h) != NULL) {
		assert_true(heap_first(&h)->at >= last);
		last = heap_first(&h)->at;
		heap_take(&h, heap_first(&h));
	}
	heap_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heap),
		cmocka_unit_test(window),
		cmocka_unit_test(crowded_to_the_last),
		cmocka_unit_test(greylisting_does_not_rest),
		cmocka_unit_test(rest_and_return),
		cmocka_unit_test(rest_is_remembered),
		cmocka_unit_test(no_domain_does_not_rest),
		cmocka_unit_test(healthy_do_not_wait),
		cmocka_unit_test(senders_take_turns),
		cmocka_unit_test(k20_very_much_for_a_dead_domain),
		cmocka_unit_test(passed_by),
		cmocka_unit_test(routes_change),
		cmocka_unit_test(routes_changed_while_it_was_closed),
		cmocka_unit_test(older_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
