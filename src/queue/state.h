/* state.h - the queue from inside: what its parts share. All of it belongs to the loop's thread. */
#ifndef POSTERN_QUEUE_STATE_H
#define POSTERN_QUEUE_STATE_H

#include <sys/queue.h>

#include <postern/core/map.h>

#include "commit.h"
#include "heap.h"

TAILQ_HEAD(ask_list, queue_ask);
TAILQ_HEAD(submission_list, submission);
TAILQ_HEAD(attempt_list, attempt);
TAILQ_HEAD(job_list, job);
TAILQ_HEAD(destination_list, destination);

struct queue {
	struct loop *loop;
	const struct queue_ops *ops;
	void *ctx;
	struct queue_options options;
	int dir, lock;
	struct ledger ledger;
	struct spool spool;
	struct commit *commit;

	struct ask_list asks;
	struct ask_list forgotten; /* their answers come too late */
	struct mono check_asks;
	struct submission_list submissions;
	struct submission_list finished; /* their answers wait for the next turn */
	struct attempt_list attempts;
	unsigned accepting, delivering, changing; /* submissions, attempts, changes of the ledger under way */
	struct map busy;                          /* qids that somebody works on */
	struct map marks;                         /* recipients on other hosts likewise: mark.h */
	uint64_t bytes_coming;                    /* content of changes under way */
	struct loop_timer soon;                   /* finished submissions */
	struct loop_timer wake;                   /* the scheduler */
	struct mono pause;                        /* the scheduler rests until then: the ledger had no space */
	struct wall opened;                       /* or the wall clock was set then */
	int64_t ahead_us;                         /* of the wall clock, before the other */
	bool retrying;                            /* all, because the clock was set back */

	/* mail for other hosts */
	struct map destinations;      /* name → destination: those with mail, jobs or news not yet written */
	struct map lanes;             /* destination, source → lane: those with mail */
	struct heap waiting;          /* lanes by the time of their first place */
	struct heap resting;          /* destinations by the end of their rest */
	struct heap eligible;         /* destinations that may have a job now, by jobs under way, then by turn */
	struct job_list job_list;     /* at relay processes, or being written */
	struct job_list unwritten;    /* their results found no space */
	struct destination_list news; /* learnt, not yet written */
	struct loop_timer write_news;
	struct loop_timer slice;      /* of loading lanes, of sorting */
	struct ledger_lane loaded;    /* lanes up to this one are in memory */
	struct ledger_key sorted;     /* recipients up to this one have their destination */
	bool loading, sorting;
	struct loop_timer tend;
	/* how far the tables by destination are walked: tend.c */
	char swept[QUEUE_DESTINATION_SIZE], swept_sts[QUEUE_DESTINATION_SIZE], refreshed[QUEUE_DESTINATION_SIZE];
	unsigned jobs; /* at relay processes, and questions for policies */
	uint64_t turn;

	bool draining;
	void (*idle)(void *ctx);
	void *idle_ctx;
};

/* Something under way ended: tells who waits for queue_drain. */
void queue_check_idle(struct queue *q);

/* Somebody works on the message: the scheduler leaves it alone until free. False when it is busy already. */
bool busy_take_message(struct queue *q, struct id qid);
void busy_free_message(struct queue *q, struct id qid);

/* A descriptor of the message file of a message in the ledger: sealed memfd or spool file. -1 with e; ERR_PERM: its
 * content is not there, which no retry changes. */
int content_open(struct queue *q, struct id qid, struct err *e);

/* Whether the ledger may take that many bytes more; false with e (SAY_DISK). */
bool queue_has_room(struct queue *q, uint64_t bytes, struct err *e);

#endif
