/* plan.h - where a job may go: the hosts of a destination in the order of trying, each with its addresses and the TLS
 * that is demanded of it. DNS is asked through relay_ops.lookup; nothing connects here.
 *
 * MX order with random ties; null MX; no MX: the domain is its own host; our own name or address among the MX hosts
 * removes it and everything no better (RFC 5321 5.1); aliases; private, loopback, link-local, multicast and our own
 * addresses are refused unless the route allows; at most RELAY_ADDRESSES_MAX addresses over all hosts. The address that
 * was checked is the address that is connected to.
 *
 * What DNS does not answer, or what is bogus, is never taken for a denial: that host, or the mail, waits. */
#ifndef POSTERN_RELAY_PLAN_H
#define POSTERN_RELAY_PLAN_H

#include <postern/net/addr.h>
#include <postern/relay/relay.h>
#include <postern/relay/route.h>

enum {
	RELAY_HOSTS_MAX = 20,    /* MX hosts that are looked at, the best ones */
	RELAY_PLAN_MS = 60000,   /* a planning; what DNS has not said by then counts as failed */
};

struct relay_host {
	struct str name;       /* as MX, domain or operator say it; "" for an address, and when MX is unknown */
	struct addr addrs[RELAY_ADDRESSES_MAX]; /* with port; IPv6 and IPv4 in turn, IPv6 first (RFC 8305 4) */
	unsigned naddrs;       /* 0 unless decision.connect */
	struct tls_decision decision; /* connect false: not to be connected to, words tells why */
	const char *words;     /* why not; "" */
	uint32_t ttl;          /* seconds that everything known of this host holds */
};

struct relay_plan {
	/* QUEUE_DONE: at least one host is to be connected to. Else this is the answer for every recipient. */
	enum queue_verdict verdict;
	char status[QUEUE_STATUS_SIZE]; /* 5.1.2 no such domain, 5.1.10 null MX, 5.4.6 loop, 4.4.3 DNS, 5.7.10 … */
	char text[QUEUE_TEXT_SIZE];
	/* In the order of trying. Those that are not to be connected to are here for the log and for TLS reporting
	 * (decision.policy and report: bogus TLSA, host not in the MTA-STS policy); when the MX records are bogus or
	 * cannot be had there is one of them, without a name. */
	const struct relay_host *hosts;
	unsigned nhosts;
};

struct relay_plan_query {
	const struct conf *conf;       /* hostname, listen, relay.*; lives until the answer */
	struct relay_route route;      /* copied, texts too, but for login */
	struct str sts;                /* policy text, or "" */
	enum tls_message message;      /* RFC 8689 */
	unsigned handshakes_failed;
	int64_t within_ms;             /* 0: RELAY_PLAN_MS */
};

struct relay_planning;
/* Asks; done is called once, never from inside; the plan is valid until relay_plan_free, which done may call, and which
 * also ends a planning under way (done is not called then). */
struct relay_planning *relay_plan_ask(const struct relay_ops *ops, void *ops_ctx, struct loop *loop,
    const struct relay_plan_query *q, void (*done)(void *ctx, const struct relay_plan *p), void *ctx);
void relay_plan_free(struct relay_planning *p);

/* How an answer of DNS ended, in the words of the TLS policy. */
enum tls_dns relay_plan_status(const struct dns_answer *a);

/* Whether mail may be sent to an address at all: not unspecified, loopback, private (RFC 1918, RFC 4193), shared (RFC
 * 6598), link-local, multicast, broadcast, or one of those inside IPv6 (mapped, NAT64). *why: static words. */
bool relay_address_ok(const struct addr *a, const char **why);

#endif
