/* tlsrpt.c - the words of TLS reporting, as a table (RFC 8460 4.3, 4.4). */
#include <postern/tls/tlsrpt.h>

#define BIT(policy) (1U << (policy))
#define ANY (BIT(TLSRPT_NO_POLICY) | BIT(TLSRPT_TLSA) | BIT(TLSRPT_STS))

static const char *const policies[TLSRPT_POLICIES] = {
	[TLSRPT_NO_POLICY] = "no-policy-found",
	[TLSRPT_TLSA] = "tlsa",
	[TLSRPT_STS] = "sts",
};

static const struct {
	const char *name;
	unsigned policies;
} results[TLSRPT_RESULTS] = {
	[TLSRPT_OK] = { "", ANY },
	[TLSRPT_STARTTLS_NOT_SUPPORTED] = { "starttls-not-supported", ANY },
	[TLSRPT_CERTIFICATE_HOST_MISMATCH] = { "certificate-host-mismatch", ANY },
	[TLSRPT_CERTIFICATE_EXPIRED] = { "certificate-expired", ANY },
	[TLSRPT_CERTIFICATE_NOT_TRUSTED] = { "certificate-not-trusted", ANY },
	[TLSRPT_VALIDATION_FAILURE] = { "validation-failure", ANY },
	[TLSRPT_TLSA_INVALID] = { "tlsa-invalid", BIT(TLSRPT_TLSA) },
	[TLSRPT_DNSSEC_INVALID] = { "dnssec-invalid", BIT(TLSRPT_TLSA) },
	[TLSRPT_DANE_REQUIRED] = { "dane-required", BIT(TLSRPT_TLSA) },
	[TLSRPT_STS_POLICY_FETCH_ERROR] = { "sts-policy-fetch-error", BIT(TLSRPT_STS) },
	[TLSRPT_STS_POLICY_INVALID] = { "sts-policy-invalid", BIT(TLSRPT_STS) },
	[TLSRPT_STS_WEBPKI_INVALID] = { "sts-webpki-invalid", BIT(TLSRPT_STS) },
};

const char *
tlsrpt_policy_name(enum tlsrpt_policy p)
{
	return policies[p];
}

const char *
tlsrpt_result_name(enum tlsrpt_result r)
{
	return results[r].name;
}

bool
tlsrpt_result_find(struct str name, enum tlsrpt_result *r)
{
	for (int i = TLSRPT_OK + 1; i < TLSRPT_RESULTS; i++) {
		if (!str_eq(str_of(results[i].name), name))
			continue;
		*r = (enum tlsrpt_result)i;
		return true;
	}
	return false;
}

bool
tlsrpt_result_fits(enum tlsrpt_result r, enum tlsrpt_policy p)
{
	return (results[r].policies & BIT(p)) != 0;
}

void
tlsrpt_count(struct tlsrpt_counts *c, enum tlsrpt_result r)
{
	if (c->sessions[r] < UINT64_MAX)
		c->sessions[r]++;
}

uint64_t
tlsrpt_failures(const struct tlsrpt_counts *c)
{
	uint64_t sum = 0;

	for (int i = TLSRPT_OK + 1; i < TLSRPT_RESULTS; i++)
		sum = c->sessions[i] > UINT64_MAX - sum ? UINT64_MAX : sum + c->sessions[i];
	return sum;
}
