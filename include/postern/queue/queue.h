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
#include <postern/tls/policy.h>
#include <postern/tls/tlsrpt.h>

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

/* --- mail for other hosts ---
 *
 * A destination is whatever shares connections, limits and back-off: the domain, or what the operator's route says.
 * Its name is what the ledger keeps with each recipient:
 *   "example.net"    the MX hosts of the domain (or the route of exactly that name)
 *   ".sub.example"   the fixed host of that route
 *   "*"              the smarthost
 *   "=host:port"     rerouted there by the operator, address literals in brackets */

enum {
	QUEUE_DESTINATION_SIZE = 320,
	QUEUE_JOB_MAX = 64,             /* recipients of one job */
	QUEUE_JOB_BYTES_MAX = 20 << 10, /* of their texts: a job fits one message between processes */
	QUEUE_HOPS_MAX = 4,             /* hosts that one answer tells of */
	QUEUE_STS_MAX = 28 << 10,       /* a policy as tls_sts_write_policy makes it */
};

struct queue_destination {
	char name[QUEUE_DESTINATION_SIZE];
	bool sts; /* found by MX: an MTA-STS policy of the domain of that name counts */
};

struct queue_job_rcpt {
	struct str address; /* for RCPT */
	unsigned notify;    /* of enum envelope_notify; 0: not given */
	struct str orcpt;   /* "type;address", or "" */
};

/* Recipients of one message for one destination. Texts and fd are valid during the call. */
struct queue_job {
	struct id qid;
	struct str sid; /* of the session that brought it, for the log */
	struct str destination;
	struct str sender;
	unsigned flags; /* enum envelope_flag */
	enum envelope_ret ret;
	struct str envid;
	const struct queue_job_rcpt *rcpts;
	size_t n;
	struct str sts; /* the policy in force, as text, or "" */
	unsigned handshakes_failed; /* in a row, with this destination */
	int fd;         /* message file */
};

/* A host that was tried: what the log, `queue show' and `tls show' tell. Texts: one line, no control bytes. */
struct queue_hop {
	struct str host; /* name, or the address alone; "" when it did not come so far (DNS) */
	struct str ip;   /* with its port: "192.0.2.1:25", "[2001:db8::1]:25"; "" when none was reached */
	enum tls_level wanted, got;
	struct str why;  /* why this level, and what became of it, in words */
	enum tlsrpt_policy policy; /* counted for TLS reporting under this */
	bool counted;              /* a session was (not: DNS failed, host refused before TLS, connection reused) */
	enum tlsrpt_result result;
	struct str reason;         /* failure-reason-code, or "" */
	bool handshake_failed; /* STARTTLS was accepted, no TLS came of it */
	bool plain;            /* went without TLS although it was tried or offered: the fallback of `may' */
	uint32_t connect_ms, transfer_ms; /* until ready for MAIL; from there to the last reply */
};

struct queue_relayed_rcpt {
	enum queue_verdict verdict; /* DONE, TEMP, PERM */
	bool dsn_passed;            /* DONE: the next host reports (RFC 3461 5.2.1); else we say "relayed" when asked to */
	unsigned hop;               /* whose words these are; nhops: none's */
	char status[QUEUE_STATUS_SIZE];
	char text[QUEUE_TEXT_SIZE]; /* "250 2.0.0 accepted", "no host of example.net answers: …" */
};

/* Whether the destination is worth asking again at once for other messages. */
enum queue_reach {
	QUEUE_REACHED,   /* a host took MAIL commands: what failed is this mail's own */
	QUEUE_UNREACHED, /* no host did, or DNS gave none: the whole destination rests a while */
	QUEUE_CROWDED,   /* a host took some and then wanted fewer connections (421, 4xx at its greeting) */
};

struct queue_relayed {
	enum queue_reach reach;
	const struct queue_relayed_rcpt *rcpts;
	size_t n; /* as many as the job had */
	const struct queue_hop *hops;
	size_t nhops; /* at most QUEUE_HOPS_MAX, in the order of trying */
};

enum queue_sts_news {
	QUEUE_STS_NONE,   /* the domain has no record */
	QUEUE_STS_SAME,   /* the id is the known one */
	QUEUE_STS_NEW,    /* id and policy; the policy's text was checked */
	QUEUE_STS_FAILED, /* DNS, HTTPS or what came was not right: what is known stays in force (RFC 8461 3.3) */
};

struct queue_sts {
	enum queue_sts_news news;
	struct str id;
	struct str policy;         /* as tls_sts_write_policy makes it */
	struct str words;          /* FAILED: why */
	enum tlsrpt_result result; /* FAILED */
	uint32_t ttl;              /* seconds until asking again makes sense */
};

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
	/* The destination of mail for that domain (A-labels, or an address literal in brackets); quick, from the
	 * configuration in force. */
	void (*destination)(void *ctx, struct str domain, struct queue_destination *out);
	/* Hands the job to a relay process, the same one for the same destination. Answered by queue_answer_relayed or
	 * queue_answer_gone. */
	void (*relay)(void *ctx, const struct queue_job *job, struct queue_ask *ask);
	/* Looks for a domain's MTA-STS policy; known_id "": any is news; refresh: fetched even if the id is the known
	 * one. Answered by queue_answer_sts or queue_answer_gone. */
	void (*sts)(void *ctx, struct str domain, struct str known_id, bool refresh, struct queue_ask *ask);
};

/* The answer to a question of queue_ops; the ask ends with it. What is given is valid during the call. An answer that does not fit the
 * question (another kind, another number) counts as none, with a line in the log. */
void queue_answer(struct queue_ask *ask, const struct queue_answer *answers, size_t n);
void queue_answer_targets(struct queue_ask *ask, const struct envelope_target *targets, size_t n);
void queue_answer_relayed(struct queue_ask *ask, const struct queue_relayed *r);
void queue_answer_sts(struct queue_ask *ask, const struct queue_sts *s);
/* The process that was asked died: nobody knows what it did. Mail is asked again under the same delivery id. */
void queue_answer_gone(struct queue_ask *ask);

/* --- the queue ---------------------------------------------------------------------------------------------------- */

enum {
	QUEUE_INLINE_MAX = 256 << 10, /* message files up to this live in LMDB, larger ones in spool/ */
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
	int64_t retry_first_s; /* mail for other hosts: pause after the first failure, doubled each time */
	int64_t retry_last_s;  /* up to this; also the longest rest of a destination */
	unsigned jobs;         /* handed to relay processes at a time */
	unsigned jobs_per_destination;
};
/* 50 MiB messages, 64 GiB, 256 MiB reserve, 16 GiB map, 2000 and 50 at a time, 4 hours, 5 days,
 * 2 minutes to an hour, 400 jobs, 20 of one destination. */
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
	unsigned delivering; /* retries of local recipients under way */
	unsigned jobs;       /* at relay processes, and questions for policies */
	unsigned destinations; /* elsewhere, with mail */
	unsigned resting;      /* of them: no host was reached */
	uint64_t commits;    /* ledger transactions since start: with messages, the group size */
};
void queue_count(struct queue *q, struct queue_counts *c);

#endif
