/* attempt.h - one try for recipients that waited. */
#ifndef POSTERN_QUEUE_ATTEMPT_H
#define POSTERN_QUEUE_ATTEMPT_H

#include "state.h"

struct attempt;

/* Does what is due for the message: delivers a batch of it, resolves an address, or makes a bounce that is owed. The
 * message is marked busy by the caller; the mark is freed when it is done. */
void attempt_start(struct queue *q, struct id qid);
void attempt_free_all(struct queue *q);

#endif
