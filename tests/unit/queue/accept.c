/* accept.c - the promise, in every way stores, disk and crashes can go: each recipient of an accepted message has it
 * in exactly one place; of a refused one there is nothing anywhere.
 *
 * A run draws its faults from a sequence of choices; the sequences are enumerated like the leaves of a tree, so that
 * every combination up to the depth the scenario reaches is run once. */
#include "world.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../../src/queue/commit.h"
#include "../../../src/queue/state.h"

/* --- all sequences of choices ------------------------------------------------------------------------------------- */

enum { DEPTH_MAX = 24 };

struct choices {
	unsigned chosen[DEPTH_MAX], of[DEPTH_MAX];
	unsigned at, depth;
};

static unsigned
choose(struct choices *c, unsigned n)
{
	if (c->at == DEPTH_MAX)
		return 0;
	if (c->at == c->depth) {
		c->chosen[c->depth] = 0;
		c->depth++;
	}
	c->of[c->at] = n;
	return c->chosen[c->at++];
}

static bool
next_sequence(struct choices *c)
{
	c->depth = c->at;
	while (c->depth > 0 && c->chosen[c->depth - 1] + 1 == c->of[c->depth - 1])
		c->depth--;
	if (c->depth == 0)
		return false;
	c->chosen[c->depth - 1]++;
	c->at = 0;
	return true;
}

/* --- a run -------------------------------------------------------------------------------------------------------- */

enum crash { CRASH_NONE, CRASH_ASK, CRASH_BEFORE_COMMIT, CRASH_AFTER_COMMIT, CRASHES };

struct run {
	struct choices choices;
	atomic_bool healthy; /* the faults are over */
	bool gone;    /* a store died: after a 4xx there may be copies */
	enum crash crash;
	unsigned crash_at; /* which question or commit */
	unsigned fail_commit; /* which commit has no space; 0: none */
	atomic_uint commits;
	atomic_bool frozen; /* the queue died in a commit: its loop sees nothing of it */
	struct world *w;
};

static enum act
scripted(struct world *w, const char *question, struct str user)
{
	static const enum act batch[] = { ACT_OK, ACT_GONE_BEFORE, ACT_GONE_AFTER };
	static const enum act settle[] = { ACT_OK, ACT_TEMP, ACT_GONE_BEFORE, ACT_GONE_AFTER };
	struct run *r = w->script;
	enum act a;

	if (r->healthy || w->answered) /* faults of later attempts: schedule.c */
		return ACT_OK;
	if (r->crash == CRASH_ASK && w->asked + 1 == r->crash_at)
		w->dead = true;
	if (user.n > 0)
		return (enum act)choose(&r->choices, 3);
	if (strcmp(question, "drop") == 0)
		return ACT_OK;
	a = strcmp(question, "publish") == 0 ? settle[choose(&r->choices, 4)] : batch[choose(&r->choices, 3)];
	r->gone = r->gone || a != ACT_OK;
	return a;
}

static int
commit_fault(void *ctx)
{
	struct run *r = ctx;
	unsigned n = atomic_fetch_add(&r->commits, 1) + 1;

	if (r->healthy)
		return 0;
	if (r->crash != CRASH_ASK && r->crash != CRASH_NONE && n == r->crash_at)
		atomic_store(&r->frozen, true);
	if (r->crash == CRASH_BEFORE_COMMIT && n == r->crash_at)
		return ENOSPC;
	return n == r->fail_commit ? ENOSPC : 0;
}

static void
note_answer(void *ctx, const struct queue_answer *a)
{
	struct world *w = ctx;

	assert_false(w->answered);
	w->answered = true;
	w->last = *a;
}

static void
submit_until_answer_or_crash(struct run *r, int fd)
{
	struct world *w = r->w;

	w->answered = false;
	queue_submit(w->q, fd, STR("s1"), note_answer, w);
	for (unsigned n = 0; !w->answered && !w->dead; n++) {
		if (atomic_load(&r->frozen))
			w->dead = true;
		else
			loop_turn(w->loop);
		if (n > 20)
			usleep(20);
		if (n > 200000)
			fail_msg("no answer");
	}
}

/* --- the checker -------------------------------------------------------------------------------------------------- */

static size_t
bounced(const struct world *w, const char *address)
{
	char field[160];
	size_t n = 0;

	snprintf(field, sizeof field, "Final-Recipient: rfc822; %s\r\n", address);
	for (size_t i = 0; i < w->ncopies; i++) {
		struct str text = str_from(w->copies[i].message, w->copies[i].size);

		n += w->copies[i].visible && strcmp(w->copies[i].user, "sender@example.test") == 0 &&
		    str_search(text, str_of(field)) < text.n && str_search(text, STR("Action: failed")) < text.n;
	}
	return n;
}

static size_t
copies_of(const struct world *w, const char *address)
{
	size_t n = 0;

	for (size_t i = 0; i < w->ncopies; i++)
		n += w->copies[i].visible && strcmp(w->copies[i].orig_to, address) == 0;
	return n;
}

