/* recover.h - the recovery rule, applied when the queue is opened. */
#ifndef POSTERN_QUEUE_RECOVER_H
#define POSTERN_QUEUE_RECOVER_H

#include "state.h"

/* The ledger row is the truth: spool files without a row go when they are old, rows without their file are held and
 * reported. */
bool recover(struct queue *q, struct err *e);

#endif
