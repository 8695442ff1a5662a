/* pool.c - hashing threads. Results come back over an eventfd that the loop watches, so that freeing the pool leaves
 * nothing behind in the loop. */
#include "pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

enum { THREADS_MAX = 64, NICE = 10 };

STAILQ_HEAD(jobs, pool_job);

struct pool {
	void *ctx;
	unsigned nthreads;
	size_t busy; /* handed in and not yet done; loop thread only */
	pthread_t threads[THREADS_MAX];
	pthread_mutex_t lock;
	pthread_cond_t more;
	bool stop;
	struct jobs todo;
	struct jobs finished;
	int bell;
	struct loop_io io;
};

static struct pool_job *
take(struct jobs *q)
{
	struct pool_job *job = STAILQ_FIRST(q);

	if (job != NULL)
		STAILQ_REMOVE_HEAD(q, link);
	return job;
}

static struct pool_job *
wait_for_job(struct pool *p)
{
	struct pool_job *job = NULL;

	pthread_mutex_lock(&p->lock);
	while (!p->stop && (job = take(&p->todo)) == NULL)
		pthread_cond_wait(&p->more, &p->lock);
	pthread_mutex_unlock(&p->lock);
	return job;
}

static void
finish(struct pool *p, struct pool_job *job)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&p->lock);
	STAILQ_INSERT_TAIL(&p->finished, job, link);
	pthread_mutex_unlock(&p->lock);
	if (write(p->bell, &one, sizeof one) != (ssize_t)sizeof one)
		log_panic("hashing thread: eventfd: %m");
}

static void *
thread_main(void *arg)
{
	struct pool *p = arg;
	struct pool_job *job;

	pthread_setname_np(pthread_self(), "hash");
	setpriority(PRIO_PROCESS, 0, NICE); /* on Linux: of this thread; a sandbox may forbid it, that does no harm */
	while ((job = wait_for_job(p)) != NULL) {
		job->run(job);
		finish(p, job);
	}
	return NULL;
}

static void
on_bell(void *ctx, int ready)
{
	struct pool *p = ctx;
	struct pool_job *job;
	struct jobs finished = STAILQ_HEAD_INITIALIZER(finished);
	uint64_t count;

	(void)ready;
	if (read(p->bell, &count, sizeof count) == -1)
		return;
	pthread_mutex_lock(&p->lock);
	STAILQ_CONCAT(&finished, &p->finished);
	pthread_mutex_unlock(&p->lock);
	while ((job = take(&finished)) != NULL) {
		p->busy--;
		job->done(job, p->ctx);
	}
}

static void
start_threads(struct pool *p)
{
	sigset_t all;
	sigset_t before;

	sigfillset(&all); /* signals are the loop thread's */
	pthread_sigmask(SIG_BLOCK, &all, &before);
	for (unsigned i = 0; i < p->nthreads; i++)
		if (pthread_create(&p->threads[i], NULL, thread_main, p) != 0)
			log_fatal("cannot start hashing thread %u of %u", i + 1, p->nthreads);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct pool *
pool_new(struct loop *loop, unsigned threads, void *ctx)
{
	struct pool *p = NEW(struct pool);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (threads == 0)
		threads = cores > 3 ? (unsigned)cores / 2 : 1;
	p->nthreads = threads < THREADS_MAX ? threads : THREADS_MAX;
	p->ctx = ctx;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	STAILQ_INIT(&p->todo);
	STAILQ_INIT(&p->finished);
	p->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->bell == -1)
		log_fatal("hashing threads: eventfd: %m");
	loop_io_init(&p->io, loop, p->bell, on_bell, p);
	loop_io_watch(&p->io, LOOP_READ);
	start_threads(p);
	return p;
}

void
pool_free(struct pool *p, void (*drop)(struct pool_job *job))
{
	struct pool_job *job;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->nthreads; i++)
		pthread_join(p->threads[i], NULL);
	while ((job = take(&p->todo)) != NULL || (job = take(&p->finished)) != NULL)
		drop(job);
	loop_io_fini(&p->io);
	close(p->bell);
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

bool
pool_has_room(const struct pool *p)
{
	return p->busy < p->nthreads;
}

size_t
pool_busy(const struct pool *p)
{
	return p->busy;
}

void
pool_submit(struct pool *p, struct pool_job *job)
{
	p->busy++;
	pthread_mutex_lock(&p->lock);
	STAILQ_INSERT_TAIL(&p->todo, job, link);
	pthread_cond_signal(&p->more);
	pthread_mutex_unlock(&p->lock);
}
