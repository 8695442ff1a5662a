/* plan.h - where a job may go: the hosts of a destination in the order of trying, each with its addresses and the TLS
 * that is demanded of it. DNS is asked through relay_ops.lookup; nothing connects here.
 *
 * MX order with random ties; null MX; no MX: the domain is its own host; our own name or address among the MX hosts
 * removes it and everything no better (RFC 5321 5.1); aliases; private, loopback, link-local, multicast and our own
 * addresses are refused unless the route allows; at most RELAY_ADDRESSES_MAX addresses over all hosts. The address that
 * was checked is the address that is connected to. */
#ifndef POSTERN_RELAY_PLAN_H
#define POSTERN_RELAY_PLAN_H

#include <postern/net/addr.h>
#include <postern/relay/relay.h>
#include <postern/relay/route.h>

struct relay_host {
	struct str name;       /* as MX, domain or operator say it; "" for an address */
	struct addr addrs[RELAY_ADDRESSES_MAX]; /* with port; IPv6 and IPv4 in turn, IPv6 first (RFC 8305 4) */
	unsigned naddrs;       /* 0: not to be connected to; words tells why */
	struct tls_decision decision; /* decision.connect false: not to be connected to */
	const char *words;     /* why not; "" */
	uint32_t ttl;          /* seconds that everything known of this host holds */
};

struct relay_plan {
	/* The destination as a whole has no host to try: then hosts is empty and this is the answer for every
	 * recipient. QUEUE_DONE: there are hosts. */
	enum queue_verdict verdict;
	char status[QUEUE_STATUS_SIZE]; /* 5.1.2 no such domain, 5.1.10 null MX, 5.4.6 loop, 4.4.3 DNS, 5.7.10 … */
	char text[QUEUE_TEXT_SIZE];
	/* what TLS reporting counts although no host was reached (bogus TLSA, host not in the MTA-STS policy) */
	struct relay_host *hosts;
	unsigned nhosts;
};

struct relay_plan_query {
	const struct conf *conf;       /* hostname, relay.*; lives until the answer */
	struct relay_route route;
	struct str sts;                /* policy text, or "" */
	enum tls_message message;      /* RFC 8689 */
	unsigned handshakes_failed;
};

struct relay_planning;
/* Asks; done is called once, never from inside; the plan is valid until relay_plan_free, which also ends a planning that is
 * not done (done is not called then). Texts of the query are copied. */
struct relay_planning *relay_plan_ask(const struct relay_ops *ops, void *ops_ctx, struct loop *loop,
    const struct relay_plan_query *q, void (*done)(void *ctx, const struct relay_plan *p), void *ctx);
void relay_plan_free(struct relay_planning *p);

/* Whether mail may be sent to an address at all: not unspecified, loopback, private (RFC 1918, RFC 4193), shared (RFC
 * 6598), link-local, multicast, broadcast, or one of those inside IPv6 (mapped, NAT64). *why: static words. */
bool relay_address_ok(const struct addr *a, const char **why);

#endif
