/* sort.h - destinations computed anew: at the start and when the operator's routes may have changed. */
#ifndef POSTERN_QUEUE_SORT_H
#define POSTERN_QUEUE_SORT_H

#include "state.h"

/* Begins at the first recipient, also when it was under way. */
void sort_start(struct queue *q);
/* The next slice, from the timer q->slice. */
void sort_slice(struct queue *q);

#endif