static void
check_whole(const struct world *w, size_t size)
{
	for (size_t i = 0; i < w->ncopies; i++) {
		const struct copy *c = &w->copies[i];

		assert_true(c->visible); /* nothing stays prepared for ever */
		if (strcmp(c->user, "sender@example.test") == 0)
			continue;
		assert_int_equal(c->size, strlen("Received: by mx.example.test\r\nSubject: test\r\n\r\n") + size);
		assert_string_equal(c->sender, "sender@example.test");
	}
}

static bool
is_remote(const char *address)
{
	return strstr(address, "@example.test") == NULL;
}

static void
check(struct run *r, const char *const *to, size_t size)
{
	struct world *w = r->w;
	struct queue_recipient_info info;
	char reason[256];
	bool accepted = w->answered && w->last.verdict == QUEUE_DONE;
	bool refused = w->answered && !accepted;

	check_whole(w, size);
	for (; *to != NULL; to++) {
		size_t places = copies_of(w, *to) + bounced(w, *to) + world_row(w, *to, &info, reason);

		if (accepted)
			assert_int_equal(places, 1);
		else if (refused && !r->gone)
			assert_int_equal(places, 0);
		else
			assert_true(places <= 1);
		if (is_remote(*to) && accepted)
			assert_int_equal(info.state, QUEUE_WAITING);
	}
	if (refused && !r->gone)
		assert_int_equal(world_rows(w), 0);
}

static void
run_once(struct run *r, const char *const *to, size_t size)
{
	struct world w;

	world_init(&w);
	w.act = scripted;
	w.script = r;
	r->w = &w;
	world_open(&w);
	commit_set_fault(commit_fault, r);
	submit_until_answer_or_crash(r, world_message(&w, "sender@example.test", to, size, NULL));
	if (w.dead) {
		world_crash(&w);
		r->healthy = true;
		world_open(&w);
	}
	r->healthy = true;
	world_settle(&w, 24);
	check(r, to, size);
	world_fini(&w);
	commit_set_fault(NULL, NULL);
}

/* All sequences of faults of stores; times each crash and each failing commit. */
static unsigned
run_all(const char *const *to, size_t size, enum crash crash, unsigned crash_at, unsigned fail_commit)
{
	struct choices choices = { .depth = 0 };
	unsigned runs = 0;

	do {
		struct run r = { .choices = choices, .crash = crash, .crash_at = crash_at, .fail_commit = fail_commit };

		run_once(&r, to, size);
		choices = r.choices;
		runs++;
	} while (next_sequence(&choices));
	return runs;
}

static unsigned
scenario(const char *const *to, size_t size)
{
	unsigned runs = run_all(to, size, CRASH_NONE, 0, 0);

	for (unsigned n = 1; n <= 2; n++)
		runs += run_all(to, size, CRASH_NONE, 0, n);
	for (unsigned n = 1; n <= 4; n++)
		runs += run_all(to, size, CRASH_ASK, n, 0);
	for (unsigned n = 1; n <= 2; n++) {
		runs += run_all(to, size, CRASH_BEFORE_COMMIT, n, 0);
		runs += run_all(to, size, CRASH_AFTER_COMMIT, n, 0);
	}
	return runs;
}

static void
one_local(void **state)
{
	const char *const to[] = { "bob@example.test", NULL };

	(void)state;
	assert_true(scenario(to, 100) > 20);
}

static void
two_in_one_store(void **state)
{
	const char *const to[] = { "bob@example.test", "dave@example.test", NULL };

	(void)state;
	assert_true(scenario(to, 100) > 50);
}

static void
two_stores(void **state)
{
	const char *const to[] = { "alice@example.test", "bob@example.test", NULL };

	(void)state;
	assert_true(scenario(to, 100) > 100);
}

static void
local_and_remote(void **state)
{
	const char *const to[] = { "bob@example.test", "far@remote.test", NULL };

	(void)state;
	assert_true(scenario(to, 100) > 50);
}

static void
one_user_twice(void **state)
{
	const char *const to[] = { "bob+a@example.test", "bob+b@example.test", NULL };

	(void)state;
	assert_true(scenario(to, 100) > 100);
}

static void
remote_only(void **state)
{
	const char *const to[] = { "far@remote.test", "near@remote.test", NULL };

	(void)state;
	assert_true(scenario(to, 100) > 5);
}

static void
large(void **state)
{
	const char *const to[] = { "bob@example.test", "far@remote.test", NULL };

	(void)state;
	assert_true(scenario(to, 300000) > 50);
	assert_true(scenario(to, 300000) > 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_local),
		cmocka_unit_test(two_in_one_store),
		cmocka_unit_test(two_stores),
		cmocka_unit_test(local_and_remote),
		cmocka_unit_test(one_user_twice),
		cmocka_unit_test(remote_only),
		cmocka_unit_test(large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
