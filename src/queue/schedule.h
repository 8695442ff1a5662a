/* schedule.h - when a waiting recipient is tried again, and starting what is due. */
#ifndef POSTERN_QUEUE_SCHEDULE_H
#define POSTERN_QUEUE_SCHEDULE_H

#include "state.h"

/* Looks soon: the schedule changed, or something under way ended. */
void schedule_soon(struct queue *q);
/* Starts what is due as far as the limits allow, and sets the timer for the next. From the timer, and in tests. */
void schedule_run(struct queue *q);
/* The ledger had no space: rests a while. */
void schedule_pause(struct queue *q);

/* When to try again after that many failed attempts: doubles from seconds to a quarter of an hour, give or take a
 * fifth. */
struct wall schedule_next_try(struct wall now, uint32_t attempts);

/* No one takes remote recipients yet. */
#define SCHEDULE_NO_RELAY "waiting: outbound delivery is not running"

#endif
