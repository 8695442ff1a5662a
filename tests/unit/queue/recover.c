/* recover.c - the recovery rule, and the spool's way to a durable name. */
#include "world.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../src/queue/state.h"

#define SENDER "sender@example.test"

static const char *const far[] = { "far@remote.test", NULL };
static const char *const bob[] = { "bob@example.test", NULL };

static void
path_of(const struct world *w, struct id qid, char out[static 200])
{
	char name[ID_TEXT_SIZE];

	id_text(qid, name);
	snprintf(out, 200, "%s/spool/%s", w->dir, name);
}

static void
put_file(const struct world *w, struct id qid, int64_t age_s)
{
	const struct timespec then = { .tv_sec = wall_seconds(wall_now()) - age_s };
	const struct timespec t[2] = { then, then };
	char path[200];
	int fd;

	path_of(w, qid, path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd != -1);
	assert_int_equal(futimens(fd, t), 0);
	close(fd);
}

static bool
exists(const struct world *w, struct id qid)
{
	char path[200];

	path_of(w, qid, path);
	return access(path, F_OK) == 0;
}

static void
orphans_go(void **state)
{
	struct world w;
	struct id old = id_new(), young = id_new(), owed;

	(void)state;
	world_init(&w);
	world_open(&w);
	world_submit(&w, world_message(&w, SENDER, far, 300000, &owed));
	world_crash(&w);
	put_file(&w, old, 7200);
	put_file(&w, young, 60);
	clock_fake_step(0);
	world_open(&w);
	assert_false(exists(&w, old));
	assert_true(exists(&w, young));
	assert_true(exists(&w, owed));
	world_fini(&w);
}

static void
lost_file_is_held(void **state)
{
	struct queue_recipient_info info;
	char reason[256], path[200], away[220];
	struct world w;
	struct id qid;

	(void)state;
	world_init(&w);
	world_open(&w);
	w.down = true;
	world_submit(&w, world_message(&w, SENDER, bob, 300000, &qid));
	assert_int_equal(w.last.verdict, QUEUE_DONE);
	world_crash(&w);
	path_of(&w, qid, path);
	snprintf(away, sizeof away, "%s/away", w.dir);
	assert_int_equal(rename(path, away), 0);
	w.down = false;
	world_open(&w);
	world_settle(&w, 10 * 24);
	assert_true(world_row(&w, "bob@example.test", &info, reason));
	assert_int_equal(info.state, QUEUE_HELD);
	assert_string_equal(reason, "its spool file is missing or has another size");
	world_fini(&w);
}

static void
on_released(void *ctx, uint64_t n, const struct err *e)
{
	(void)ctx;
	assert_null(e);
	assert_int_equal(n, 1);
}

/* The file goes while the queue runs: held at the next try; brought back and released, it is delivered. */
static void
lost_file_comes_back(void **state)
{
	struct queue_selection sel = { .n = 1, .domain = STR("") };
	struct queue_recipient_info info;
	char reason[256], path[200], away[220];
	struct world w;
	struct id qid;

	(void)state;
	world_init(&w);
	world_open(&w);
	w.down = true;
	world_submit(&w, world_message(&w, SENDER, bob, 300000, &qid));
	path_of(&w, qid, path);
	snprintf(away, sizeof away, "%s/away", w.dir);
	assert_int_equal(rename(path, away), 0);
	w.down = false;
	world_settle(&w, 24);
	assert_true(world_row(&w, "bob@example.test", &info, reason));
	assert_int_equal(info.state, QUEUE_HELD);
	assert_string_equal(reason, "its spool file is missing");
	assert_int_equal(rename(away, path), 0);
	sel.ids = &qid;
	queue_act(w.q, QUEUE_ACT_RELEASE, &sel, on_released, NULL);
	world_settle(&w, 24);
	assert_int_equal(world_copies(&w, "bob@example.test", NULL), 1);
	assert_false(exists(&w, qid));
	assert_int_equal(world_rows(&w), 0);
	world_fini(&w);
}

