/* exec.c - the sync threads. */
#include "exec.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/loop.h>
#include <postern/core/mem.h>

struct exec {
	struct loop *loop;
	unsigned pending; /* loop thread only */
	unsigned nthreads;
	pthread_t *threads;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *first;
	struct job **tail;
	bool ending;
};

static struct job *
take(struct exec *x)
{
	struct job *j;

	pthread_mutex_lock(&x->lock);
	while (x->first == NULL && !x->ending)
		pthread_cond_wait(&x->wake, &x->lock);
	j = x->first;
	if (j != NULL) {
		x->first = j->next;
		if (x->first == NULL)
			x->tail = &x->first;
	}
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

	while ((j = take(x)) != NULL) {
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
exec_new(struct loop *l, unsigned threads)
{
	struct exec *x = NEW(struct exec);

	x->loop = l;
	x->nthreads = threads;
	x->threads = mem_array(threads, sizeof *x->threads);
	x->tail = &x->first;
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
	j->next = NULL;
	x->pending++;
	if (x->nthreads == 0) {
		j->run(j);
		loop_defer(x->loop, on_done, j);
		return;
	}
	pthread_mutex_lock(&x->lock);
	*x->tail = j;
	x->tail = &j->next;
	pthread_mutex_unlock(&x->lock);
	pthread_cond_signal(&x->wake); /* without the lock, which the woken thread wants */
}

unsigned
exec_pending(const struct exec *x)
{
	return x->pending;
}
