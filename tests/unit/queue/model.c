/* model.c - a long random life under a model: mail for many destinations whose hosts take, refuse, hang and die, crashes at any
 * moment, full disks, routes that change, an operator who meddles, hours and days that pass. Each recipient of a message that was
 * acknowledged ends in exactly one place: taken by another host, or in a bounce. Taken twice, or taken and returned, is only who
 * was taken right before a crash, before that was noted, or by hosts that answered after hours.
 *
 * MODEL_SEED=n in the environment repeats the life that failed, MODEL_LIVES=n lives more of them. */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../src/queue/commit.h"
#include "../../../src/queue/destination.h"
#include "../../../src/queue/schedule.h"

enum { LATE_MS = 3 * 3600 * 1000, LIVES = 20, STEPS = 250, PEOPLE_MAX = 400, DESTINATIONS = 7, MESSAGES_MAX = 60 };

#define SENDER "sender@example.test"

static struct person {
	char address[32];
	bool accepted, tainted;
} people[PEOPLE_MAX];
static unsigned npeople, nmessages, nfailing;
static struct id messages[MESSAGES_MAX];
static bool healthy, by_smarthost;
static uint64_t dice;

static unsigned
roll(unsigned n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)(dice >> 20) % n;
}

/* --- the world's side --------------------------------------------------------------------------------------------- */

static enum remote
hosts(struct world *w, const struct queue_job *job)
{
	static const enum remote moods[] = { REMOTE_TAKE, REMOTE_TAKE, REMOTE_HANGS, REMOTE_HANGS, REMOTE_LATER, REMOTE_REFUSE,
		REMOTE_DEAD, REMOTE_CROWDED, REMOTE_GONE, REMOTE_MIXED };

	(void)w;
	(void)job;
	return healthy ? REMOTE_TAKE : moods[roll(sizeof moods / sizeof *moods)];
}

static void
routes(struct world *w, struct str domain, struct queue_destination *out)
{
	(void)w;
	*out = (struct queue_destination){ .sts = false };
	snprintf(out->name, sizeof out->name, "%.*s", by_smarthost ? 1 : (int)domain.n, by_smarthost ? "*" : domain.p);
}

static int
space(void *ctx)
{
	(void)ctx;
	return nfailing > 0 && nfailing-- > 0 ? ENOSPC : 0;
}

/* --- what happens ------------------------------------------------------------------------------------------------- */

static void
somebody_sends(struct world *w)
{
	const char *to[9] = { NULL };
	unsigned n = 1 + roll(8);
	unsigned first = npeople;
	struct id qid;

	if (nmessages == MESSAGES_MAX || npeople + n > PEOPLE_MAX)
		return;
	for (unsigned i = 0; i < n; i++) {
		struct person *p = &people[npeople++];

		*p = (struct person){ .accepted = false };
		snprintf(p->address, sizeof p->address, "r%u@d%u.test", npeople % PEOPLE_MAX, roll(DESTINATIONS));
		to[i] = p->address;
	}
	world_submit(w, world_message(w, SENDER, to, 100, &qid));
	for (unsigned i = first; i < npeople; i++)
		people[i].accepted = w->last.verdict == QUEUE_DONE;
	if (w->last.verdict == QUEUE_DONE)
		messages[nmessages++] = qid;
}

static void
time_passes(struct world *w)
{
	static const int64_t ms[] = { 1000, 60 * 1000, 600 * 1000, 3600 * 1000, 12 * 3600 * 1000 };

	clock_fake_step(ms[roll(sizeof ms / sizeof *ms)] + roll(1000));
	schedule_run(w->q);
}

/* Nobody waits for that answer any more: its mail is tried anew, and may be taken again. */
static void
taint(const struct held_job *h)
{
	for (size_t i = 0; i < h->n; i++)
		for (unsigned n = 0; n < npeople; n++)
			if (strcmp(people[n].address, h->addresses[i]) == 0)
				people[n].tainted = true;
}

static void
hosts_answer(struct world *w)
{
	static const enum remote how[] = { REMOTE_TAKE, REMOTE_TAKE, REMOTE_LATER, REMOTE_REFUSE, REMOTE_DEAD, REMOTE_GONE };

	if (w->nheld == 0)
		return;
	if (mono_ms_between(mono_now(), w->held[0].since) >= LATE_MS)
		taint(&w->held[0]);
	world_release(w, how[roll(sizeof how / sizeof *how)]);
}

static void
on_acted(void *ctx, uint64_t n, const struct err *e)
{
	(void)ctx;
	(void)n;
	(void)e;
}

static void
operator_acts(struct world *w)
{
	static const enum queue_action actions[] = { QUEUE_ACT_HOLD, QUEUE_ACT_RELEASE, QUEUE_ACT_RETRY, QUEUE_ACT_RETRY,
		QUEUE_ACT_REROUTE, QUEUE_ACT_REROUTE };
	struct queue_selection sel = { .all = roll(4) == 0, .domain = STR(""), .destination = STR("") };

	if (nmessages == 0)
		return;
	sel.ids = &messages[roll(nmessages)];
	sel.n = 1;
	if (roll(2) == 0)
		sel.destination = STR("=[192.0.2.9]:25");
	else
		nfailing = 0; /* back to the routes: sorted */
	queue_act(w->q, actions[roll(sizeof actions / sizeof *actions)], &sel, on_acted, NULL);
}

