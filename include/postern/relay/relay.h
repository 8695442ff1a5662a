/* relay.h - mail to other hosts: takes jobs of the queue (queue/queue.h), finds the hosts, connects as the TLS policy
 * demands, delivers, and says what came of it. Nothing is kept but open connections: what is to be remembered of a
 * destination travels in the job and in its answer.
 *
 *   job → route (route.h) → plan (plan.h): hosts, addresses, demands → a connection that is there, or a new one → result
 *
 * A connection serves one destination under one policy, one message at a time. Everything runs in the loop's thread. */
#ifndef POSTERN_RELAY_RELAY_H
#define POSTERN_RELAY_RELAY_H

#include <postern/conf/conf.h>
#include <postern/core/loop.h>
#include <postern/dns/answer.h>
#include <postern/net/addr.h>
#include <postern/queue/queue.h>
#include <postern/tls/client.h>

enum {
	RELAY_ADDRESSES_MAX = 5, /* that one try of a job goes to (attacks.md H04's limit) */
	RELAY_SESSIONS_MAX = 2,  /* greeted by so many hosts a job waits for the next try */
	RELAY_IDLE_MS = 3000,    /* how long a connection waits for the next message */
	RELAY_REUSE_MS = 300000, /* how long a connection takes new messages: policy and DNS may have changed */
	RELAY_REUSE_MIN_MS = 30000, /* the same where DNS answers hold no longer than a moment */
	RELAY_STAGGER_MS = 250,  /* between addresses of one host (RFC 8305 5) */
};

/* What the relay asks of others. */
struct relay_ops {
	/* on is called once, never from inside; the answer is valid in it only. Returned: for cancel, never NULL. */
	void *(*lookup)(void *ctx, enum dns_type type, struct str name, void (*on)(void *arg, const struct dns_answer *a),
	    void *arg);
	void (*cancel)(void *ctx, void *asked);
	/* Whether an address is one of this machine's, whatever interface it is on; NULL: nobody can tell. Together with
	 * listen.smtp this is how mail that would come back to us is known (RFC 5321 5.1). */
	bool (*is_local)(void *ctx, const struct addr *a);
	/* The password of a route, "" when there is none; valid during the call. */
	struct str (*password)(void *ctx, const struct conf_route *route);
};

struct relay;

/* conf is referenced; tls, ops and ctx outlive the relay. */
struct relay *relay_new(struct loop *loop, const struct conf *conf, struct tls_client *tls, const struct relay_ops *ops,
    void *ctx);
/* A new snapshot: jobs under way keep theirs, connections under the old one take no new messages. */
void relay_configure(struct relay *r, const struct conf *conf);
/* Ends everything at once; jobs under way are not answered. */
void relay_free(struct relay *r);

/* Takes a job; its texts are copied, its descriptor duplicated. done is called exactly once, never from inside; the
 * result is valid in it only. */
void relay_send(struct relay *r, const struct queue_job *job, void (*done)(void *ctx, const struct queue_relayed *result),
    void *ctx);
/* Takes no new job (they are answered TEMP), ends idle connections; idle is called once when nothing is under way. */
void relay_drain(struct relay *r, void (*idle)(void *ctx), void *ctx);

/* Whoever sent the jobs is gone and sends them again: what no server has whole is not given to any. Every job ends here
 * and now; its answer is given, and means nothing. */
void relay_abandon(struct relay *r);

struct relay_counts {
	unsigned jobs;        /* under way */
	unsigned connections; /* open, idle ones too */
	unsigned idle;
	uint64_t connected;   /* since start */
	uint64_t reused;      /* messages over a connection that was there */
	uint64_t messages;    /* jobs since start */
};
void relay_count(const struct relay *r, struct relay_counts *c);

#endif
