/* sts.h - MTA-STS (RFC 8461): the TXT record and the policy file as values, and which hosts a policy allows.
 *
 * Parsers without I/O: DNS and HTTPS are asked elsewhere. Both follow the grammar to the letter: what does not parse
 * is no policy, and what was known before stays. */
#ifndef POSTERN_TLS_STS_H
#define POSTERN_TLS_STS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/clock.h>
#include <postern/core/err.h>
#include <postern/core/str.h>

enum {
	STS_ID_MAX = 32,
	STS_POLICY_MAX = 64 * 1024,   /* bytes of a policy file (RFC 8461 3.3) */
	STS_MX_MAX = 100,             /* patterns taken from one policy; one with more does not parse */
	STS_AGE_MAX_S = 31557600,     /* max_age (RFC 8461 3.2) */
	STS_REFRESH_S = 24 * 3600,    /* how often a policy is asked for again (RFC 8461 3.3) */
	STS_RETRY_S = 5 * 60,         /* between fetches that fail, at least (RFC 8461 3.3) */
	STS_FETCH_MS = 60 * 1000,
};

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };
/* "none", "testing", "enforce". */
const char *tls_sts_mode_name(enum sts_mode m);

/* A policy file. The patterns point into the bytes that were parsed. */
struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age_s;
	size_t n_mx;
	struct str mx[STS_MX_MAX]; /* "mail.example.com" or "*.example.net" */
};

/* RFC 8461 3.1: one TXT record, its strings already joined. *id points into text. False with words in e. */
bool tls_sts_parse_record(struct str text, struct str *id, struct err *e);
/* All TXT records at _mta-sts of a domain: the one that begins with "v=STSv1;" must be alone and parse. False with
 * words in e: the domain has no new policy (one known before stays in force). */
bool tls_sts_choose_record(const struct str *texts, size_t n, struct str *id, struct err *e);
/* RFC 8461 3.2: the body of the policy file; LF and CRLF both end lines. False with words in e. */
bool tls_sts_parse_policy(struct str body, struct sts_policy *p, struct err *e);
/* The policy as text again, in one form and without what nobody reads: what is kept of it. Parses back to the same. */
void tls_sts_write_policy(const struct sts_policy *p, struct buf *out);
/* Whether Content-Type says text/plain; parameters do not matter (RFC 8461 3.2). */
bool tls_sts_is_text(struct str content_type);

/* RFC 8461 4.1: without regard to case; "*" stands for exactly one label; a dot at the end of host does not count. */
bool tls_sts_match(struct str pattern, struct str host);
bool tls_sts_allows(const struct sts_policy *p, struct str host);

/* Whether a policy fetched (or confirmed) then is in force now; a fetch time in the future counts as now. */
bool tls_sts_in_force(const struct sts_policy *p, struct wall fetched, struct wall now);
/* When to ask for the policy again: daily, and before it ends. */
struct wall tls_sts_refresh_at(const struct sts_policy *p, struct wall fetched);

#endif
