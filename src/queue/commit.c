/* commit.c - two threads in a row: spool files, ledger transactions. The loop's thread never waits for either. */
#include "commit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

enum { GROUP_MAX = 256 }; /* operations in a transaction: of 256 KiB each, 16 640 of the 131 071 pages that LMDB takes */

STAILQ_HEAD(ops, commit_op);

struct stage {
	struct commit *c;
	void (*run)(struct commit *c, struct ops *group);
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct ops waiting;
	bool stop;
};

/* What is done, on its way to the loop. Outlives the commit when a task posted to the loop still points here. */
struct outbox {
	pthread_mutex_t lock;
	struct ops done;
	struct buf touched;
	void (*on_touched)(void *ctx, struct str places);
	void *ctx;
	bool posted, closed;
};

struct commit {
	struct loop *loop;
	struct ledger *ledger;
	struct spool *spool;
	struct stage files, rows;
	struct outbox *out;
	atomic_uint_fast64_t transactions;
};

static int (*fault)(void *ctx);
static void *fault_ctx;

void
commit_set_fault(int (*fn)(void *ctx), void *ctx)
{
	fault_ctx = ctx;
	fault = fn;
}

static struct commit_op *
take(struct ops *ops)
{
	struct commit_op *op = STAILQ_FIRST(ops);

	if (op != NULL)
		STAILQ_REMOVE_HEAD(ops, link);
	return op;
}

static void
free_all(struct ops *ops)
{
	struct commit_op *op;

	while ((op = take(ops)) != NULL)
		op->free(op);
}

/* --- answers to the loop ------------------------------------------------------------------------------------------ */

