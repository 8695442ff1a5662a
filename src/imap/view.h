/* view.h - what a session has told its client: sequence numbers and the UIDs behind them (RFC 9051 2.3.1).
 *
 * Kept as runs of consecutive UIDs, 8 bytes each, so that a mailbox of a million messages without gaps needs one run.
 * Sequence numbers are 1-based; 0 means "none". Sets of sequence numbers are uidsets, too: both are sorted ranges. */
#ifndef IMAP_VIEW_H
#define IMAP_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/store/uidset.h>

#include "seqset.h"

struct view_run {
	uint32_t uid; /* of the first message of the run */
	uint32_t seq; /* its sequence number; the run ends before the next run's */
};

struct view {
	struct view_run *run;
	size_t n;
	size_t cap;
	uint32_t count; /* messages */
};

void view_fini(struct view *v);
/* Adds messages lo..hi, above every UID in the view. */
void view_append(struct view *v, uint32_t lo, uint32_t hi);
/* UID of a sequence number, 0 when there is no such message. */
uint32_t view_uid(const struct view *v, uint32_t seq);
/* Sequence number of a UID, 0 when it is not in the view. */
uint32_t view_seq(const struct view *v, uint32_t uid);
/* Sequence number of the first message with this UID or a higher one; count + 1 when there is none. */
uint32_t view_seq_from(const struct view *v, uint32_t uid);
/* How many messages from this one on have consecutive UIDs; 0 when there is no such message. */
uint32_t view_run_left(const struct view *v, uint32_t seq);
uint32_t view_last_uid(const struct view *v);
/* The UID from which on messages can be new; 0 when the last one has the highest UID there is. */
uint32_t view_next_uid(const struct view *v);
/* Removes the UIDs (those not in the view are ignored); gone becomes the sequence numbers they had before the call. */
void view_remove(struct view *v, const struct uidset *uids, struct uidset *gone);
/* Adds the UIDs of sequence numbers that are there. */
void view_uids(const struct view *v, const struct uidset *seqs, struct uidset *uids);
/* Adds the sequence numbers of the UIDs that are in the view. */
void view_seqs(const struct view *v, const struct uidset *uids, struct uidset *seqs);

enum seq_kind {
	SEQ_NUMBERS,
	SEQ_NUMBERS_THERE, /* numbers that do not exist are passed over */
	SEQ_UIDS,
};
/* A parsed set applied to the view: adds the sequence numbers of messages that are there, in time that depends on the
 * length of the set and the number of runs, never on the numbers. saved: the UIDs that "$" stands for. False when a
 * sequence number does not exist (RFC 9051 9, seq-number: BAD). */
bool view_apply(const struct view *v, const struct seq_set *set, enum seq_kind kind, const struct uidset *saved,
	struct uidset *out);

/* The UIDs a set names, whether or not there are such messages; "n:*" has no end, for what was behind the last message
 * and is gone belongs to it. */
void view_named_uids(const struct seq_set *set, const struct uidset *saved, struct uidset *out);

#endif
