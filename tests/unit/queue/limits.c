/* limits.c - what the queue refuses: full ledgers and disks, hostile descriptors, too much at once; and what is
 * left: nothing. */
#include "world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../../../src/queue/state.h"

static const char *const far[] = { "far@remote.test", NULL };
static const char *const bob[] = { "bob@example.test", NULL };
#define SENDER "sender@example.test"

static void
start(struct world *w)
{
	world_init(w);
	world_open(w);
}

static void
refused(struct world *w, int fd, unsigned code, const char *status)
{
	world_submit(w, fd);
	assert_int_equal(w->last.verdict, code < 500 ? QUEUE_TEMP : QUEUE_PERM);
	assert_int_equal(w->last.code, code);
	assert_string_equal(w->last.status, status);
}

static void
bytes(void **state)
{
	struct world w;
	struct err e;

	(void)state;
	start(&w);
	w.options.limits.bytes = 3000;
	queue_configure(w.q, &w.options);
	world_submit(&w, world_message(&w, SENDER, far, 2000, NULL));
	assert_int_equal(w.last.verdict, QUEUE_DONE);
	refused(&w, world_message(&w, SENDER, far, 2000, NULL), 452, "4.3.1");
	assert_int_equal(queue_spool_file(w.q, &e), -1);
	world_submit(&w, world_message(&w, SENDER, bob, 2000, NULL)); /* needs no room in the queue */
	assert_int_equal(w.last.verdict, QUEUE_DONE);
	assert_int_equal(world_rows(&w), 1);
	world_fini(&w);
}

