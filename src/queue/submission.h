/* submission.h - a message while it is being accepted: read from its file (read_message.c), carried to an answer
 * (accept.c). */
#ifndef POSTERN_QUEUE_SUBMISSION_H
#define POSTERN_QUEUE_SUBMISSION_H

#include <postern/core/arena.h>

#include "state.h"

enum fate {
	FATE_OPEN,     /* nothing is known yet */
	FATE_DONE,     /* in the mailbox */
	FATE_PREPARED, /* in the store, not visible */
	FATE_SPOOL,    /* to be written to the ledger, or there */
	FATE_REFUSED,  /* for good */
};

struct target {
	enum fate fate;
	bool local;
	unsigned notify; /* of all recipients that became this target */
	unsigned store;
	uint32_t turn;     /* how many targets of the same user come before it */
	struct id delivery;
	struct queue_target to; /* remote: to.user is the address */
	struct str orcpt;
	const struct queue_answer *why; /* SPOOL, REFUSED: what the store said, or NULL */
	bool in_row;       /* has a row in the ledger */
	bool was_prepared; /* it got it while it was PREPARED */
};

/* A store that died, or answered nonsense. */
#define SUBMISSION_GONE_STATUS "4.3.0"
#define SUBMISSION_GONE_TEXT "the store process ended; delivering again"

/* A recipient that became several, with NOTIFY=SUCCESS: reported as expanded (RFC 3461 5.2.7.3 c). */
struct expanded {
	struct str address, orcpt;
};

/* Targets of one store that are asked for together, under one delivery id. */
struct batch {
	struct submission *s;
	struct batch *next;
	struct id id;
	enum queue_mode mode;
	unsigned store;
	struct target *targets; /* n of them, next to each other */
	size_t n;
};

struct submission {
	TAILQ_ENTRY(submission) entry;
	struct queue *q;
	struct arena mem;
	int fd;
	struct id qid;
	struct row_message message;
	struct target *targets;
	uint32_t ntargets, nrecipients;
	struct expanded *expanded;
	uint32_t nexpanded;
	struct batch *batches;
	unsigned waiting; /* answers of stores that are due, and one while asking */
	void (*next)(struct submission *s);
	bool in_ledger;
	bool busy; /* holds the message's busy mark */
	bool submitting; /* inside queue_submit */
	struct err err; /* why the ledger did not take it */
	struct queue_answer answer;
	void (*done)(void *ctx, const struct queue_answer *a);
	void *ctx;
};

/* Reads the message file into s: envelope, targets without duplicates. False with e. */
bool submission_read(struct submission *s, struct err *e);

#endif
