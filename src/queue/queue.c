/* queue.c - opening, closing and the few things that all parts of the queue share. */
#include <postern/queue/queue.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/mem.h>

#include "accept.h"
#include "ask.h"
#include "attempt.h"
#include "job.h"
#include "lane.h"
#include "mark.h"
#include "recover.h"
#include "schedule.h"
#include "sort.h"
#include "state.h"
#include "step.h"
#include "tend.h"

enum { COMPACT_MIN = 64 << 20 }; /* a smaller ledger stays as it is */

struct queue_limits
queue_limits_default(void)
{
	return (struct queue_limits){
		.message_size = (50U << 20) + ENVELOPE_RECORD_MAX + ENVELOPE_PREFIX_MAX + ENVELOPE_HEADER_SIZE,
		.bytes = (uint64_t)64 << 30,
		.disk_reserve = 256U << 20,
		.map_bytes = (uint64_t)16 << 30,
		.submissions = 2000,
		.deliveries = 50,
		.warn_s = 4 * 3600,
		.expire_s = 5 * 24 * 3600,
		.retry_first_s = 120,
		.retry_last_s = 3600,
		.jobs = 400,
		.jobs_per_destination = 20,
	};
}

/* --- busy marks --------------------------------------------------------------------------------------------------- */

bool
busy_take_message(struct queue *q, struct id qid)
{
	struct str key = str_from(qid.b, sizeof qid.b);

	if (map_get(&q->busy, key) != NULL)
		return false;
	map_put(&q->busy, key, q);
	return true;
}

void
busy_free_message(struct queue *q, struct id qid)
{
	map_del(&q->busy, str_from(qid.b, sizeof qid.b));
}

/* --- room --------------------------------------------------------------------------------------------------------- */

bool
queue_has_room(struct queue *q, uint64_t bytes, struct err *e)
{
	const struct queue_limits *limits = &q->options.limits;
	uint64_t coming = q->bytes_coming + bytes;
	uint64_t held = 0;
	bool fits;
	MDB_txn *t = ledger_read(&q->ledger);

	if (t == NULL)
		return err_temp(e, SAY_LATER, "queue.mdb: read");
	ledger_get_bytes(&q->ledger, t, &held);
	fits = ledger_has_room(&q->ledger, t, q->bytes_coming + (bytes <= QUEUE_INLINE_MAX ? bytes : 0));
	mdb_txn_abort(t);
	if (!fits)
		return err_temp(e, SAY_DISK, "queue: queue.mdb has reached the size of its map");
	if (held + coming > limits->bytes)
		return err_temp(e, SAY_DISK, "queue: full: %llu bytes of %llu", (unsigned long long)held,
		    (unsigned long long)limits->bytes);
	if (spool_free_bytes(&q->spool) < limits->disk_reserve + coming)
		return err_temp(e, SAY_DISK, "queue: the disk is nearly full: the reserve is %llu bytes",
		    (unsigned long long)limits->disk_reserve);
	return true;
}

int
queue_spool_file(struct queue *q, struct err *e)
{
	if (!queue_has_room(q, ENVELOPE_MEMFD_MAX, e))
		return -1;
	return spool_new(&q->spool, e);
}

/* --- open and close ----------------------------------------------------------------------------------------------- */

static void
on_soon(void *ctx)
{
	accept_run_finished(ctx);
	queue_check_idle(ctx);
}

static void
on_wake(void *ctx)
{
	schedule_run(ctx);
}

static void
on_slice(void *ctx)
{
	struct queue *q = ctx;

	if (q->loading) {
		q->loading = lane_load_slice(q);
		schedule_soon(q);
		loop_timer_start(&q->slice, 0);
	} else if (q->sorting) {
		sort_slice(q);
	}
}

static void
on_news(void *ctx)
{
	news_write(ctx);
}

static void
on_tend(void *ctx)
{
	tend_run(ctx);
}

static void
on_touched(void *ctx, struct str places)
{
	lane_touched(ctx, places);
	schedule_soon(ctx);
}

static bool
fail(struct err *e, const char *dir, const char *what)
{
	return err_temp(e, SAY_LATER, "%s: %s: %s", dir, what, strerror(errno));
}

