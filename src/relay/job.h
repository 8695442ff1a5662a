/* job.h - a job on its way: recipients of one message for one destination.
 *
 *   job.c        its life: copy, route, an open connection or a plan, the answer
 *   job_host.c   the hosts of the plan in order: connect, greet, what follows a failure
 *   job_mail.c   the message over a link, and what the replies mean for the recipients
 *   job_tell.c   hops and words: what the answer says
 *
 * A recipient is open until a server said something that counts for all servers: then the next host is not asked for
 * him. Who is still open when no host is left gets the last word of a server, or what kept us from one. */
#ifndef RELAY_JOB_H
#define RELAY_JOB_H

#include <postern/relay/plan.h>

#include "connect.h"
#include "link.h"

enum job_rcpt_state {
	JOB_OPEN,  /* no server said anything */
	JOB_LATER, /* one did, and another may say something else */
	JOB_FINAL,
};

/* What kept us from a host; the gravest is told, and what may pass before what will not. */
enum job_gravity {
	JOB_NOTHING,
	JOB_UNREACHABLE, /* connect */
	JOB_FORBIDDEN,   /* policy: not even connected to */
	JOB_TURNED_AWAY, /* banner, EHLO, TLS, login */
};

struct job_failure {
	enum job_gravity gravity;
	enum queue_verdict verdict;
	char status[QUEUE_STATUS_SIZE];
	char text[QUEUE_TEXT_SIZE];
	unsigned hop;
};

struct job {
	LIST_ENTRY(job) entry;
	TAILQ_ENTRY(job) queued;     /* in relay's starting or waiting */
	struct job_queue *queue;     /* which of them, or NULL */
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
	uint8_t *states;             /* of enum job_rcpt_state */
	struct queue_hop hops[QUEUE_HOPS_MAX];
	size_t nhops;
	struct job_failure failure;
	bool own_fault;              /* of this mail, or ours: says nothing of the destination */
	bool reached, crowded;
};

/* --- job.c --- */
struct job *job_new(struct relay *r, const struct queue_job *what,
    void (*done)(void *ctx, const struct queue_relayed *result), void *ctx);
/* Ends it without an answer. */
void job_free(struct job *j);
void job_start(struct job *j);
/* A slot may be free. False: it goes on waiting. */
bool job_try_again(struct job *j);
/* The relay stops: answers now, unless the message is under way. */
void job_give_up(struct job *j);
/* Answers and frees. */
void job_finish(struct job *j);
/* The connections that are there do not help. */
void job_plan(struct job *j);
void job_wait(struct job *j, struct job_queue *queue);
/* Some recipient still needs a server. */
bool job_is_open(const struct job *j);

/* --- job_host.c --- */
/* The next host, or the end. */
void job_next(struct job *j);
/* The same behind the one under way. */
void job_next_host(struct job *j);
extern const struct link_ops job_greeting_ops;
/* The connection that the job waited for may be made. */
void job_connect(struct job *j);
void job_close(struct job *j);

/* --- job_mail.c --- */
/* Over the job's link. */
void job_send(struct job *j);
extern const struct link_ops job_mail_ops;

/* --- job_tell.c --- */
/* A row for the host that is tried now; d NULL: there is none. */
void job_hop_begin(struct job *j, struct str host, const struct tls_decision *d);
/* One for a host that is not connected to. */
void job_hop_refused(struct job *j, const struct relay_host *h);
/* The row under way. */
struct queue_hop *job_hop(struct job *j);
/* Takes it back. */
void job_hop_drop(struct job *j);
void job_hop_peer(struct job *j, const struct addr *peer);
/* Adds to its `why'. */
void job_hop_say(struct job *j, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A row for a link that was there. */
void job_hop_reused(struct job *j);
/* What came of TLS on the job's link; end: how the session ended, or NULL. */
void job_hop_tls(struct job *j, const struct tls_decision *d, const struct smtp_out_end *end);
/* What kept us from the host under way. */
void job_fail(struct job *j, enum job_gravity gravity, enum queue_verdict verdict, const char *status,
    const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same words for every recipient that is open. */
void job_answer_open(struct job *j, enum queue_verdict verdict, const char *status, const char *text);
/* A server's words: "550 5.1.1 no such user (in reply to RCPT TO)". */
void job_words(char out[static QUEUE_TEXT_SIZE], unsigned code, const char *enhanced, struct str words,
    enum smtp_out_stage stage);

#endif
