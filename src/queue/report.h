/* report.h - delivery status notifications: who gets one, for what, and the change that makes it durable. */
#ifndef POSTERN_QUEUE_REPORT_H
#define POSTERN_QUEUE_REPORT_H

#include "bounce.h"
#include "change.h"

/* A change that adds the notification about a message to the ledger: the caller adds what becomes of the reported
 * recipients and submits it. content is a descriptor of the message file, or -1 when it is lost. NULL with e when it
 * cannot be made now. */
struct change *report_new(struct queue *q, struct id qid, const struct row_message *m, int content,
    const struct bounce_recipient *about, size_t n, struct err *e);

/* Whether a failure of this message's recipient has to be told to anybody. */
bool report_is_owed(const struct queue *q, const struct row_message *m, unsigned notify);

/* The message has recipients that failed (their rows say so): reports them in one notification and settles them;
 * without anybody to tell, only settles them. Ends in the message's busy mark being freed. */
void report_failed(struct queue *q, struct id qid);
/* Local recipients of the message wait since long: tells the sender once. */
void report_delayed(struct queue *q, struct id qid);

#endif
