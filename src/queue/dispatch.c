/* dispatch.c - fairness: the destination with the fewest jobs under way is next, those with as many take turns; of its lanes the
 * one that waited longest since its last turn. The work for a job does not depend on how much waits. */
#include "dispatch.h"

#include "job.h"
#include "policy.h"

enum {
	STARTS_MAX = 64, /* in one turn of the loop */
	SHARE = 8,       /* of the jobs that are free one destination may use an eighth more than it has: slow ones leave room */
};

static struct destination *
next_destination(const struct queue *q)
{
	struct heap_node *first = heap_first(&q->eligible);
	unsigned most = q->options.limits.jobs;
	struct destination *d;

	if (first == NULL || q->jobs >= most)
		return NULL;
	d = HEAP_OWNER(first, struct destination, eligible);
	return d->jobs < 1 + (most - q->jobs) / SHARE ? d : NULL;
}

static void
start_one(struct destination *d)
{
	struct job *j = job_read(TAILQ_FIRST(&d->ready));

	if (j == NULL)
		return;
	if (policy_is_due(d) && job_has_sts(j)) {
		policy_ask(d);
		job_return(j);
		return;
	}
	job_start(j);
}

int64_t
dispatch_run(struct queue *q)
{
	struct destination *d;

	lane_wake_due(q);
	for (unsigned n = 0; n < STARTS_MAX; n++) {
		d = next_destination(q);
		if (d == NULL)
			return lane_next_due(q);
		start_one(d);
	}
	return 0;
}
