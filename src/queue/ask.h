/* ask.h - questions to other processes: one answer each, and none after the queue was closed. */
#ifndef POSTERN_QUEUE_ASK_H
#define POSTERN_QUEUE_ASK_H

#include "state.h"

/* n answers come, or NULL when the process is gone (or answered nonsense). */
typedef void ask_answered(void *ctx, const struct queue_answer *answers, size_t n);
typedef void ask_resolved(void *ctx, const struct envelope_target *targets, size_t n);

/* NULL when the process is gone (or answered nonsense). */
typedef void ask_relayed(void *ctx, const struct queue_relayed *r);
typedef void ask_sts(void *ctx, const struct queue_sts *s);

/* resolved is NULL unless targets are an answer. */
struct queue_ask *ask_new(struct queue *q, size_t n, ask_answered *answered, ask_resolved *resolved, void *ctx);
/* A job with n recipients, of a message of so many bytes. */
struct queue_ask *ask_new_job(struct queue *q, size_t n, uint64_t bytes, ask_relayed *relayed, void *ctx);
struct queue_ask *ask_new_sts(struct queue *q, ask_sts *sts, void *ctx);
/* Now and then: whoever waits too long for the answer of a process that lives, but hangs, is answered that it is gone. Not questions to
 * stores: their word is final, and a second one under way would be too much. */
void ask_check(struct queue *q);
void ask_free_all(struct queue *q);

/* The answer as it may be kept and shown: verdict in range, status and text well-formed, never empty. */
void answer_clean(struct queue_answer *out, const struct queue_answer *in);
void answer_set(struct queue_answer *out, enum queue_verdict verdict, unsigned code, const char *status,
    const char *text);

#endif
