/* planning.h - a planning under way: its stages and what they leave for each other. Private to plan*.c.
 *
 *   plan.c       the planning itself: questions under way, deadline, end
 *   plan_mx.c    the first stage: which hosts
 *   plan_host.c  the second: their addresses, and which of them are ourselves
 *   plan_tls.c   the third: TLSA, and what is demanded of each
 *   plan_end.c   which addresses are taken, and the words when there are none */
#ifndef POSTERN_RELAY_PLANNING_H
#define POSTERN_RELAY_PLANNING_H

#include <postern/core/arena.h>
#include <postern/relay/plan.h>

enum {
	PLAN_OF_FAMILY_MAX = 2 * RELAY_ADDRESSES_MAX, /* addresses of one family kept of a host */
};

enum plan_family { PLAN_V6, PLAN_V4, PLAN_FAMILIES };

/* What one question for addresses brought. */
struct plan_found {
	struct plan_host *host; /* that it is about */
	enum tls_dns status;
	struct str canonical; /* empty: no alias */
	bool alias_secure; /* the first alias is proved */
	struct addr addrs[PLAN_OF_FAMILY_MAX]; /* with port, in random order; only those that mail may be sent to */
	unsigned naddrs;
};

struct plan_host {
	struct str name;
	uint16_t preference;
	struct plan_found found[PLAN_FAMILIES];
	const char *refused; /* words about the last address that mail is not sent to; NULL: none */
	struct str dns_words; /* of the resolver about the last question that failed */
	const char *words; /* why it is out; NULL: it is not */
	uint32_t ttl;
	bool own; /* it is ourselves */
	struct tls_query query;
	struct tls_decision decision;
};

struct plan_question;

struct relay_planning {
	const struct relay_ops *ops;
	void *ops_ctx;
	const struct conf *conf;
	struct relay_route route; /* texts are ours */
	const struct sts_policy *sts; /* NULL: none in force */
	enum tls_message message;
	unsigned handshakes_failed;
	int64_t within_ms;
	void (*done)(void *ctx, const struct relay_plan *p);
	void *ctx;

	struct arena arena;
	struct loop_timer timer; /* first: start; then: the deadline */
	bool started, late;
	struct plan_question *open; /* under way */
	void (*next)(struct relay_planning *p); /* once nothing is under way */

	enum tls_hop hop;
	enum tls_dns mx;
	struct str domain_expanded; /* where a proved alias of the domain led */
	uint32_t ttl; /* of the MX answer */
	struct plan_host hosts[RELAY_HOSTS_MAX];
	unsigned nhosts;
	struct relay_plan plan;
};

/* --- plan.c --- */

/* Asks; on is called later, or at once when the planning is late: then the answer is FAILED. */
void plan_ask(struct relay_planning *p, enum dns_type type, struct str name,
    void (*on)(struct relay_planning *p, void *about, const struct dns_answer *a), void *about);
/* Calls next when all that is under way has been answered; at once when nothing is. */
void plan_then(struct relay_planning *p, void (*next)(struct relay_planning *p));
/* Ends the planning without a host: what the destination as a whole is answered. The words are formatted. */
void plan_refuse(struct relay_planning *p, enum queue_verdict verdict, const char *status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The formatted words, without control bytes; they last as long as the planning. */
const char *plan_words(struct relay_planning *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What every answer about a host says: for how long it holds, and why it is none. */
void plan_note(struct relay_planning *p, struct plan_host *h, const struct dns_answer *a);
/* Tells the caller; the planning may be freed when it returns. */
void plan_end(struct relay_planning *p);

/* 0 to n - 1. */
unsigned plan_random(unsigned n);

/* --- the stages --- */

void plan_start(struct relay_planning *p); /* plan_mx.c */
void plan_addresses(struct relay_planning *p); /* plan_host.c */
void plan_demands(struct relay_planning *p); /* plan_tls.c */
void plan_finish(struct relay_planning *p); /* plan_end.c */

/* plan_host.c: takes an address as if an answer had brought it. */
void plan_take_address(struct relay_planning *p, struct plan_found *f, const struct addr *a);
/* plan_host.c: refuses: the best host is this server. */
void plan_loop(struct relay_planning *p, struct str host);
/* plan_tls.c: all that the policy wants to know but TLSA, and its decision. */
void plan_prepare(const struct relay_planning *p, struct plan_host *h);
void plan_decide(const struct relay_planning *p, struct plan_host *h);

static inline bool
plan_has_address(const struct plan_host *h)
{
	return h->found[PLAN_V6].naddrs + h->found[PLAN_V4].naddrs > 0;
}

#endif
