/* exec.h - the sync threads: work that may wait for the disk.
 *
 * Threads are more than processors, for those that wait for the disk at the same time share its flushes. Patient jobs, which nobody waits for
 * and which mostly compute, leave the others alone: only so many of them run at a time.
 *
 * A job's run() is called in some thread and sees only what the job brought along; done() is called in the loop. With
 * no threads run() is called at once, and done() still comes from the loop. */
#ifndef POSTERN_STORE_EXEC_H
#define POSTERN_STORE_EXEC_H

#include <stdbool.h>
#include <sys/queue.h>

struct exec;
struct loop;

struct job {
	void (*run)(struct job *j);
	void (*done)(struct job *j);
	bool patient;
	struct exec *exec; /* private from here on */
	STAILQ_ENTRY(job) link;
};

/* patient: so many of these at a time, at least one. */
struct exec *exec_new(struct loop *l, unsigned threads, unsigned patient);
/* Lets running and waiting jobs finish; their done() is not called. */
void exec_free(struct exec *x);
void exec_submit(struct exec *x, struct job *j);
/* Jobs whose done() has not been called yet. */
unsigned exec_pending(const struct exec *x);

#endif