static void
one_at_a_time(void **state)
{
	static const struct queue_ops none;
	struct world w;
	struct err e;

	(void)state;
	world_init(&w);
	world_open(&w);
	assert_null(queue_open(w.loop, &w.options, &none, NULL, &e));
	assert_int_equal(e.class, ERR_PERM);
	assert_true(strstr(e.log, "another server") != NULL);
	world_fini(&w);
}

static void
damaged_ledger(void **state)
{
	static const struct queue_ops none;
	struct world w;
	struct err e;
	char path[200];

	(void)state;
	world_init(&w);
	snprintf(path, sizeof path, "%s/queue.mdb", w.dir);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(truncate(path, 20000), 0);
	assert_null(queue_open(w.loop, &w.options, &none, NULL, &e));
	assert_true(strstr(e.log, "queue.mdb: open") != NULL);
	world_fini(&w);
}

/* Without a way to link, the content is copied; a name that exists is never replaced. */
static void
spool_ways(void **state)
{
	struct world w;
	struct spool s;
	struct err e;
	struct id id = id_new();
	struct buf b;
	int dir, fd, got;

	(void)state;
	world_init(&w);
	dir = open(w.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int way = 0; way < 2; way++) {
		id = id_new();
		assert_true(spool_open(&s, dir, "spool", way == 0 ? w.options.proc_fd : -1, &e));
		fd = spool_new(&s, &e);
		assert_true(fd != -1 && spool_is_new(&s, fd));
		assert_true(io_write_all(fd, STR("content")));
		assert_true(spool_put(&s, id, fd, &e) && spool_sync(&s, &e));
		assert_false(spool_put(&s, id, fd, &e));
		close(fd);
		got = spool_get(&s, id);
		buf_init(&b, 100);
		assert_true(got != -1 && io_read_fd(got, &b) && str_eq(buf_str(&b), STR("content")));
		assert_false(spool_is_new(&s, got));
		buf_fini(&b);
		close(got);
		spool_remove(&s, id);
		assert_int_equal(spool_get(&s, id), -1);
		spool_close(&s);
	}
	close(dir);
	world_fini(&w);
}

static off_t
size_of_ledger(const struct world *w)
{
	struct stat st;
	char path[128];

	snprintf(path, sizeof path, "%s/queue.mdb", w->dir);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void
fill(struct world *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		world_submit(w, world_message(w, "sender@example.test", far, 30000, NULL));
		assert_int_equal(w->last.verdict, QUEUE_DONE);
	}
	world_idle(w);
}

static void
on_deleted(void *ctx, uint64_t n, const struct err *e)
{
	(void)ctx;
	(void)n;
	assert_null(e);
}

static bool
compact(struct world *w, uint64_t min)
{
	char path[128];
	struct err e;

	snprintf(path, sizeof path, "%s/queue.mdb", w->dir);
	return ledger_compact(&w->q->ledger, w->q->dir, path, w->options.limits.map_bytes, min, &e);
}

/* What was large and is mostly free becomes small, with all that is in it; what is not stays. */
static void
compacted(void **state)
{
	struct world w;
	off_t full;

	(void)state;
	world_init(&w);
	world_open(&w);
	fill(&w, 100);
	full = size_of_ledger(&w);
	assert_true(full > 3000000);
	assert_true(compact(&w, 1 << 20));
	assert_true(size_of_ledger(&w) == full);
	queue_act(w.q, QUEUE_ACT_DELETE, &(struct queue_selection){ .all = true, .domain = STR("") }, on_deleted, NULL);
	world_idle(&w);
	fill(&w, 5);
	assert_true(compact(&w, 64 << 20));
	assert_true(size_of_ledger(&w) >= full);
	assert_true(compact(&w, 1 << 20));
	assert_true(size_of_ledger(&w) < full / 4);
	assert_int_equal(world_rows(&w), 5);
	fill(&w, 5);
	world_crash(&w);
	world_open(&w);
	world_idle(&w);
	assert_int_equal(world_rows(&w), 10);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orphans_go),
		cmocka_unit_test(lost_file_is_held),
		cmocka_unit_test(lost_file_comes_back),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(damaged_ledger),
		cmocka_unit_test(spool_ways),
		cmocka_unit_test(compacted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
