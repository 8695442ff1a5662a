/* job.h - recipients of one message for one destination, on their way: read from a lane (job.c), handed to a relay process,
 * settled by its answer (result.c).
 *
 * While a job lives its recipients are marked (mark.h): nobody else takes them, not by another lane either, should the operator send
 * them elsewhere meanwhile. A crash loses the job and nothing else: the rows are as they were, and are tried again. */
#ifndef POSTERN_QUEUE_JOB_H
#define POSTERN_QUEUE_JOB_H

#include "change.h"
#include "lane.h"

struct job {
	TAILQ_ENTRY(job) entry;
	struct queue *q;
	struct destination *destination;
	struct arena mem;
	struct id qid;
	uint64_t source;
	struct ledger_place first; /* of its places in the lane */
	bool again;                /* its lane is to look at it again */
	struct row_message message;
	struct row_recipient *rows;
	struct row_update *results; /* one for each row */
	uint32_t n;
	size_t bytes; /* of their texts */
	bool *relayed; /* of each: to be reported as relayed */
	struct queue_answer temporary; /* the first failure that may pass; text "": there is none */
	struct wall next; /* the next try of those with that many failures */
	uint32_t failures;
	unsigned rests_begun; /* of the destination, when it began */
	struct wall began;
};

/* Reads the next job of a ready lane whose mail is due; NULL when there is none. The lane goes on in every case. */
struct job *job_read(struct lane *lane);
/* Sorts it anew if its recipients belong to another destination by now, else hands it to the relay process. */
void job_start(struct job *j);
/* Whether mail of its domain may have an MTA-STS policy under the destination's name; false for a job to be sorted anew. */
bool job_has_sts(const struct job *j);
/* Puts it back into its lane as if it had not been read. */
void job_return(struct job *j);
void job_free_all(struct queue *q);

/* --- result.c --- */

/* The answer; NULL: the relay process ended. */
void job_answered(void *job, const struct queue_relayed *r);
/* Its content cannot be had. */
void job_without_content(struct job *j, const struct err *e);
/* Writes its results to the ledger, and frees it when they are there; what finds no space is tried again by job_rewrite_all. */
void job_write(struct job *j);
void job_rewrite_all(struct queue *q);
void job_free(struct job *j);

#endif
