/* queue.h - responsibility for accepted mail: who takes it now, what waits, what is retried, what comes back as a
 * bounce.
 *
 * A message is submitted as a message file (message/envelope.h). Local recipients go to the store process of their
 * user, in one round or prepared everywhere and then published; whoever cannot take it now, and everybody on other
 * hosts, is written to the ledger (LMDB, and spool files for large messages). There is one answer for the lot: DONE
 * only when each recipient's mail is durable in a mailbox, in the ledger, or as a bounce that the ledger owes.
 *
 * The recovery rule: after a crash the ledger row is the truth. A recipient row means that the mail is owed; it is
 * delivered (again) under the delivery id of the row, and a store that has it answers DONE. A spool file without a
 * row is removed when it is old; a row without its spool file is held and reported, never dropped.
 *
 * Everything here runs in the loop's thread; syncs and write transactions happen in threads of the queue. */
#ifndef POSTERN_QUEUE_QUEUE_H
#define POSTERN_QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/clock.h>
#include <postern/core/err.h>
#include <postern/core/io.h>
#include <postern/core/loop.h>
#include <postern/core/str.h>
#include <postern/message/envelope.h>

struct queue;

/* --- verdicts ----------------------------------------------------------------------------------------------------- */

enum queue_verdict {
	QUEUE_DONE, /* durable (DELIVER, PUBLISH), prepared (PREPARE), dropped (DROP) */
	QUEUE_TEMP, /* not now */
	QUEUE_PERM, /* never */
	/* of a DELIVER of several, when not all could take it: nothing was published, this one is prepared */
	QUEUE_PREPARED,
};

enum { QUEUE_STATUS_SIZE = 12, QUEUE_TEXT_SIZE = 256 };

/* What became of one target, or of a whole submission. Words for the peer: one line, UTF-8, no control bytes. */
struct queue_answer {
	enum queue_verdict verdict;
	unsigned code;                  /* of a submission: the SMTP reply code; stores leave it 0 */
	char status[QUEUE_STATUS_SIZE]; /* RFC 3463: "4.2.2"; may be "" with DONE */
	char text[QUEUE_TEXT_SIZE];
};

/* --- what the queue asks of others -------------------------------------------------------------------------------- */

/* One question under way. It is answered exactly once, by the function its kind names, from the loop's thread; an
 * answer inside the call that asks is allowed. */
struct queue_ask;

enum { QUEUE_BATCH_MAX = 64 }; /* targets of one question: they fit one message between processes */

struct queue_target {
	struct str user;    /* canonical; no user is twice in a batch */
	struct str detail;  /* what stood after "+" */
	struct str orig_to; /* the recipient as the sender gave it */
};

enum queue_mode {
	QUEUE_DELIVER, /* all targets, or none: then those that could are PREPARED and wait for settle */
	QUEUE_PREPARE, /* written and synced, not visible; waits for settle */
};

struct queue_delivery {
	struct id id; /* part of the file name; a store answers DONE again for what this user got under this id */
	enum queue_mode mode;
	unsigned store; /* of all its targets: queue_ops.store_of */
	struct id qid;
	struct str sender; /* Return-Path, "" for the null sender */
	int fd;            /* message file, open during the call only: whoever needs it longer duplicates it */
	const struct queue_target *targets;
	size_t n; /* 1 to QUEUE_BATCH_MAX */
};

enum queue_settle { QUEUE_PUBLISH, QUEUE_DROP };

struct queue_ops {
	/* Which store process owns the user. */
	unsigned (*store_of)(void *ctx, struct str user);
	/* Answered by queue_answer with one answer per target, or by queue_answer_gone. */
	void (*deliver)(void *ctx, const struct queue_delivery *d, struct queue_ask *ask);
	/* What becomes of those that are prepared under this delivery id, which had n targets. Answered likewise,
	 * with n answers: what was refused before is refused again. A store that does not know the id any more:
	 * queue_answer_gone. */
	void (*settle)(void *ctx, unsigned store, enum queue_settle how, struct id id, size_t n, struct queue_ask *ask);
	/* Where mail for an address goes (bounces; later reroute). Answered by queue_answer_targets, or, when the
	 * address does not exist or auth cannot tell now, by queue_answer with one PERM or TEMP, or by
	 * queue_answer_gone. */
	void (*resolve)(void *ctx, struct str address, struct queue_ask *ask);
};

