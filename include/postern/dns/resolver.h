/* resolver.h - a validating resolver in this process: libunbound on our event loop.
 *
 * Recursion from the root with QNAME minimisation, or forwarding; every answer is validated from the trust anchor,
 * which is kept up to date as RFC 5011 asks. Files are read when it opens and the anchor is written while it runs:
 * only the dns role, alone in its root, opens one. Everybody else asks that role (LOOKUP). */
#ifndef POSTERN_DNS_RESOLVER_H
#define POSTERN_DNS_RESOLVER_H

#include <postern/conf/conf.h>
#include <postern/core/err.h>
#include <postern/core/loop.h>
#include <postern/dns/answer.h>

enum {
	DNS_FLYING_MAX = 256, /* questions under way at once */
	DNS_WAITING_MAX = 4096, /* questions that wait for one of these; more are answered FAILED */
	DNS_ASK_MS = 30000, /* from asking until FAILED, waiting included */
	DNS_CACHE_MEBIBYTES = 16, /* all caches together, when full */
	DNS_FORWARDERS_MAX = 16,
};

struct dns_options {
	const char *anchor; /* file with the trust anchor; NULL: nothing is validated, no answer is secure */
	bool anchor_kept; /* RFC 5011: the file and its directory are written; false: it is only read */
	const char *root_hints; /* file with servers of a private root; NULL: the internet's */
	const char *const *forward; /* resolvers to ask instead, "192.0.2.53@53"; NULL at the end; NULL: recursion */
	int64_t ask_ms; /* 0: DNS_ASK_MS */
	unsigned flying; /* 0: DNS_FLYING_MAX */
};

struct dns;
struct dns_ask;

/* A resolver of the configuration as dns_options.forward has it; memory of the arena. */
const char *dns_forwarder(const struct conf_addr *at, struct arena *a);

/* NULL with the reason in e: a file that cannot be read or makes no sense. The options are not kept. */
struct dns *dns_open(struct loop *l, const struct dns_options *o, struct err *e);
/* Open questions are answered FAILED at once. Not from inside an answer. */
void dns_close(struct dns *d);

/* Asks; on is called exactly once, from the loop, never from inside; the answer is valid in it only. A name that is not
 * dns_name_valid() is answered FAILED. */
struct dns_ask *dns_ask(
    struct dns *d, enum dns_type type, struct str name, void (*on)(void *ctx, const struct dns_answer *a), void *ctx);
/* The answer will not be wanted: on is never called. NULL is allowed. */
void dns_cancel(struct dns_ask *q);

struct dns_counts {
	uint64_t asked;
	uint64_t by_status[DNS_STATUSES];
	unsigned flying;
	unsigned waiting;
};
void dns_count(const struct dns *d, struct dns_counts *out);

#endif
