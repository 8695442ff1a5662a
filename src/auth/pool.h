/* pool.h - a few niced threads that hash passwords; private to src/auth.
 *
 * The pool has no queue to speak of: who uses it hands in a job when a thread is free, so that everything that decides
 * who is next stays in the loop thread. A job is the caller's memory and belongs to the pool until done() is called in
 * the loop. */
#ifndef POSTERN_AUTH_POOL_H
#define POSTERN_AUTH_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include <postern/core/loop.h>

struct pool;

struct pool_job {
	void (*run)(struct pool_job *job);             /* in a hashing thread: touches nothing but the job */
	void (*done)(struct pool_job *job, void *ctx); /* in the loop */
	STAILQ_ENTRY(pool_job) link;
};

/* threads 0: half of the processors, at least one. ctx goes to every done(). */
struct pool *pool_new(struct loop *loop, unsigned threads, void *ctx);
/* Waits for what is being computed. Jobs not done yet are handed to drop() instead, run or not. */
void pool_free(struct pool *p, void (*drop)(struct pool_job *job));
/* True while a job would be started at once. */
bool pool_has_room(const struct pool *p);
size_t pool_busy(const struct pool *p);
void pool_submit(struct pool *p, struct pool_job *job);

#endif
