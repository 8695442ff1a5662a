/* dispatch.h - mail for other hosts: which destination gets the next job. */
#ifndef POSTERN_QUEUE_DISPATCH_H
#define POSTERN_QUEUE_DISPATCH_H

#include "state.h"

/* Starts jobs as far as limits and windows allow. When to look again: microseconds since the epoch; 0: at once. */
int64_t dispatch_run(struct queue *q);

#endif