static void
disk_reserve(void **state)
{
	struct world w;

	(void)state;
	start(&w);
	w.options.limits.disk_reserve = UINT64_MAX / 2;
	queue_configure(w.q, &w.options);
	refused(&w, world_message(&w, SENDER, far, 10, NULL), 452, "4.3.1");
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static void
on_acted(void *ctx, uint64_t n, const struct err *e)
{
	uint64_t *count = ctx;

	assert_null(e);
	*count = n;
}

static unsigned
fill(struct world *w)
{
	for (unsigned n = 0; n < 100; n++) {
		world_submit(w, world_message(w, SENDER, far, 20000, NULL));
		if (w->last.verdict != QUEUE_DONE)
			return n;
	}
	return 100;
}

/* The map is full: 452; mailboxes go on; what is there can be deleted, and then there is room again. */
static void
k06_map_full(void **state)
{
	const struct queue_selection all = { .all = true, .domain = STR("") };
	struct world w;
	uint64_t deleted = 0;
	unsigned taken;

	(void)state;
	world_init(&w);
	w.options.limits.map_bytes = 1 << 20;
	world_open(&w);
	taken = fill(&w);
	assert_true(taken > 10 && taken < 100);
	assert_int_equal(w.last.code, 452);
	assert_string_equal(w.last.status, "4.3.1");
	assert_int_equal(world_rows(&w), taken);
	world_crash(&w);
	world_open(&w);
	assert_int_equal(world_rows(&w), taken);
	world_submit(&w, world_message(&w, SENDER, bob, 20000, NULL));
	assert_int_equal(w.last.verdict, QUEUE_DONE);
	for (unsigned round = 0; round < 20; round++) {
		queue_act(w.q, QUEUE_ACT_DELETE, &all, on_acted, &deleted);
		world_idle(&w);
		assert_int_equal(deleted, taken);
		assert_int_equal(world_rows(&w), 0);
		assert_true(fill(&w) + 5 >= taken);
		deleted = 0;
		taken = (unsigned)world_rows(&w);
	}
	world_fini(&w);
}

static void
descriptors(void **state)
{
	struct world w;
	struct err e;
	char path[] = "/tmp/postern-queue-XXXXXX";
	int fd, pair[2];

	(void)state;
	start(&w);
	fd = envelope_memfd(); /* empty, not sealed */
	refused(&w, fd, 554, "5.6.0");
	fd = envelope_memfd();
	assert_true(io_write_all(fd, STR("nonsense")) && envelope_seal(fd));
	refused(&w, fd, 554, "5.6.0");
	fd = mkstemp(path); /* a file that the queue never handed out */
	refused(&w, fd, 554, "5.6.0");
	unlink(path);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	refused(&w, pair[0], 554, "5.6.0");
	close(pair[1]);
	fd = queue_spool_file(w.q, &e); /* handed out, never finished */
	refused(&w, fd, 554, "5.6.0");
	w.options.limits.message_size = 300;
	queue_configure(w.q, &w.options);
	refused(&w, world_message(&w, SENDER, bob, 300, NULL), 554, "5.6.0");
	assert_int_equal(w.ncopies, 0);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

/* A spool file that became a message cannot be submitted again, nor can a qid be taken over. */
static void
replay(void **state)
{
	struct world w;
	int large, large2, small, small2;

	(void)state;
	start(&w);
	large = world_message(&w, SENDER, far, 300000, NULL);
	small = world_message(&w, SENDER, far, 300, NULL);
	large2 = dup(large);
	small2 = dup(small);
	world_submit(&w, large);
	assert_int_equal(w.last.verdict, QUEUE_DONE);
	refused(&w, large2, 554, "5.6.0");
	world_submit(&w, small);
	assert_int_equal(w.last.verdict, QUEUE_DONE);
	refused(&w, small2, 451, "4.3.0");
	assert_int_equal(world_rows(&w), 2);
	world_fini(&w);
}

static void
count_answers(void *ctx, const struct queue_answer *a)
{
	unsigned *n = ctx;

	n[a->verdict]++;
}

static void
too_many(void **state)
{
	struct world w;
	unsigned n[4] = { 0 };

	(void)state;
	start(&w);
	w.options.limits.submissions = 3;
	queue_configure(w.q, &w.options);
	for (int i = 0; i < 5; i++)
		queue_submit(w.q, world_message(&w, SENDER, far, 10, NULL), STR("s"), count_answers, n);
	world_idle(&w);
	assert_int_equal(n[QUEUE_DONE], 3);
	assert_int_equal(n[QUEUE_TEMP], 2);
	world_fini(&w);
}

static void
on_idle(void *ctx)
{
	bool *idle = ctx;

	*idle = true;
}

static void
draining(void **state)
{
	struct world w;
	bool idle = false;
	unsigned n[4] = { 0 };

	(void)state;
	start(&w);
	queue_submit(w.q, world_message(&w, SENDER, far, 10, NULL), STR("s"), count_answers, n);
	queue_drain(w.q, on_idle, &idle);
	refused(&w, world_message(&w, SENDER, bob, 10, NULL), 451, "4.3.2");
	while (!idle)
		loop_once(w.loop);
	assert_int_equal(n[QUEUE_DONE], 1);
	world_fini(&w);
}

/* A row without its spool file would be a lost message. */
static void
no_descriptor(void **state)
{
	struct rlimit usual, none;
	struct world w;
	int fd;

	(void)state;
	start(&w);
	fd = world_message(&w, SENDER, far, 300000, NULL);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	none = usual;
	none.rlim_cur = (rlim_t)dup(fd);
	close((int)none.rlim_cur);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	refused(&w, fd, 451, "4.3.0");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static void
batches(void **state)
{
	char addresses[150][32];
	const char *to[151] = { NULL };
	struct world w;
	struct queue_counts c;

	(void)state;
	for (int i = 0; i < 150; i++) {
		snprintf(addresses[i], sizeof addresses[i], "b%d@example.test", i);
		to[i] = addresses[i];
	}
	start(&w);
	world_submit(&w, world_message(&w, SENDER, to, 10, NULL));
	assert_int_equal(w.last.verdict, QUEUE_DONE);
	assert_int_equal(w.ncopies, 150);
	assert_int_equal(w.asked, 6); /* three batches prepared, three published */
	queue_count(w.q, &c);
	assert_true(c.commits == 0); /* local mail that is delivered never touches the ledger */
	world_fini(&w);
}

static void
duplicates(void **state)
{
	const char *const to[] = { "bob@example.test", "bob@example.test", "bob+x@example.test", "bob+x@example.test",
		NULL };
	struct world w;

	(void)state;
	start(&w);
	world_submit(&w, world_message(&w, SENDER, to, 10, NULL));
	assert_int_equal(world_copies(&w, "bob@example.test", ""), 1);
	assert_int_equal(world_copies(&w, "bob@example.test", "x"), 1);
	assert_int_equal(w.ncopies, 2);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes),
		cmocka_unit_test(disk_reserve),
		cmocka_unit_test(k06_map_full),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(replay),
		cmocka_unit_test(too_many),
		cmocka_unit_test(draining),
		cmocka_unit_test(no_descriptor),
		cmocka_unit_test(batches),
		cmocka_unit_test(duplicates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
