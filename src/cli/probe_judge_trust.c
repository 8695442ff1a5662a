/* probe_judge_trust.c - what the certificate is worth, and what DNS and MTA-STS let others demand (RFC 7672, RFC
 * 8461). */
#include "probe_finding.h"

enum { DAYS_SOON = 14, STRENGTH_MIN = 112 };

/* --- the certificate --- */

/* A known CA vouches for the name, today. */
static bool
is_good(const struct probe_cert *c)
{
	return c->there && c->trust == NULL && c->name_ok && !c->expired && !c->early;
}

/* What a fault of the certificate costs: nothing when TLSA vouches for it whatever it is, much where programs refuse
 * it. */
static enum grade
cost(const struct port_facts *f)
{
	if (f->use == PORT_CLIENTS)
		return GRADE_D;
	return f->delivered == ANSWER_YES ? GRADE_A_PLUS : GRADE_C;
}

static enum finding_level
weight(const struct port_facts *f)
{
	if (f->use == PORT_CLIENTS)
		return FINDING_BAD;
	return f->delivered == ANSWER_YES ? FINDING_NOTICE : FINDING_WARN;
}

#define FAULT(...) finding_add(j, check, weight(f), cost(f), __VA_ARGS__)

static void
check_trust(const struct port_facts *f, const char *check, struct judgement *j)
{
	if (f->cert.trust == NULL)
		GOOD("the certificate leads to a known CA");
	else if (f->cert.self_signed)
		FAULT("the certificate is self-signed");
	else
		FAULT("the certificate leads to no known CA: %s", f->cert.trust);
}

static void
check_name(const struct port_facts *f, const char *check, struct judgement *j)
{
	if (f->cert.name == NULL)
		NOTICE(GRADE_A_PLUS, "there is no name to compare the certificate with");
	else if (f->cert.name_ok)
		GOOD("the certificate has the name %s", f->cert.name);
	else
		FAULT("the certificate is for other names than %s", f->cert.name);
}

static void
check_dates(const struct port_facts *f, const char *check, struct judgement *j)
{
	if (f->cert.expired)
		FAULT("a certificate expired %lld days ago", (long long)-f->cert.days_left);
	else if (f->cert.early)
		FAULT("a certificate is not valid yet");
	else if (f->cert.days_left < DAYS_SOON)
		WARN(GRADE_A, "a certificate ends in %lld days", (long long)f->cert.days_left);
	else
		GOOD("the certificate is good for %lld more days", (long long)f->cert.days_left);
}

static void
check_key(const struct port_facts *f, const char *check, struct judgement *j)
{
	if (f->cert.strength < STRENGTH_MIN)
		BAD(GRADE_D, "the key is too short: %s, %u bits", f->cert.kind, f->cert.bits);
	else
		GOOD("a strong key: %s, %u bits", f->cert.kind, f->cert.bits);
	if (f->cert.weak_signature != NULL)
		BAD(GRADE_D, "a certificate is signed with %s, for which forgeries can be made",
		    f->cert.weak_signature);
}

void
check_certificate(const struct port_facts *f, const char *check, struct judgement *j)
{
	if (!f->cert.there) {
		BAD(GRADE_D, "no certificate is shown");
		return;
	}
	check_trust(f, check, j);
	check_name(f, check, j);
	check_dates(f, check, j);
	check_key(f, check, j);
}

/* --- what can be demanded --- */

static void
check_records(const struct port_facts *f, const char *check, struct judgement *j)
{
	size_t fitting = 0;

	for (size_t i = 0; i < f->dane->n_tlsa; i++)
		fitting += f->tlsa_fits >> i & 1;
	if (f->delivered == ANSWER_YES && fitting < f->dane->n_tlsa)
		NOTICE(GRADE_A_PLUS,
		    "%zu of %zu TLSA records fit%s; the others are for a certificate that is not shown", fitting,
		    f->dane->n_tlsa, fitting == 1 ? "s" : "");
}

static void
check_demand(const struct port_facts *f, const char *check, struct judgement *j)
{
	if (f->delivered == ANSWER_YES)
		GOOD("%s", f->outcome.words);
	else if (f->delivered == ANSWER_NO)
		BAD(GRADE_F, "%s: servers that obey DANE do not deliver", f->outcome.words);
	else
		NOTICE(GRADE_A, "TLSA records are there; whether they fit could not be found out");
	check_records(f, check, j);
}

void
check_dane(const struct port_facts *f, const char *check, struct judgement *j)
{
	const struct tls_decision *d = f->dane;

	if (!f->has_dane)
		return;
	if (!d->connect)
		BAD(GRADE_F, "%s: servers that obey DANE do not deliver", d->why);
	else if (d->level == TLS_LEVEL_DANE)
		check_demand(f, check, j);
	else if (d->policy == TLSRPT_TLSA)
		WARN(GRADE_B, "%s", d->why);
	else if (f->mx != TLS_DNS_SECURE && f->mx != TLS_DNS_NODATA)
		NOTICE(GRADE_A_PLUS, "no DANE: the MX records are not signed");
	else if (f->address != TLS_DNS_SECURE)
		NOTICE(GRADE_A_PLUS, "no DANE: the name of the host is not signed");
	else
		NOTICE(GRADE_A_PLUS, "no DANE: there are no TLSA records");
}

static void
check_policy(const struct port_facts *f, const char *check, struct judgement *j)
{
	const char *wrong = !f->sts_listed       ? "the host is not in it"
			    : !is_good(&f->cert) ? "the certificate is not good"
						 : NULL;

	if (f->policy->mode == STS_NONE)
		NOTICE(GRADE_A_PLUS, "the MTA-STS policy demands nothing (none)");
	else if (wrong == NULL && f->policy->mode == STS_ENFORCE)
		GOOD("the MTA-STS policy is enforced and met");
	else if (wrong == NULL)
		NOTICE(GRADE_A_PLUS, "the MTA-STS policy is met, and only tested: it protects nobody yet");
	else if (f->policy->mode == STS_ENFORCE)
		BAD(GRADE_F, "the MTA-STS policy is enforced, and %s: servers that obey it do not deliver", wrong);
	else
		WARN(GRADE_B, "the MTA-STS policy is tested, and %s", wrong);
}

void
check_sts(const struct port_facts *f, const char *check, struct judgement *j)
{
	if (f->sts == NAMES_STS_NONE)
		NOTICE(GRADE_A_PLUS, "no MTA-STS policy");
	else if (f->sts == NAMES_STS_RECORD && f->policy != NULL)
		check_policy(f, check, j);
	else if (f->sts != NAMES_STS_UNASKED)
		WARN(GRADE_B, "MTA-STS: %s", f->sts_words);
}

/* Without either, whoever sits on the line takes STARTTLS out, and nobody notices. */
void
check_protection(const struct port_facts *f, const char *check, struct judgement *j)
{
	bool enforced = f->policy != NULL && f->policy->mode == STS_ENFORCE && f->sts_listed && is_good(&f->cert);

	if (f->use == PORT_MAIL && f->delivered != ANSWER_YES && !enforced)
		NOTICE(GRADE_A,
		    "nothing tells other servers to insist on TLS: neither DANE nor an enforced MTA-STS policy");
}
