/* deadline.h - recipients on other hosts whose deadline has come: the sender hears of the delay, or they are given up, whether they
 * were tried meanwhile or their destination rests. */
#ifndef POSTERN_QUEUE_DEADLINE_H
#define POSTERN_QUEUE_DEADLINE_H

#include "state.h"

/* Settles those of the message. Ends in the message's busy mark being freed. */
void deadline_run(struct queue *q, struct id qid);

#endif