static void
outbox_free(struct outbox *o)
{
	free_all(&o->done);
	buf_fini(&o->touched);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

static void
deliver_answers(void *ctx)
{
	struct outbox *o = ctx;
	struct ops done = STAILQ_HEAD_INITIALIZER(done);
	struct buf touched;
	struct commit_op *op;

	pthread_mutex_lock(&o->lock);
	o->posted = false;
	touched = o->touched;
	buf_init(&o->touched, SIZE_MAX);
	STAILQ_CONCAT(&done, &o->done);
	pthread_mutex_unlock(&o->lock);
	if (o->closed) {
		buf_fini(&touched);
		free_all(&done);
		outbox_free(o);
		return;
	}
	if (touched.n > 0)
		o->on_touched(o->ctx, buf_str(&touched));
	buf_fini(&touched);
	while ((op = take(&done)) != NULL) {
		op->done(op);
		op->free(op);
	}
}

static void
hand_over_touched(struct commit *c)
{
	pthread_mutex_lock(&c->out->lock);
	buf_add(&c->out->touched, buf_str(&c->ledger->touched));
	pthread_mutex_unlock(&c->out->lock);
}

static void
finish(struct commit *c, struct commit_op *op)
{
	struct outbox *o = c->out;
	bool post;

	pthread_mutex_lock(&o->lock);
	STAILQ_INSERT_TAIL(&o->done, op, link);
	post = !o->posted;
	o->posted = true;
	pthread_mutex_unlock(&o->lock);
	if (post)
		loop_post(c->loop, deliver_answers, o);
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

static void
stage_add(struct stage *s, struct commit_op *op)
{
	pthread_mutex_lock(&s->lock);
	STAILQ_INSERT_TAIL(&s->waiting, op, link);
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

/* The next group; false when the stage ends. */
static bool
stage_collect(struct stage *s, struct ops *group)
{
	struct commit_op *op;
	bool go;

	STAILQ_INIT(group);
	pthread_mutex_lock(&s->lock);
	while (STAILQ_EMPTY(&s->waiting) && !s->stop)
		pthread_cond_wait(&s->wake, &s->lock);
	go = !s->stop;
	for (unsigned n = 0; go && n < GROUP_MAX && (op = take(&s->waiting)) != NULL; n++)
		STAILQ_INSERT_TAIL(group, op, link);
	pthread_mutex_unlock(&s->lock);
	return go;
}

static void *
stage_main(void *arg)
{
	struct stage *s = arg;
	struct ops group;

	while (stage_collect(s, &group))
		s->run(s->c, &group);
	return NULL;
}

static void
stage_start(struct stage *s, struct commit *c, void (*run)(struct commit *, struct ops *))
{
	sigset_t all, old;

	s->c = c;
	s->run = run;
	STAILQ_INIT(&s->waiting);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	sigfillset(&all); /* signals are the loop's */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&s->thread, NULL, stage_main, s) != 0)
		log_fatal("queue: cannot start a thread");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void
stage_stop(struct stage *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	free_all(&s->waiting);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
}

/* --- first stage: spool files ------------------------------------------------------------------------------------- */

static void
unput(struct commit *c, struct commit_op *op)
{
	if (op->file_put)
		spool_remove(c->spool, op->qid);
	op->file_put = false;
}

static void
run_files(struct commit *c, struct ops *group)
{
	struct commit_op *op;
	struct ops put = STAILQ_HEAD_INITIALIZER(put);
	struct err e;
	bool synced;

	STAILQ_FOREACH(op, group, link)
		spool_push(op->file);
	while ((op = take(group)) != NULL) {
		op->file_put = spool_put(c->spool, op->qid, op->file, &op->err);
		if (op->file_put)
			STAILQ_INSERT_TAIL(&put, op, link);
		else
			finish(c, op);
	}
	synced = STAILQ_EMPTY(&put) || spool_sync(c->spool, &e);
	while ((op = take(&put)) != NULL) {
		if (synced) {
			stage_add(&c->rows, op);
			continue;
		}
		unput(c, op);
		op->err = e;
		finish(c, op);
	}
}

/* --- second stage: transactions ----------------------------------------------------------------------------------- */

static bool
fails_alone(int rc)
{
	return rc == MDB_KEYEXIST || rc == MDB_NOTFOUND || rc > 0 || ledger_error_is_space(rc);
}

/* One transaction for the operations from first up to (not with) end. What failed is the commit or begin: ends the
 * process unless it is space. */
static int
transact(struct commit *c, struct commit_op *first, const struct commit_op *end)
{
	MDB_txn *t;
	int rc = mdb_txn_begin(c->ledger->env, NULL, 0, &t);

	if (rc != 0)
		log_fatal("queue.mdb: begin: %s", mdb_strerror(rc));
	buf_clear(&c->ledger->touched);
	for (struct commit_op *op = first; op != end && rc == 0; op = STAILQ_NEXT(op, link))
		rc = op->apply(op, c->ledger, t);
	if (rc != 0 || (fault != NULL && (rc = fault(fault_ctx)) != 0)) {
		mdb_txn_abort(t);
		if (!fails_alone(rc))
			log_fatal("queue.mdb: %s", mdb_strerror(rc));
		return rc;
	}
	rc = mdb_txn_commit(t);
	if (rc != 0 && !ledger_error_is_space(rc))
		log_fatal("queue.mdb: commit: %s", mdb_strerror(rc));
	if (rc == 0)
		hand_over_touched(c);
	atomic_fetch_add(&c->transactions, 1);
	return rc;
}

static void
transact_alone(struct commit *c, struct commit_op *op)
{
	int rc = transact(c, op, STAILQ_NEXT(op, link));

	if (rc == MDB_MAP_FULL && ledger_advance(c->ledger) == 0)
		rc = transact(c, op, STAILQ_NEXT(op, link));
	if (rc != 0) {
		unput(c, op);
		ledger_fail(&op->err, rc, "write");
	}
}

static void
run_rows(struct commit *c, struct ops *group)
{
	struct commit_op *op, *first = STAILQ_FIRST(group);

	if (STAILQ_NEXT(first, link) == NULL || transact(c, first, NULL) != 0)
		STAILQ_FOREACH(op, group, link)
			transact_alone(c, op);
	while ((op = take(group)) != NULL) {
		if (op->err.class == ERR_NONE && op->after != NULL)
			op->after(op);
		finish(c, op);
	}
}

/* --- outside ------------------------------------------------------------------------------------------------------ */

struct commit *
commit_start(
    struct loop *loop, struct ledger *l, struct spool *s, void (*touched)(void *ctx, struct str places), void *ctx)
{
	struct commit *c = NEW(struct commit);

	c->loop = loop;
	c->ledger = l;
	c->spool = s;
	c->out = NEW(struct outbox);
	pthread_mutex_init(&c->out->lock, NULL);
	STAILQ_INIT(&c->out->done);
	buf_init(&c->out->touched, SIZE_MAX);
	c->out->on_touched = touched;
	c->out->ctx = ctx;
	stage_start(&c->rows, c, run_rows);
	stage_start(&c->files, c, run_files);
	return c;
}

void
commit_stop(struct commit *c)
{
	stage_stop(&c->files);
	stage_stop(&c->rows);
	if (c->out->posted)
		c->out->closed = true; /* the posted task frees it */
	else
		outbox_free(c->out);
	free(c);
}

void
commit_submit(struct commit *c, struct commit_op *op)
{
	op->file_put = false;
	err_clear(&op->err);
	stage_add(op->file != -1 ? &c->files : &c->rows, op);
}

uint64_t
commit_count(struct commit *c)
{
	return atomic_load(&c->transactions);
}
