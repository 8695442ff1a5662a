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

/* The pause after the nth failure in a row: doubles from the first to the last, give or take a fifth. */
int64_t schedule_pause_ms(int64_t first_ms, int64_t last_ms, uint32_t n);
enum { SCHEDULE_LAST_RETRY_MS = 900000 };
/* When to try a local recipient again after that many failed attempts: from seconds to a quarter of an hour. */
struct wall schedule_next_try(struct wall now, uint32_t attempts);

enum { SCHEDULE_GRACE_S = 600 };
/* So soon after the start, or after the clock was set, nobody is given up who waited before: what seems old may have had no time to be
 * tried. */
bool schedule_has_grace(const struct queue *q, const struct row_message *m);
/* Whether a message is too old to be tried any longer. */
bool schedule_is_over(const struct queue *q, const struct row_message *m);
/* What fails now has failed for good: it is over, and there is no grace. */
bool schedule_gives_up(const struct queue *q, const struct row_message *m);
#define SCHEDULE_EXPIRED_STATUS "5.4.7" /* RFC 3463 3.5: delivery time expired */
/* "not delivered within 5 days; the last reason: …" */
void schedule_expired_words(const struct queue *q, struct str reason, char out[static QUEUE_TEXT_SIZE]);

/* The destination of mail to an address, or to a domain. */
void schedule_destination(const struct queue *q, struct str address, struct queue_destination *out);
/* What a recipient on another host needs besides its target: destination, source, deadline, a first try at once. Texts go to
 * the arena. */
void schedule_remote(const struct queue *q, struct arena *a, const struct row_message *m, struct row_recipient *r);
/* When its sender is told of the delay, or, when that was done or is not wanted, when it is given up. */
struct wall schedule_deadline(const struct queue_limits *l, const struct row_message *m, const struct row_recipient *r);

#endif
