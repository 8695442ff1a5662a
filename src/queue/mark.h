/* mark.h - recipients on other hosts that somebody works on: a job that carries them, or a deadline that gives them up. Nobody else
 * takes them meanwhile: what is given up is not handed out, and what is on its way is not given up.
 *
 * A lane that comes upon a marked recipient passes it by. Its place is kept with the mark, and the lane looks there again when
 * the mark ends: else it would be forgotten if it stands there still. */
#ifndef POSTERN_QUEUE_MARK_H
#define POSTERN_QUEUE_MARK_H

#include "state.h"

bool mark_has(const struct queue *q, struct ledger_key k);
/* It must not be marked yet. */
void mark_take(struct queue *q, struct ledger_key k);
void mark_free(struct queue *q, struct ledger_key k);
/* The lane passed by this place, whose recipient is marked. */
void mark_pass(struct queue *q, struct str destination, uint64_t source, const struct ledger_place *place);
void mark_free_all(struct queue *q);

#endif
