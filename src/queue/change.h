/* change.h - one change of the ledger: a new message with its recipients, what became of recipients of an old one,
 * or both, so that a bounce and the end of what it reports are one transaction. */
#ifndef POSTERN_QUEUE_CHANGE_H
#define POSTERN_QUEUE_CHANGE_H

#include <postern/core/arena.h>

#include "state.h"

enum row_update_kind {
	UPDATE_DELETE, /* settled: delivered, reported, or replaced */
	UPDATE_RETRY,  /* an attempt failed: one more attempt, next_try, why */
	UPDATE_FAIL,   /* for good: its bounce is owed */
	UPDATE_HOLD,
	UPDATE_WARNED, /* its delay was reported */
	UPDATE_LATER,  /* its deadline moves */
	UPDATE_MOVE,   /* to another destination */
};

struct row_update {
	enum row_update_kind kind;
	uint32_t number;
	struct wall tried, next_try; /* tried 0: it was not */
	struct str status, reason;
	const struct queue_last_host *last; /* NULL: as it was */
	struct wall deadline;               /* WARNED, LATER; else 0: as it was */
	struct str destination;             /* MOVE */
};

struct change {
	struct commit_op op; /* must be first */
	struct queue *q;
	struct arena mem; /* for everything below; ends with the change */

	bool adds_message;
	struct id new_qid;
	struct row_message message;
	struct row_recipient *rows; /* of the new message, or more of the old one */
	uint32_t nrows;
	int content; /* the new message file; closed with the change */

	bool has_old;
	struct id old_qid;
	struct row_update *updates;
	uint32_t nupdates;

	void (*done)(void *ctx, struct change *c, const struct err *e); /* NULL: nobody waits */
	void *ctx;
	bool file_gone; /* result: the old message is settled and had a spool file */
	uint64_t coming;
};

struct change *change_new(struct queue *q);
/* Room for n rows or updates, zeroed. */
struct row_recipient *change_rows(struct change *c, uint32_t n);
struct row_update *change_updates(struct change *c, struct id qid, uint32_t n);
/* Copies the texts of the updates into the change. */
void change_keep(struct change *c);
/* Makes it durable, then calls done; e is NULL when all is well. The change is freed after that. */
void change_submit(struct change *c, void (*done)(void *ctx, struct change *c, const struct err *e), void *ctx);
/* Instead of change_submit. */
void change_drop(struct change *c);

#endif
