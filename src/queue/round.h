/* round.h - one round of questions to the stores about a submission. */
#ifndef POSTERN_QUEUE_ROUND_H
#define POSTERN_QUEUE_ROUND_H

#include "submission.h"

/* Sorts the targets and groups the local ones into batches: one store each, no user twice. */
void round_plan(struct submission *s);

/* Each asks the stores of all batches and runs next when all have answered; at once when there is nothing to ask. */
/* OPEN targets become DONE, PREPARED, SPOOL or REFUSED. */
void round_deliver(struct submission *s, enum queue_mode mode, void (*next)(struct submission *s));
/* PREPARED targets become DONE or SPOOL. */
void round_publish(struct submission *s, void (*next)(struct submission *s));
/* PREPARED targets are gone. */
void round_drop(struct submission *s, void (*next)(struct submission *s));

#endif