/* Two queues on one directory would both deliver. */
static bool
take_lock(struct queue *q, struct err *e)
{
	const char *dir = q->options.dir;

	if (mkdir(dir, 0700) == -1 && errno != EEXIST)
		return fail(e, dir, "mkdir");
	q->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (q->dir == -1)
		return fail(e, dir, "open");
	q->lock = openat(q->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (q->lock == -1)
		return fail(e, dir, "lock");
	if (flock(q->lock, LOCK_EX | LOCK_NB) == -1)
		return err_perm(e, SAY_LATER, "%s: another server runs on this queue", dir);
	return true;
}

static bool
open_files(struct queue *q, struct err *e)
{
	char path[4096];

	if (!take_lock(q, e) || !spool_open(&q->spool, q->dir, "spool", q->options.proc_fd, e))
		return false;
	if ((size_t)snprintf(path, sizeof path, "%s/queue.mdb", q->options.dir) >= sizeof path)
		return err_perm(e, SAY_LATER, "the path of the queue is too long");
	if (!ledger_open(&q->ledger, path, q->options.limits.map_bytes, e) ||
	    !ledger_compact(&q->ledger, q->dir, path, q->options.limits.map_bytes, COMPACT_MIN, e))
		return false;
	if (fsync(q->dir) == -1) /* the ledger's own name */
		return fail(e, q->options.dir, "fsync");
	return recover(q, e);
}

static void
close_files(struct queue *q)
{
	ledger_close(&q->ledger);
	spool_close(&q->spool);
	io_close(&q->lock);
	io_close(&q->dir);
}

struct queue *
queue_open(struct loop *loop, const struct queue_options *o, const struct queue_ops *ops, void *ctx, struct err *e)
{
	struct queue *q = NEW(struct queue);

	*q = (struct queue){ .loop = loop, .ops = ops, .ctx = ctx, .options = *o, .dir = -1, .lock = -1,
		.spool.dir = -1 };
	TAILQ_INIT(&q->asks);
	TAILQ_INIT(&q->forgotten);
	TAILQ_INIT(&q->submissions);
	TAILQ_INIT(&q->finished);
	TAILQ_INIT(&q->attempts);
	TAILQ_INIT(&q->job_list);
	TAILQ_INIT(&q->unwritten);
	TAILQ_INIT(&q->news);
	if (!open_files(q, e)) {
		close_files(q);
		free(q);
		return NULL;
	}
	map_init(&q->busy);
	map_init(&q->marks);
	loop_timer_init(&q->soon, loop, on_soon, q);
	map_init(&q->destinations);
	map_init(&q->lanes);
	loop_timer_init(&q->wake, loop, on_wake, q);
	loop_timer_init(&q->write_news, loop, on_news, q);
	loop_timer_init(&q->slice, loop, on_slice, q);
	loop_timer_init(&q->tend, loop, on_tend, q);
	q->opened = wall_now();
	q->ahead_us = wall_now().us - mono_now().ns / 1000;
	q->commit = commit_start(loop, &q->ledger, &q->spool, on_touched, q);
	q->loading = true;
	sort_start(q);
	step_check_due(q);
	loop_timer_start(&q->slice, 0);
	loop_timer_start(&q->tend, TEND_EVERY_MS);
	schedule_soon(q);
	return q;
}

void
queue_close(struct queue *q)
{
	commit_stop(q->commit);
	ask_free_all(q);
	accept_free_all(q);
	attempt_free_all(q);
	job_free_all(q);
	lane_free_all(q);
	destination_free_all(q);
	heap_fini(&q->waiting);
	heap_fini(&q->resting);
	heap_fini(&q->eligible);
	loop_timer_fini(&q->soon);
	loop_timer_fini(&q->wake);
	loop_timer_fini(&q->write_news);
	loop_timer_fini(&q->slice);
	loop_timer_fini(&q->tend);
	map_fini(&q->busy);
	mark_free_all(q);
	close_files(q);
	free(q);
}

void
queue_configure(struct queue *q, const struct queue_options *o)
{
	uint64_t map_bytes = q->options.limits.map_bytes;
	const char *dir = q->options.dir;
	int proc_fd = q->options.proc_fd;

	q->options = *o;
	q->options.limits.map_bytes = map_bytes;
	q->options.dir = dir;
	q->options.proc_fd = proc_fd;
	sort_start(q); /* routes may have changed */
	schedule_soon(q);
}

void
queue_check_idle(struct queue *q)
{
	void (*idle)(void *ctx) = q->idle;

	if (idle == NULL)
		return;
	news_write(q);
	if (q->accepting > 0 || q->delivering > 0 || q->jobs > 0 || q->changing > 0)
		return;
	q->idle = NULL;
	idle(q->idle_ctx);
}

void
queue_drain(struct queue *q, void (*idle)(void *ctx), void *ctx)
{
	q->draining = true;
	q->idle = idle;
	q->idle_ctx = ctx;
	loop_timer_start(&q->soon, 0); /* idle is called from there when nothing is under way */
}

void
queue_count(struct queue *q, struct queue_counts *c)
{
	MDB_txn *t = ledger_read(&q->ledger);
	MDB_stat st;

	*c = (struct queue_counts){ .accepting = q->accepting, .delivering = q->delivering,
		.jobs = q->jobs, .destinations = (unsigned)q->destinations.n, .resting = (unsigned)q->resting.n,
		.commits = commit_count(q->commit) };
	if (t == NULL)
		return;
	if (mdb_stat(t, q->ledger.message, &st) == 0)
		c->messages = st.ms_entries;
	if (mdb_stat(t, q->ledger.recipient, &st) == 0)
		c->recipients = st.ms_entries;
	ledger_get_bytes(&q->ledger, t, &c->bytes);
	mdb_txn_abort(t);
}
