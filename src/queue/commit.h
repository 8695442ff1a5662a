/* commit.h - everything that waits for the disk: spool files first, then one ledger transaction for a group.
 *
 * An operation is submitted in the loop's thread and answered there. While one group is being committed the next
 * collects. A group that fails for lack of space is tried again one by one, so that the large do not fail the small.
 * Any other failure of LMDB ends the process: the ledger on disk is consistent, and nothing of the group was
 * acknowledged. */
#ifndef POSTERN_QUEUE_COMMIT_H
#define POSTERN_QUEUE_COMMIT_H

#include <sys/queue.h>

#include <postern/core/loop.h>

#include "ledger.h"
#include "spool.h"

struct commit;

/* First member of an operation's own struct. */
struct commit_op {
	/* In the commit thread, inside a transaction. May run twice: it starts from scratch each time. 0 or an
	 * error, which fails this operation alone. */
	int (*apply)(struct commit_op *op, struct ledger *l, MDB_txn *t);
	/* In the commit thread after the commit; NULL: nothing. */
	void (*after)(struct commit_op *op);
	/* In the loop's thread; op->err.class is ERR_NONE when it is durable. Not called when the commit is stopped
	 * before. */
	void (*done)(struct commit_op *op);
	/* Frees it, last of all, in every case. */
	void (*free)(struct commit_op *op);
	int file;       /* put into the spool before the transaction, or -1; the operation's own */
	struct id qid;  /* its name there */
	struct err err;
	/* private */
	STAILQ_ENTRY(commit_op) link;
	bool file_put;
};

/* touched is called in the loop's thread with the places in lanes that were filled (ledger_take_touched), before the operations
 * that filled them are answered. */
struct commit *commit_start(struct loop *loop, struct ledger *l, struct spool *s,
    void (*touched)(void *ctx, struct str places), void *ctx);
/* Ends the threads after the group under way; what waits is freed. */
void commit_stop(struct commit *c);
void commit_submit(struct commit *c, struct commit_op *op);
/* Transactions so far. */
uint64_t commit_count(struct commit *c);

/* For tests: asked right before each commit, in the commit thread; a value other than 0 is taken as the commit's
 * error, and nothing is committed. */
void commit_set_fault(int (*fault)(void *ctx), void *ctx);

#endif