void queue_answer(struct queue_ask *ask, const struct queue_answer *answers, size_t n);
void queue_answer_targets(struct queue_ask *ask, const struct envelope_target *targets, size_t n);
/* The process that was asked died: nobody knows what it did. Mail is asked again under the same delivery id. */
void queue_answer_gone(struct queue_ask *ask);

/* --- the queue ---------------------------------------------------------------------------------------------------- */

enum {
	QUEUE_INLINE_MAX = 64 << 10, /* message files up to this live in LMDB, larger ones in spool/ */
	QUEUE_RETURN_MAX = 32 << 10, /* a bounce returns whole messages up to this, else the header (cut at this) */
};

struct queue_limits {
	uint64_t message_size; /* of a message file: the SMTP limit and room for record and prefix */
	uint64_t bytes;        /* content in ledger and spool, all together; above: 452 */
	uint64_t disk_reserve; /* bytes that stay free on the file system; below: 452 */
	uint64_t map_bytes;    /* of LMDB: address space, and the end of what the ledger can hold */
	unsigned submissions;  /* messages being accepted at a time; above: 451 */
	unsigned deliveries;   /* retries under way at a time */
	int64_t warn_s;        /* a delayed message is reported to its sender after this */
	int64_t expire_s;      /* and given up after this */
};
/* 50 MiB messages, 64 GiB, 256 MiB reserve, 16 GiB map, 2000 and 50 at a time, 4 hours, 5 days. */
struct queue_limits queue_limits_default(void);

struct queue_options {
	const char *dir;       /* <state>/queue; made when absent */
	int proc_fd;           /* O_PATH of /proc/self/fd, opened before the root was closed; -1: files are copied */
	struct str hostname;   /* reporting MTA of bounces */
	struct str postmaster; /* where bounces that cannot be delivered go; "": they are logged and end */
	struct queue_limits limits;
};

/* Opens (makes) ledger and spool under dir, takes the lock, applies the recovery rule. NULL with e: another queue
 * holds the lock, the ledger is damaged, no space. ops, ctx and the texts of o outlive the queue. */
struct queue *queue_open(struct loop *loop, const struct queue_options *o, const struct queue_ops *ops, void *ctx,
    struct err *e);
/* Ends threads after the transaction under way; questions still open are forgotten and must not be answered any more.
 * Not from inside one of its callbacks; else at any time: the ledger is as after a crash. */
void queue_close(struct queue *q);
/* Takes no new submissions (451 4.3.2) and starts no retries; idle is called once when nothing is under way. */
void queue_drain(struct queue *q, void (*idle)(void *ctx), void *ctx);
/* New limits and names, at a reload. map_bytes stays until the next start. */
void queue_configure(struct queue *q, const struct queue_options *o);

/* Submits a message file; fd becomes the queue's in every case. done is called exactly once, never inside this call,
 * with DONE (code 250), TEMP (451, 452: no copy exists anywhere, but after the death of a store) or PERM (5xx). The
 * answer is valid during the call. sid is for the log. */
void queue_submit(struct queue *q, int fd, struct str sid, void (*done)(void *ctx, const struct queue_answer *a),
    void *ctx);

/* An unlinked file on the spool's file system for a message above ENVELOPE_MEMFD_MAX, open for reading and writing; -1
 * with e when the disk is full. It is the caller's: to be handed to smtp and submitted. */
int queue_spool_file(struct queue *q, struct err *e);

struct queue_counts {
	uint64_t messages;   /* in the ledger */
	uint64_t recipients; /* rows: waiting, held, or with a bounce owed */
	uint64_t bytes;      /* content in ledger and spool */
	unsigned accepting;  /* submissions under way */
	unsigned delivering; /* retries under way */
	uint64_t commits;    /* ledger transactions since start: with messages, the group size */
};
void queue_count(struct queue *q, struct queue_counts *c);

#endif
