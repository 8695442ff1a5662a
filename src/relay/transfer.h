/* transfer.h - a job on its way: recipients of one message for one destination.
 *
 *   transfer.c        its life: copy, route, an open connection or a plan, the answer
 *   transfer_host.c   the hosts of the plan in order: connect, greet, what follows a failure
 *   transfer_mail.c   the message over a link, and what the replies mean for the recipients
 *   transfer_tell.c   hops and words: what the answer says
 *
 * A recipient is open until a server said something that counts for all servers: then the next host is not asked for
 * him. Who is still open when no host is left gets the last word of a server, or what kept us from one. */
#ifndef RELAY_TRANSFER_H
#define RELAY_TRANSFER_H

#include <postern/relay/plan.h>

#include "connect.h"
#include "link.h"

enum transfer_rcpt_state {
	TRANSFER_OPEN,  /* no server said anything */
	TRANSFER_LATER, /* one did, and another may say something else */
	TRANSFER_FINAL,
};

/* What kept us from a host; the gravest is told, and what may pass before what will not. */
enum transfer_gravity {
	TRANSFER_NOTHING,
	TRANSFER_UNREACHABLE, /* connect */
	TRANSFER_FORBIDDEN,   /* policy: not even connected to */
	TRANSFER_TURNED_AWAY, /* banner, EHLO, TLS, login */
};

struct transfer_failure {
	enum transfer_gravity gravity;
	enum queue_verdict verdict;
	char status[QUEUE_STATUS_SIZE];
	char text[QUEUE_TEXT_SIZE];
	unsigned hop;
};

struct transfer {
	LIST_ENTRY(transfer) entry;
	TAILQ_ENTRY(transfer) queued;     /* in relay's starting or waiting */
	struct transfer_queue *queue;     /* which of them, or NULL */
	struct relay *relay;
	const struct conf *conf;     /* referenced */
	struct arena mem;
	void (*done)(void *ctx, const struct queue_relayed *result);
	void *ctx;

	struct queue_job what;       /* texts in mem, a descriptor of our own */
	struct envelope_reader message;
	struct relay_route route;
	enum tls_message class;
	struct str key;

	/* where it is */
	struct relay_planning *planning;
	const struct relay_plan *plan;
	size_t at;                   /* the host under way */
	unsigned greeted, addresses; /* spent of RELAY_SESSIONS_MAX, RELAY_ADDRESSES_MAX */
	struct connect *connect;
	struct link *link;
	bool old;                    /* it was there */
	bool reused;                 /* it or one before was */
	struct str used;             /* its host: not to be asked again */
	bool alone;                  /* there is no other */
	bool plain;                  /* the fallback of `may' */
	bool v4_only;                /* IPv6 led nowhere */
	struct addr peer;            /* of the connection before the fallback */
	bool has_slot;               /* for a connection that is not a link yet */
	struct mono began, sent;

	/* the message under way: of these recipients */
	struct smtp_out_mail mail;
	struct smtp_out_rcpt *sending;
	size_t *which;
	bool answered;               /* a server said something on this link */

	/* the answer */
	struct queue_relayed_rcpt *rcpts;
	uint8_t *states;             /* of enum transfer_rcpt_state */
	struct queue_hop hops[QUEUE_HOPS_MAX];
	size_t nhops;
	struct transfer_failure failure;
	bool own_fault;              /* of this mail, or ours: says nothing of the destination */
	bool reached, crowded;
};

/* --- transfer.c --- */
struct transfer *transfer_new(struct relay *r, const struct queue_job *what,
    void (*done)(void *ctx, const struct queue_relayed *result), void *ctx);
/* Ends it without an answer. */
void transfer_free(struct transfer *t);
void transfer_start(struct transfer *t);
/* A slot may be free. False: it goes on waiting. */
bool transfer_try_again(struct transfer *t);
/* The relay stops: answers now, unless the message is under way. */
void transfer_give_up(struct transfer *t);
/* Answers and frees. */
void transfer_finish(struct transfer *t);
/* The connections that are there do not help. */
void transfer_plan(struct transfer *t);
void transfer_wait(struct transfer *t, struct transfer_queue *queue);
/* Some recipient still needs a server. */
bool transfer_is_open(const struct transfer *t);

/* --- transfer_host.c --- */
/* The next host, or the end. */
void transfer_next(struct transfer *t);
/* The same behind the one under way. */
void transfer_next_host(struct transfer *t);
/* After the end of a session: the same host by its IPv4 addresses, if that may help. False: it goes on elsewhere. */
bool transfer_use_v4(struct transfer *t, const struct smtp_out_end *end);
extern const struct link_ops transfer_greeting_ops;
/* The connection that the job waited for may be made. */
void transfer_connect(struct transfer *t);
void transfer_close(struct transfer *t);

/* --- transfer_mail.c --- */
/* Over the job's link. */
void transfer_send(struct transfer *t);
extern const struct link_ops transfer_mail_ops;

/* --- transfer_tell.c --- */
/* A row for the host that is tried now; d NULL: there is none. */
void transfer_hop_begin(struct transfer *t, struct str host, const struct tls_decision *d);
/* One for a host that is not connected to. */
void transfer_hop_refused(struct transfer *t, const struct relay_host *h);
/* The row under way. */
struct queue_hop *transfer_hop(struct transfer *t);
/* Takes it back. */
void transfer_hop_drop(struct transfer *t);
void transfer_hop_peer(struct transfer *t, const struct addr *peer);
/* Adds to its `why'. */
void transfer_hop_say(struct transfer *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A row for a link that was there. */
void transfer_hop_reused(struct transfer *t);
/* What came of TLS on the job's link; end: how the session ended, or NULL. */
void transfer_hop_tls(struct transfer *t, const struct tls_decision *d, const struct smtp_out_end *end);
/* What kept us from the host under way. */
void transfer_fail(struct transfer *t, enum transfer_gravity gravity, enum queue_verdict verdict, const char *status,
    const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same words for every recipient that is open. */
void transfer_answer_open(struct transfer *t, enum queue_verdict verdict, const char *status, const char *text);
/* What fits, with whole characters. */
void transfer_copy(char out[static QUEUE_TEXT_SIZE], struct str words);
/* A server's words: "550 5.1.1 no such user (in reply to RCPT TO)". */
void transfer_words(char out[static QUEUE_TEXT_SIZE], unsigned code, const char *enhanced, struct str words,
    enum smtp_out_stage stage);

#endif
