/* step.h - the wall clock was set while mail waited. */
#ifndef POSTERN_QUEUE_STEP_H
#define POSTERN_QUEUE_STEP_H

#include "state.h"

/* Compares both clocks with the last time, and does what a step of the wall clock asks for. */
void step_check(struct queue *q);
/* At the start: the first place of a lane that was read. One that lies further ahead than any pause comes of a clock that
 * was ahead. */
void step_check_place(struct queue *q, struct wall next_try);
/* The same for mail for users here and notifications, when the queue is opened. */
void step_check_due(struct queue *q);

#endif
