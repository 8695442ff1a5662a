/* destination.h - a destination in memory: its lanes with mail, jobs under way, window, rest, and what of its record the schedule
 * needs. There is one for each that has mail, jobs, or news not yet written; the rest is in the ledger (record.h). */
#ifndef POSTERN_QUEUE_DESTINATION_H
#define POSTERN_QUEUE_DESTINATION_H

#include "record.h"
#include "state.h"

TAILQ_HEAD(lane_list, lane);

enum { DESTINATION_WINDOW_FIRST = 5 };

struct destination {
	struct heap_node eligible; /* in q->eligible */
	struct heap_node rests;    /* in q->resting */
	TAILQ_ENTRY(destination) news;
	struct queue *q;
	char *name;
	struct lane_list ready; /* lanes whose first place is due, in turn */
	size_t lanes;           /* in memory, ready or not */
	unsigned refs;          /* jobs, and a question for the policy */
	unsigned jobs;          /* at a relay process */
	unsigned window;        /* jobs it may have */
	bool probing;           /* it rested: one job finds out */
	bool asking;            /* for the policy, or writing it: no jobs meanwhile */
	unsigned rests_begun;   /* a job that began before the last one tells nothing new */
	struct wall rest_until;
	uint32_t unreached; /* in a row */
	uint32_t gone;      /* answers in a row that did not come, the relay process having ended */
	uint32_t handshakes_failed;
	struct wall sts_check, sts_refresh, sts_until; /* 0: no policy is known */
	char sts_id[STS_ID_MAX + 1];
	struct record *record; /* while it has news */
	bool dirty;            /* with news that are not on their way to the ledger */
	unsigned writing;      /* news on their way */
};

struct destination *destination_find(struct queue *q, struct str name);
/* Makes it when it is not there, from its record. */
struct destination *destination_get(struct queue *q, struct str name);
/* After anything that lets it go: frees it when nothing holds it any more, else puts it where it belongs in the schedule. */
void destination_arrange(struct destination *d);
void destination_free_all(struct queue *q);

/* What the end of a job tells of it: its hosts, and whether one was reached. temporary: a
 * failure that may pass, or NULL. */
void destination_learn(struct destination *d, const struct queue_relayed *r, const struct queue_answer *temporary,
    unsigned rests_begun);
void destination_gone(struct destination *d, unsigned rests_begun);
/* Ends its rest; its next job probes nothing. */
void destination_wake(struct destination *d);

/* Its record, to be changed now; it is written soon. */
struct record *destination_news(struct destination *d);
/* Reads the record of a destination, the news included. False when nothing is known. */
bool destination_record(struct queue *q, struct str name, struct record *out);
/* news.c: starts the timer; writes all news; writes a policy of d, which has no new jobs until it is written. */
void news_soon(struct queue *q);
void news_write(struct queue *q);
void news_write_sts(struct destination *d, const struct record_sts *sts);

/* Takes the times of a policy that is known. */
void destination_know_sts(struct destination *d, const struct record_sts *sts);

#endif
