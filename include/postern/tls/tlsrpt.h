/* tlsrpt.h - what TLS reporting counts (RFC 8460): the policy kinds and the result types, with their names. */
#ifndef POSTERN_TLS_TLSRPT_H
#define POSTERN_TLS_TLSRPT_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/str.h>

/* policy-type, RFC 8460 4.4. */
enum tlsrpt_policy {
	TLSRPT_NO_POLICY,
	TLSRPT_TLSA,
	TLSRPT_STS,
	TLSRPT_POLICIES,
};

/* result-type, RFC 8460 4.3. The numbers are stored: new ones go to the end. */
enum tlsrpt_result {
	TLSRPT_OK, /* counted as total-successful-session-count, no result-type */
	TLSRPT_STARTTLS_NOT_SUPPORTED,
	TLSRPT_CERTIFICATE_HOST_MISMATCH,
	TLSRPT_CERTIFICATE_EXPIRED,
	TLSRPT_CERTIFICATE_NOT_TRUSTED,
	TLSRPT_VALIDATION_FAILURE,
	TLSRPT_TLSA_INVALID,
	TLSRPT_DNSSEC_INVALID,
	TLSRPT_DANE_REQUIRED,
	TLSRPT_STS_POLICY_FETCH_ERROR,
	TLSRPT_STS_POLICY_INVALID,
	TLSRPT_STS_WEBPKI_INVALID,
	TLSRPT_RESULTS,
};

/* As in a report: "tlsa"; "starttls-not-supported", "" for TLSRPT_OK. */
const char *tlsrpt_policy_name(enum tlsrpt_policy p);
const char *tlsrpt_result_name(enum tlsrpt_result r);
bool tlsrpt_result_find(struct str name, enum tlsrpt_result *r);
/* Whether the result can be reported under a policy of that kind (RFC 8460 4.3.2). */
bool tlsrpt_result_fits(enum tlsrpt_result r, enum tlsrpt_policy p);

/* Sessions with one destination under one policy on one day. */
struct tlsrpt_counts {
	uint64_t sessions[TLSRPT_RESULTS];
};

/* Counts up; stays at the top instead of turning over. */
void tlsrpt_count(struct tlsrpt_counts *c, enum tlsrpt_result r);
/* total-failure-session-count. */
uint64_t tlsrpt_failures(const struct tlsrpt_counts *c);

#endif
