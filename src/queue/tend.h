/* tend.h - upkeep of what is known of destinations without mail: policies are fetched again before they end (RFC 8461 3.3), old
 * records go. */
#ifndef POSTERN_QUEUE_TEND_H
#define POSTERN_QUEUE_TEND_H

#include "state.h"

enum { TEND_EVERY_MS = 60 * 1000, TEND_KEPT_S = 30 * 86400 };

/* The next slice of both tables, from the timer q->tend. */
void tend_run(struct queue *q);

#endif
