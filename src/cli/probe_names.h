/* probe_names.h - what DNS says about the target of a probe: hosts, addresses, TLSA records, the MTA-STS record; asked
 * of a validating resolver in this process. */
#ifndef POSTERN_CLI_PROBE_NAMES_H
#define POSTERN_CLI_PROBE_NAMES_H

#include <postern/conf/conf.h>
#include <postern/dns/resolver.h>
#include <postern/net/addr.h>
#include <postern/tls/policy.h>

enum {
	NAMES_HOSTS_MAX = 4, /* of a domain's MX, the most wanted */
	NAMES_ADDRESSES_MAX = 3, /* of a host; the first that answers is looked at */
	NAMES_MX_MAX = 64,
};

struct probe_target {
	struct str host; /* a name in A-labels, or an address */
	bool is_address;
	struct addr address;
	uint16_t port; /* 0: all that mail has */
};

/* "mail.example.org", "example.org:465", "192.0.2.1:25", "[2001:db8::1]:25", "2001:db8::1"; false: none of these. Memory
 * comes from a. */
bool names_target(struct arena *a, const char *text, struct probe_target *t);

struct names_host {
	char *name; /* "" for an address */
	struct addr addrs[NAMES_ADDRESSES_MAX];
	unsigned naddrs;
	struct tls_query query; /* for the policy: MTA-STS is not in it */
	struct tls_decision decision; /* what DANE demands for the port of mail */
	struct tlsa tlsa[TLS_BASES_MAX][TLSA_RECORDS_MAX];
};

enum names_sts {
	NAMES_STS_UNASKED, /* not a domain with MX records */
	NAMES_STS_NONE, /* no record */
	NAMES_STS_BROKEN, /* a record that makes no sense, or no answer: sts_words */
	NAMES_STS_RECORD,
};

struct names {
	struct loop *loop;
	struct dns *dns;
	struct probe_target target;
	uint16_t tlsa_port;
	struct arena arena;
	unsigned open; /* questions */
	void (*next)(struct names *n); /* when there are none */
	struct loop_timer turn;
	bool by_mx; /* the hosts are the MX hosts of the target */
	bool null_mx; /* RFC 7505 */
	unsigned nmx; /* all of them */
	enum tls_dns mx;
	struct dns_record *mxs;
	struct names_host hosts[NAMES_HOSTS_MAX];
	unsigned nhosts;
	enum names_sts sts;
	const char *sts_id;
	char sts_words[ERR_LOG_MAX];
	char words[ERR_LOG_MAX]; /* why there is no host at all; "" */
	void (*done)(void *ctx);
	void *ctx;
};

/* A resolver for this process: anchor and hints as configured, the anchor only read; ms: for a question. NULL with words
 * in e. */
struct dns *names_resolver(const struct conf *conf, struct loop *l, int64_t ms, struct err *e);

/* Asks; done is called once, never from inside. */
void names_ask(
    struct names *n, struct loop *l, struct dns *dns, const struct probe_target *t, void (*done)(void *ctx), void *ctx);
/* After dns_close, which answers what is open. */
void names_fini(struct names *n);

#endif
