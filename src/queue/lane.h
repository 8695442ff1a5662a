/* lane.h - lanes in memory: for each source that has mail for a destination, where the next of it stands and when it is due. The
 * mail itself is in the ledger; a lane is made when a place in it is filled, and freed when none is left after its mark. */
#ifndef POSTERN_QUEUE_LANE_H
#define POSTERN_QUEUE_LANE_H

#include "destination.h"

struct lane {
	struct heap_node waits;   /* in q->waiting, until its first place is due */
	TAILQ_ENTRY(lane) entry;  /* in destination->ready */
	struct destination *destination;
	uint64_t source;
	struct ledger_place mark; /* what stands before it was handed out */
	bool ready;
};

/* A place was filled, or is free again: the lane looks at it when it is due. */
void lane_note(struct queue *q, struct str destination, uint64_t source, const struct ledger_place *place);
/* The same for all places of a transaction: commit.h. */
void lane_touched(void *queue, struct str places);
/* After mail was taken from a ready lane: it waits for its turn, for its next place to be due, or is freed. */
void lane_rearrange(struct lane *lane, MDB_txn *t);
/* Lanes whose time has come become ready; destinations whose rest is over, eligible. */
void lane_wake_due(struct queue *q);
/* When that is to be done next; INT64_MAX: no time is known. */
int64_t lane_next_due(const struct queue *q);
/* At the start: takes up the next lanes of the ledger. True when there are more. */
bool lane_load_slice(struct queue *q);
void lane_free_all(struct queue *q);

#endif
