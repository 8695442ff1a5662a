/* deliver.h - local delivery: a message file of the queue becomes a file in new/ of one or several users.
 *
 * The order is always: data durable, then the name in new/, then the directory durable, then the answer. Deliveries
 * that arrive while a group is being made durable form the next group. The delivery's id is part of the file name and
 * remembered for 7 days: the same id for the same user is answered "stored" and stores nothing. */
#ifndef POSTERN_STORE_DELIVER_H
#define POSTERN_STORE_DELIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/err.h>
#include <postern/core/io.h>
#include <postern/core/str.h>

struct store;

enum { STORE_TARGETS_MAX = 1000 };

struct store_target {
	struct str user;    /* canonical address */
	struct str mailbox; /* "" is INBOX; one that does not exist means INBOX, too */
	struct str head;    /* Return-Path and Delivered-To lines, with CRLF */
	uint64_t limit;     /* bytes the user may have; 0: not asked (it was decided at RCPT) */
};

/* Bytes [at, at + n) of the descriptor. */
struct store_part {
	uint64_t at;
	uint64_t n;
};

struct store_delivery {
	struct id id;
	int fd;                     /* taken over; only read */
	struct store_part parts[2]; /* the file is: the target's head, then these (prefix, body) */
	const struct store_target *targets; /* each user once */
	size_t ntargets;                    /* 1 to STORE_TARGETS_MAX */
};

enum store_delivered_state {
	STORE_STORED,   /* durable under its name, now or by an earlier delivery of this id */
	STORE_PREPARED, /* durable without a name: publish or drop it */
	STORE_REFUSED,  /* see err: temporary (lock, disk, damaged index) or permanent (over quota) */
};
struct store_outcome {
	enum store_delivered_state state;
	struct err err;
};
/* One outcome for each target, in order; the array lives during the call. */
struct store_delivered {
	void (*fn)(void *ctx, const struct store_outcome *outcomes, size_t n);
	void *ctx;
};

enum store_deliver_mode {
	STORE_DELIVER_WHOLE,   /* publish when every target could be prepared; else as PREPARE */
	STORE_DELIVER_PREPARE, /* others must be prepared elsewhere first */
};
/* done is called once, from the loop. */
void store_deliver(struct store *s, const struct store_delivery *d, enum store_deliver_mode mode, struct store_delivered done);
/* Gives the prepared files of this id their names. One outcome for each target of the delivery (those refused before
 * are refused again); none (n = 0) when the id is not known here any more. */
void store_publish(struct store *s, struct id id, struct store_delivered done);
/* Forgets the prepared files of this id; unknown ids are nothing. */
void store_drop(struct store *s, struct id id);
/* The queue is gone: all that is prepared is dropped. */
void store_drop_all(struct store *s);

#endif
