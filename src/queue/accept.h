/* accept.h - a submission from the message file to its one answer. */
#ifndef POSTERN_QUEUE_ACCEPT_H
#define POSTERN_QUEUE_ACCEPT_H

#include "state.h"

struct submission;

/* Gives finished submissions their answers: from the timer q->soon. */
void accept_run_finished(struct queue *q);
void accept_free_all(struct queue *q);

/* The log's lines about an accepted (or entirely refused) message; NOTIFY=SUCCESS. */
void accept_tell(const struct submission *s);
void accept_report_success(struct submission *s);

#endif
