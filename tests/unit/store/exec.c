/* exec.c - the sync threads: patient jobs run so many at a time, others pass them, and all are done at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <semaphore.h>
#include <stdatomic.h>

#include <postern/core/loop.h>

#include "../../../src/store/exec.h"

enum { THREADS = 4, PATIENT = 2, JOBS = 12 };

static sem_t may_end, has_begun;
static atomic_int running, most;
static int done;

static void
note_begin(void)
{
	int now = ++running, before = most;

	while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
		;
}

static void
run_long(struct job *j)
{
	(void)j;
	note_begin();
	sem_post(&has_begun);
	sem_wait(&may_end);
	running--;
}

static void
run_short(struct job *j)
{
	(void)j;
}

static void
on_done(struct job *j)
{
	(void)j;
	done++;
}

static void
wait_for(struct loop *l, int jobs)
{
	while (done < jobs)
		loop_once(l);
}

static void
begin(struct exec **x, struct loop **l, unsigned threads)
{
	sem_init(&may_end, 0, 0);
	sem_init(&has_begun, 0, 0);
	running = most = done = 0;
	*l = loop_new();
	*x = exec_new(*l, threads, PATIENT);
}

static void
patient_ones_wait(void **state)
{
	struct job patient[JOBS], other[JOBS];
	struct loop *l;
	struct exec *x;

	(void)state;
	begin(&x, &l, THREADS);
	for (int i = 0; i < JOBS; i++) {
		patient[i] = (struct job){ .run = run_long, .done = on_done, .patient = true };
		other[i] = (struct job){ .run = run_short, .done = on_done };
		exec_submit(x, &patient[i]);
		exec_submit(x, &other[i]);
	}
	for (int i = 0; i < PATIENT; i++)
		sem_wait(&has_begun);
	wait_for(l, JOBS); /* the others, while the patient ones hold their threads */
	assert_int_equal(exec_pending(x), JOBS);
	for (int i = 0; i < JOBS; i++)
		sem_post(&may_end);
	wait_for(l, 2 * JOBS);
	assert_int_equal(most, PATIENT);
	assert_int_equal(exec_pending(x), 0);
	exec_free(x);
	loop_free(l);
}

/* What waits when the end comes is run. */
static void
all_run_at_the_end(void **state)
{
	struct job patient[JOBS];
	struct loop *l;
	struct exec *x;
	int left;

	(void)state;
	begin(&x, &l, THREADS);
	for (int i = 0; i < JOBS; i++) {
		patient[i] = (struct job){ .run = run_long, .done = on_done, .patient = true };
		exec_submit(x, &patient[i]);
		sem_post(&may_end);
	}
	exec_free(x);
	sem_getvalue(&may_end, &left);
	assert_int_equal(left, 0);
	loop_free(l);
}

static void
without_threads(void **state)
{
	struct job j = { .run = run_short, .done = on_done, .patient = true };
	struct loop *l;
	struct exec *x;

	(void)state;
	begin(&x, &l, 0);
	exec_submit(x, &j);
	assert_int_equal(done, 0);
	wait_for(l, 1);
	exec_free(x);
	loop_free(l);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(patient_ones_wait),
		cmocka_unit_test(all_run_at_the_end),
		cmocka_unit_test(without_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
