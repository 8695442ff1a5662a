/* check_text.h - policies that stand in TXT records, judged by their words: SPF (RFC 7208), DMARC (RFC 9989), TLS reporting
 * (RFC 8460). Pure. */
#ifndef POSTERN_CLI_CHECK_TEXT_H
#define POSTERN_CLI_CHECK_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <postern/core/str.h>
#include <postern/net/addr.h>

/* How many of the texts are records of a version ("v=spf1"), which ends with the text, a blank or, if semicolon, ";".
 * The first of them in *record. */
size_t check_text_choose(const struct str *texts, size_t n, struct str version, bool semicolon, struct str *record);

/* --- SPF --- */

struct spf_place {
	struct str domain; /* whose record it is */
	struct str host; /* our server */
	bool is_mx; /* the host is among the domain's MX */
	const struct addr *addrs; /* of the host, as DNS has them */
	size_t naddrs;
};

enum spf_all { SPF_NOTHING, SPF_FAIL, SPF_SOFTFAIL, SPF_NEUTRAL, SPF_PASS };

struct spf_verdict {
	const char *broken; /* what makes it a permanent error (RFC 7208 4.6, 4.6.4); NULL */
	bool allows; /* every address of the host is allowed by the record itself */
	bool elsewhere; /* include, redirect, exists: other records have a say */
	enum spf_all all; /* what becomes of the rest of the world */
};

void check_spf(struct str record, const struct spf_place *place, struct spf_verdict *v);

/* --- DMARC --- */

enum dmarc_policy { DMARC_MISSING, DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT, DMARC_UNKNOWN };

struct dmarc_verdict {
	enum dmarc_policy p, sp, np; /* MISSING: no such tag */
	bool testing; /* t=y */
	bool rua; /* there is an address for reports */
	bool psd_y, psd_n;
	bool obsolete; /* pct, rf, ri: RFC 9989 knows them no more */
};

/* record begins with v=DMARC1. Unknown tags are passed over (RFC 9989 4.7). */
void check_dmarc(struct str record, struct dmarc_verdict *v);
/* "quarantine"; "" for MISSING. Static. */
const char *dmarc_policy_name(enum dmarc_policy p);
/* The next name of the tree walk (RFC 9989 4.10) above a domain: one label less, at most seven at the first step. first:
 * domain is where the walk begins. Empty at the end. */
struct str dmarc_parent(struct str domain, bool first);

/* --- TLS reporting --- */

/* RFC 8460 3: a version, and an address by mailto or https. NULL when it is right, else what is wrong. */
const char *check_tlsrpt(struct str record);

#endif
