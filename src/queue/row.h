/* row.h - what the ledger keeps of a message and of each recipient whose mail is owed, and its bytes. */
#ifndef POSTERN_QUEUE_ROW_H
#define POSTERN_QUEUE_ROW_H

#include <postern/core/arena.h>
#include <postern/queue/admin.h>

enum {
	ROW_MESSAGE_VERSION = 1,
	ROW_RECIPIENT_VERSION = 2, /* 1 knew nothing of other hosts; it is still read */
	ROW_MESSAGE_MAX = 2048,
	ROW_RECIPIENT_MAX = 4096,
	ROW_HOST_MAX = 255,
	ROW_IP_MAX = 64,
};

enum row_origin {
	ROW_MAIL,   /* submitted */
	ROW_REPORT, /* a bounce of ours: if it fails, the postmaster hears of it */
	ROW_DOUBLE, /* that: if it fails, too, it ends */
};

struct row_message {
	enum row_origin origin;
	bool in_file;          /* content in spool/<qid>, else in the ledger */
	uint64_t file_size;    /* of the message file */
	uint64_t message_size; /* prefix and body */
	struct wall received;
	unsigned flags; /* enum envelope_flag */
	enum envelope_ret ret;
	uint32_t next_number; /* the next recipient's */
	struct str sid, client, helo, login, sender, envid;
};

enum row_kind {
	ROW_RESOLVE = 1, /* target is an address that auth has yet to resolve */
	ROW_LOCAL,       /* target is a user */
	ROW_REMOTE,      /* target is an address on another host */
};

struct row_recipient {
	enum row_kind kind;
	enum queue_state state;
	bool warned;         /* a delay report was made */
	unsigned notify;     /* enum envelope_notify */
	uint32_t attempts;
	struct wall next_try; /* WAITING: 0 is never by itself; FAILED: of the bounce */
	struct wall last_try;
	struct id delivery;
	struct str address, orcpt; /* as given */
	struct str target, detail;
	struct str status, reason;
	/* REMOTE */
	struct str destination; /* "" in a row of version 1, until it is sorted anew */
	uint64_t source;        /* whose turn it takes among those who send there: row_source */
	struct wall deadline;   /* WAITING: when its sender is told of the delay, or it is given up */
	struct queue_last_host last;
};

void row_write_message(struct buf *out, const struct row_message *m);
void row_write_recipient(struct buf *out, const struct row_recipient *r);
/* False when the bytes are no such row; texts point into bytes. */
bool row_parse_message(struct str bytes, struct row_message *m);
bool row_parse_recipient(struct str bytes, struct row_recipient *r);

/* Copies the texts of m, which point into a ledger's page, into the arena. */
void row_keep_message(struct arena *a, struct row_message *m);

/* When the schedule has to look at it; 0: never. What waits for another host is tried when its lane says so: here it has
 * its deadline. */
static inline int64_t
row_due(const struct row_recipient *r)
{
	if (r->state == QUEUE_HELD)
		return 0;
	return r->kind == ROW_REMOTE && r->state == QUEUE_WAITING ? r->deadline.us : r->next_try.us;
}

/* Whether it stands in the lane of its destination and source. */
static inline bool
row_in_lane(const struct row_recipient *r)
{
	return r->kind == ROW_REMOTE && r->state == QUEUE_WAITING && r->destination.n > 0 && r->next_try.us != 0;
}

/* Sent to one host by the operator, whatever the routes say. */
static inline bool
row_is_rerouted(const struct row_recipient *r)
{
	return str_starts(r->destination, STR("="));
}

/* Those who send to one destination take turns: a login, else the domain of the sender, else our own bounces. */
uint64_t row_source(const struct row_message *m);

/* Whether the sender wants to hear of it (RFC 3461 4.1; without NOTIFY: FAILURE and DELAY). */
static inline bool
row_wants(unsigned notify, enum envelope_notify what)
{
	const unsigned usual = ENVELOPE_NOTIFY_FAILURE | ENVELOPE_NOTIFY_DELAY;

	return ((notify != 0 ? notify : usual) & (unsigned)what) != 0;
}

#endif
