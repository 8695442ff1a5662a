/* exec.c - the sync threads. */
#include "exec.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/loop.h>
#include <postern/core/mem.h>

STAILQ_HEAD(jobs, job);

struct exec {
	struct loop *loop;
	unsigned pending; /* loop thread only */
	unsigned nthreads;
	pthread_t *threads;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct jobs jobs, patient;
	unsigned patients, patients_max; /* that run, that may run */
	bool ending;
};

static struct job *
take_from(struct jobs *q)
{
	struct job *j = STAILQ_FIRST(q);

	if (j != NULL)
		STAILQ_REMOVE_HEAD(q, link);
	return j;
}

/* Under the lock. */
static struct job *
take_next(struct exec *x)
{
	struct job *j = take_from(&x->jobs);

	if (j != NULL || x->patients == x->patients_max)
		return j;
	j = take_from(&x->patient);
	x->patients += j != NULL;
	return j;
}

/* after: the job before was a patient one. */
static struct job *
take(struct exec *x, bool after)
{
	struct job *j;

	pthread_mutex_lock(&x->lock);
	x->patients -= after;
	while ((j = take_next(x)) == NULL && !x->ending)
		pthread_cond_wait(&x->wake, &x->lock);
	pthread_mutex_unlock(&x->lock);
	return j;
}

static void
on_done(void *ctx)
{
	struct job *j = ctx;

	j->exec->pending--;
	j->done(j);
}

static void *
work(void *ctx)
{
	struct exec *x = ctx;
	struct job *j;
	bool patient = false;

	while ((j = take(x, patient)) != NULL) {
		patient = j->patient; /* it may be gone once it is posted */
		j->run(j);
		loop_post(x->loop, on_done, j);
	}
	return NULL;
}

/* Signals are the loop thread's. */
static void
start_threads(struct exec *x)
{
	sigset_t all, kept;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &kept);
	for (unsigned i = 0; i < x->nthreads; i++)
		if (pthread_create(&x->threads[i], NULL, work, x) != 0)
			log_fatal("store: cannot start a thread");
	pthread_sigmask(SIG_SETMASK, &kept, NULL);
}

struct exec *
exec_new(struct loop *l, unsigned threads, unsigned patient)
{
	struct exec *x = NEW(struct exec);

	x->loop = l;
	x->nthreads = threads;
	x->threads = mem_array(threads, sizeof *x->threads);
	STAILQ_INIT(&x->jobs);
	STAILQ_INIT(&x->patient);
	x->patients_max = patient;
	pthread_mutex_init(&x->lock, NULL);
	pthread_cond_init(&x->wake, NULL);
	start_threads(x);
	return x;
}

void
exec_free(struct exec *x)
{
	pthread_mutex_lock(&x->lock);
	x->ending = true;
	pthread_cond_broadcast(&x->wake);
	pthread_mutex_unlock(&x->lock);
	for (unsigned i = 0; i < x->nthreads; i++)
		pthread_join(x->threads[i], NULL);
	pthread_cond_destroy(&x->wake);
	pthread_mutex_destroy(&x->lock);
	free(x->threads);
	free(x);
}

void
exec_submit(struct exec *x, struct job *j)
{
	j->exec = x;
	x->pending++;
	if (x->nthreads == 0) {
		j->run(j);
		loop_defer(x->loop, on_done, j);
		return;
	}
	pthread_mutex_lock(&x->lock);
	STAILQ_INSERT_TAIL(j->patient ? &x->patient : &x->jobs, j, link);
	pthread_mutex_unlock(&x->lock);
	pthread_cond_signal(&x->wake); /* without the lock, which the woken thread wants */
}

unsigned
exec_pending(const struct exec *x)
{
	return x->pending;
}