static void
space_runs_out(struct world *w)
{
	world_idle(w); /* sorting would wait ten seconds of real time */
	nfailing = 1 + roll(6);
}

static void
routes_change(struct world *w)
{
	struct queue_options o = w->q->options;

	nfailing = 0;
	by_smarthost = !by_smarthost;
	queue_configure(w->q, &o);
}

/* Whoever was taken and has a row still may be taken once more. */
static void
queue_crashes(struct world *w)
{
	struct queue_recipient_info info;
	char reason[256];

	world_crash(w);
	nfailing = 0;
	world_open(w);
	for (unsigned i = 0; i < npeople; i++)
		if (world_sent(w, people[i].address) > 0 && world_row(w, people[i].address, &info, reason))
			people[i].tainted = true;
}

static void
loop_goes_on(struct world *w)
{
	for (unsigned n = roll(4); n > 0; n--)
		loop_turn(w->loop);
}

static void
all_settles(struct world *w)
{
	world_idle(w);
}

static const struct {
	unsigned weight;
	void (*happen)(struct world *w);
} events[] = { { 6, somebody_sends }, { 8, time_passes }, { 8, hosts_answer }, { 4, operator_acts }, { 1, space_runs_out },
	{ 1, routes_change }, { 2, queue_crashes }, { 6, loop_goes_on }, { 3, all_settles } };

static void
something_happens(struct world *w)
{
	unsigned all = 0, at = 0, r;

	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		all += events[i].weight;
	for (r = roll(all); r >= events[at].weight; at++)
		r -= events[at].weight;
	events[at].happen(w);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

/* All is well from now on, and nothing that may wait is woken: who is in no lane that the schedule knows stays behind. */
static void
world_heals(struct world *w)
{
	const struct queue_selection all = { .all = true, .domain = STR(""), .destination = STR("") };

	healthy = true;
	nfailing = 0;
	world_idle(w);
	while (w->nheld > 0)
		world_release(w, REMOTE_LATER);
	world_idle(w);
	queue_act(w->q, QUEUE_ACT_RELEASE, &all, on_acted, NULL);
	world_settle(w, 48);
}

static size_t
bounces(const struct world *w, const char *address)
{
	char text[128];
	size_t n = 0;

	snprintf(text, sizeof text, "Final-Recipient: rfc822; %.31s\r\nAction: failed", address);
	for (size_t i = 0; i < w->ncopies; i++)
		n += str_search(str_from(w->copies[i].message, w->copies[i].size), str_of(text)) < w->copies[i].size;
	return n;
}

static void
check(struct world *w, uint64_t seed)
{
	for (unsigned i = 0; i < npeople; i++) {
		const struct person *p = &people[i];
		size_t sent = world_sent(w, p->address), returned = bounces(w, p->address);

		if (sent + returned == p->accepted)
			continue;
		if (!p->tainted || sent == 0 || returned > 1)
			fail_msg("MODEL_SEED=%llu: %s: %saccepted, sent %zu times, returned %zu times", (unsigned long long)seed,
			    p->address, p->accepted ? "" : "not ", sent, returned);
	}
	assert_int_equal(world_rows(w), 0);
	assert_int_equal(w->q->jobs, 0);
	assert_int_equal(w->q->marks.n + w->q->busy.n + w->q->lanes.n, 0);
	assert_int_equal(w->q->waiting.n + w->q->resting.n + w->q->eligible.n, 0);
}

static void
live(uint64_t seed)
{
	struct world w;

	dice = seed * 0x9e3779b97f4a7c15;
	npeople = nmessages = nfailing = 0;
	healthy = by_smarthost = false;
	world_init(&w);
	w.remote = hosts;
	w.route = routes;
	w.options.limits.jobs = 12;
	if (roll(2) == 0) /* nobody is given up: whoever is forgotten stays */
		w.options.limits.warn_s = w.options.limits.expire_s = 1000 * 86400;
	world_open(&w);
	commit_set_fault(space, NULL);
	for (unsigned i = 0; i < STEPS; i++)
		something_happens(&w);
	world_heals(&w);
	commit_set_fault(NULL, NULL);
	check(&w, seed);
	world_fini(&w);
}

static uint64_t
number(const char *name, uint64_t usual)
{
	const char *s = getenv(name);

	return s != NULL ? strtoull(s, NULL, 10) : usual;
}

static void
random_lives(void **state)
{
	uint64_t first = number("MODEL_SEED", 1);
	uint64_t lives = number("MODEL_LIVES", getenv("MODEL_SEED") != NULL ? 1 : LIVES);

	(void)state;
	for (uint64_t i = 0; i < lives; i++)
		live(first + i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_lives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
