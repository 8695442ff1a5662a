/* policy.h - what TLS a delivery demands, from whom it comes, and what is done when it is not to be had.
 *
 * A pure function of what is known about one host of one destination: the operator's rule, what DNS and DNSSEC said,
 * the destination's MTA-STS policy, and what the message itself asks for. In this order (RFC 7672 2, RFC 8461 2):
 *   the operator's rule; DANE; MTA-STS; else `may`.
 * REQUIRETLS only raises the demand; "TLS-Required: No" only takes back what the destination asked for (RFC 8689).
 *
 * Order of questions for a caller: MX; addresses of the host; then, for each name of tls_policy_bases, TLSA; then
 * tls_policy_decide. All names are A-labels without a dot at the end; all views must outlive the decision. */
#ifndef POSTERN_TLS_POLICY_H
#define POSTERN_TLS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include <postern/core/str.h>
#include <postern/tls/dane.h>
#include <postern/tls/sts.h>
#include <postern/tls/tlsrpt.h>

/* Weak to strong; the numbers are stored. */
enum tls_level {
	TLS_LEVEL_NONE,    /* plain text; STARTTLS is not asked for */
	TLS_LEVEL_MAY,     /* TLS when offered, nobody is authenticated */
	TLS_LEVEL_ENCRYPT, /* TLS or no delivery, nobody is authenticated */
	TLS_LEVEL_VERIFY,  /* TLS with a certificate that leads to a known CA and has a right name */
	TLS_LEVEL_DANE,    /* TLS with a certificate that TLSA records vouch for */
	TLS_LEVELS,
};

/* "none", "may", "encrypt", "verify", "dane": as in the configuration and in tls_wanted=, tls_got=. */
const char *tls_level_name(enum tls_level l);
bool tls_level_find(struct str name, enum tls_level *l);

/* How a question to DNS ended, over all aliases on the way. */
enum tls_dns {
	TLS_DNS_UNASKED,
	TLS_DNS_SECURE,   /* records, validated */
	TLS_DNS_INSECURE, /* records, from a zone that is not signed */
	TLS_DNS_NXDOMAIN, /* no such name: proven, or from a zone that is not signed */
	TLS_DNS_NODATA,   /* the same for the type */
	TLS_DNS_BOGUS,    /* validation failed */
	TLS_DNS_FAILED,   /* no answer, SERVFAIL, malformed, too many aliases */
	TLS_DNS_STATES,
};

/* How the host came to be chosen. */
enum tls_hop {
	TLS_HOP_MX,      /* from the MX records of the domain */
	TLS_HOP_DOMAIN,  /* the domain has none and is its own host (RFC 5321 5.1) */
	TLS_HOP_FIXED,   /* the operator named it */
	TLS_HOP_LITERAL, /* an address: no name, no DANE (RFC 7672 2.2) */
};

struct tlsa_answer {
	enum tls_dns status;
	const struct tlsa *records;
	size_t n;
};

/* What the message asks for (RFC 8689). */
enum tls_message { TLS_MESSAGE_PLAIN, TLS_MESSAGE_REQUIRES, TLS_MESSAGE_OPTIONAL };

enum {
	TLS_BASES_MAX = 2,
	TLS_NAMES_MAX = 32, /* reference identifiers; an operator's rule may name this many */
	TLS_WHY_SIZE = 160,
};

struct tls_query {
	/* The operator's rule for the destination. */
	bool has_rule;
	enum tls_level rule;
	const struct str *rule_names; /* for verify: these names instead of the usual; TLS_NAMES_MAX count */
	size_t n_rule_names;

	enum tls_hop hop;
	struct str domain;          /* the next-hop domain */
	struct str domain_expanded; /* where its alias led, when MX was secure; empty: no alias */
	enum tls_dns mx;            /* of the MX question; unasked for FIXED and LITERAL */

	struct str host;            /* as MX, the domain or the operator say it; empty for LITERAL */
	struct str host_expanded;   /* where its alias led; empty: no alias */
	enum tls_dns alias;         /* of the CNAME question for host alone; unasked when it is no alias */
	enum tls_dns address;       /* of the A and AAAA questions, the worse of the two */
	struct tlsa_answer tlsa[TLS_BASES_MAX]; /* for the names of tls_policy_bases, in their order */

	const struct sts_policy *sts; /* in force for the domain (the smarthost, if there is one), or NULL */

	enum tls_message message;
	/* `may` only: after how many failed handshakes with the destination plain text is tried, this attempt
	 * included: 1 at once, 0 never. And how many there were before. */
	unsigned plain_after;
	unsigned handshakes_failed;
};

/* Where a connection can fall short of the demand. */
enum tls_failure {
	TLS_FAILURE_NOT_OFFERED,     /* no STARTTLS in the answer to EHLO, or STARTTLS was refused */
	TLS_FAILURE_HANDSHAKE,       /* STARTTLS was accepted, and no TLS came of it */
	TLS_FAILURE_UNAUTHENTICATED, /* TLS stands, the certificate was not verified */
	TLS_FAILURES,
};

/* And what is done then. */
enum tls_next {
	TLS_NEXT_WAIT,            /* no other host of the destination either: the message stays in the queue */
	TLS_NEXT_HOST,            /* this host not now; another one, or, when there is none, wait */
	TLS_NEXT_UNAUTHENTICATED, /* go on over TLS as it is */
	TLS_NEXT_PLAIN,           /* go on without TLS, on a new connection if this one spoke of TLS */
};

/* What becomes of the certificate in the handshake. */
enum tls_check {
	TLS_CHECK_NOTE, /* verified for the record; the handshake goes on whatever comes of it */
	TLS_CHECK_MUST, /* verified, or the handshake fails */
};

struct tls_decision {
	/* Deliver to this host at all. False: then `next` says what to do instead, and the rest but why and report
	 * is not to be used. */
	bool connect;
	enum tls_next next;

	enum tls_level level;     /* the demand: tls_wanted=; of a host that is not connected to as far as it got */
	enum tls_check check;
	enum tls_next on[TLS_FAILURES];
	char why[TLS_WHY_SIZE];   /* in words, for tls_why= */

	struct str sni;                  /* server name to send; empty: none */
	struct str names[TLS_NAMES_MAX]; /* any of them in the certificate will do; DANE-EE looks at none */
	size_t n_names;
	struct tlsa tlsa[TLSA_RECORDS_MAX]; /* the usable records, for level dane */
	size_t n_tlsa;

	/* The server must offer REQUIRETLS after the handshake, and it goes with MAIL FROM (RFC 8689 4.2.1). When no
	 * host is left, the message does not wait but bounces with 5.7.10, or 5.7.30 if only the offer was missing.
	 * Also set for a host whose name nothing proves; not for one that DNS or MTA-STS keeps away today. */
	bool requiretls;

	/* Under which policy TLS reporting counts this session, and what is wrong before any handshake: counted
	 * instead of the handshake's outcome when it is not TLSRPT_OK. */
	enum tlsrpt_policy policy;
	enum tlsrpt_result report;
};

/* The names at which TLSA records are asked for (with "_<port>._tcp." before them), most wanted first; 0 when none is
 * to be asked: insecure MX or address, a rule that decides alone (RFC 7672 2.2). Needs all of q but tlsa. */
size_t tls_policy_bases(const struct tls_query *q, struct str bases[static TLS_BASES_MAX]);

/* Fills *d; its names and records are views of what q holds. */
void tls_policy_decide(const struct tls_query *q, struct tls_decision *d);

/* "no STARTTLS": what was missing, for words. Static. */
const char *tls_failure_words(enum tls_failure f);

#endif
