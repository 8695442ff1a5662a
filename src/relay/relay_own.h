/* relay_own.h - what the files of the relay share: relay.c (the face), transfer*.c, link*.c, connect.c, idle.c. */
#ifndef RELAY_OWN_H
#define RELAY_OWN_H

#include <sys/queue.h>

#include <postern/core/buf.h>
#include <postern/core/map.h>
#include <postern/relay/relay.h>

struct transfer;
struct link;

LIST_HEAD(transfer_list, transfer);
TAILQ_HEAD(transfer_queue, transfer);
LIST_HEAD(link_list, link);
TAILQ_HEAD(link_queue, link);

struct relay {
	struct loop *loop;
	const struct conf *conf; /* the snapshot of new jobs; referenced */
	struct tls_client *tls;
	const struct relay_ops *ops;
	void *ctx;

	struct transfer_list jobs;      /* all that are under way */
	struct transfer_queue starting; /* of them: taken, not begun */
	struct transfer_queue waiting;  /* of them: no connection may be opened now */
	struct link_list links;    /* all that are open */
	struct map idle;           /* by key: a struct link_queue of those that wait for mail */
	struct link_queue resting; /* the same, longest rest first */
	unsigned nslots;           /* connections that are open or being opened */

	struct loop_timer turn; /* does what must not be done inside a call */
	struct buf piece;       /* of a message, on its way from file to session */
	struct relay_counts counts;

	bool draining;
	void (*idle_fn)(void *ctx); /* relay_drain's; NULL once called */
	void *idle_ctx;
};

/* --- relay.c --- */
/* A connection may be opened; given back by relay_slot_free. False: the job waits in r->waiting. */
bool relay_slot_take(struct relay *r);
void relay_slot_free(struct relay *r);
/* Looks after jobs that start or wait, soon. */
void relay_turn_soon(struct relay *r);

#endif
