/* policy.c - what TLS a delivery demands: the operator's rule, else DANE, else MTA-STS, else `may` (RFC 7672 2,
 * RFC 8461 4 and 5, RFC 8689 4). Pure: no I/O, no state, no time. */
#include <postern/tls/policy.h>

#include <stdio.h>

static const char *const levels[TLS_LEVELS] = { "none", "may", "encrypt", "verify", "dane" };

const char *
tls_level_name(enum tls_level l)
{
	return levels[l];
}

bool
tls_level_find(struct str name, enum tls_level *l)
{
	for (int i = 0; i < TLS_LEVELS; i++) {
		if (!str_eq(name, str_of(levels[i])))
			continue;
		*l = (enum tls_level)i;
		return true;
	}
	return false;
}

const char *
tls_failure_words(enum tls_failure f)
{
	static const char *const words[TLS_FAILURES] = {
		[TLS_FAILURE_NOT_OFFERED] = "no STARTTLS",
		[TLS_FAILURE_HANDSHAKE] = "the TLS handshake failed",
		[TLS_FAILURE_UNAUTHENTICATED] = "the certificate was not verified",
	};

	return words[f];
}

/* What each level does where a connection falls short of it. */
static const enum tls_next ladder[TLS_LEVELS][TLS_FAILURES] = {
	[TLS_LEVEL_NONE] = { TLS_NEXT_PLAIN, TLS_NEXT_PLAIN, TLS_NEXT_UNAUTHENTICATED },
	[TLS_LEVEL_MAY] = { TLS_NEXT_PLAIN, TLS_NEXT_PLAIN, TLS_NEXT_UNAUTHENTICATED },
	[TLS_LEVEL_ENCRYPT] = { TLS_NEXT_HOST, TLS_NEXT_HOST, TLS_NEXT_UNAUTHENTICATED },
	[TLS_LEVEL_VERIFY] = { TLS_NEXT_HOST, TLS_NEXT_HOST, TLS_NEXT_HOST },
	[TLS_LEVEL_DANE] = { TLS_NEXT_HOST, TLS_NEXT_HOST, TLS_NEXT_HOST },
};

static void
demand(struct tls_decision *d, enum tls_level level)
{
	d->connect = true;
	d->level = level;
	d->check = level >= TLS_LEVEL_VERIFY ? TLS_CHECK_MUST : TLS_CHECK_NOTE;
	memcpy(d->on, ladder[level], sizeof d->on);
}

static void
refuse(struct tls_decision *d, enum tls_next next, enum tlsrpt_result report)
{
	d->connect = false;
	d->next = next;
	d->report = report;
}

#define WHY(d, ...) snprintf((d)->why, sizeof(d)->why, __VA_ARGS__)

static void
add_name(struct tls_decision *d, struct str name)
{
	for (size_t i = 0; i < d->n_names; i++)
		if (str_eq_nocase(d->names[i], name))
			return;
	if (name.n > 0 && d->n_names < TLS_NAMES_MAX)
		d->names[d->n_names++] = name;
}

static bool
is_error(enum tls_dns s)
{
	return s == TLS_DNS_BOGUS || s == TLS_DNS_FAILED;
}

/* Nobody on the way could have put another host in its place: signed MX records, the domain itself, the operator. */
static bool
is_proven(const struct tls_query *q)
{
	return q->hop == TLS_HOP_DOMAIN || q->hop == TLS_HOP_FIXED || (q->hop == TLS_HOP_MX && q->mx == TLS_DNS_SECURE);
}

/* A rule below verify gives way to REQUIRETLS. */
static bool
rule_decides(const struct tls_query *q)
{
	return q->has_rule && (q->message != TLS_MESSAGE_REQUIRES || q->rule >= TLS_LEVEL_VERIFY);
}

static bool
wants_dane(const struct tls_query *q)
{
	return (!rule_decides(q) || q->rule == TLS_LEVEL_DANE) && is_proven(q);
}

/* It has to be known whether the alias is signed, and it is not. */
static bool
is_alias_unknown(const struct tls_query *q)
{
	return q->host_expanded.n > 0 && q->address == TLS_DNS_INSECURE && q->alias != TLS_DNS_SECURE &&
	       q->alias != TLS_DNS_INSECURE;
}

size_t
tls_policy_bases(const struct tls_query *q, struct str bases[static TLS_BASES_MAX])
{
	size_t n = 0;

	if (!wants_dane(q))
		return 0;
	if (q->host_expanded.n > 0 && q->address == TLS_DNS_SECURE)
		bases[n++] = q->host_expanded;
	/* a signed alias to a name that is not: the alias's own name still counts (RFC 7672 2.2.2) */
	if (q->address == TLS_DNS_SECURE ||
	    (q->address == TLS_DNS_INSECURE && q->host_expanded.n > 0 && q->alias == TLS_DNS_SECURE))
		bases[n++] = q->host;
	return n;
}

enum dane { DANE_ABSENT, DANE_FAILED, DANE_UNUSABLE, DANE_USABLE };

static void
take_usable(const struct tlsa_answer *a, struct tls_decision *d)
{
	for (size_t i = 0; i < a->n && i < TLSA_RECORDS_MAX; i++)
		if (tls_dane_unusable(&a->records[i]) == NULL)
			d->tlsa[d->n_tlsa++] = a->records[i];
}

/* The first name with a signed answer is the base (RFC 7672 2.2.3). One that was not asked, although it had to be,
 * is as good as no answer. */
static enum dane
read_tlsa(const struct tls_query *q, struct str *base, struct tls_decision *d)
{
	struct str bases[TLS_BASES_MAX];
	size_t n = tls_policy_bases(q, bases);

	*base = q->host;
	if (wants_dane(q) && is_alias_unknown(q))
		return DANE_FAILED;
	for (size_t i = 0; i < n; i++) {
		const struct tlsa_answer *a = &q->tlsa[i];

		*base = bases[i];
		if (is_error(a->status) || a->status == TLS_DNS_UNASKED)
			return DANE_FAILED;
		if (a->status != TLS_DNS_SECURE || a->n == 0)
			continue;
		take_usable(a, d);
		return d->n_tlsa > 0 ? DANE_USABLE : DANE_UNUSABLE;
	}
	return DANE_ABSENT;
}

/* RFC 7672 3.2.2 */
static void
name_dane(const struct tls_query *q, struct str base, struct tls_decision *d)
{
	add_name(d, base);
	if (q->hop == TLS_HOP_MX) {
		add_name(d, q->domain);
		add_name(d, q->domain_expanded);
	} else {
		add_name(d, q->host);
	}
}

/* Puts into d what DANE has to say; absent: nothing. */
static enum dane
by_dane(const struct tls_query *q, struct tls_decision *d)
{
	struct str base = { 0 };
	enum dane found = read_tlsa(q, &base, d);

	if (found != DANE_ABSENT)
		d->policy = TLSRPT_TLSA;
	if (found == DANE_FAILED) {
		refuse(d, TLS_NEXT_HOST, TLSRPT_DNSSEC_INVALID);
		WHY(d, "DANE: whether %.*s has TLSA records cannot be learned, or the answer is bogus", STR_ARG(base));
	} else if (found == DANE_UNUSABLE) {
		demand(d, TLS_LEVEL_ENCRYPT);
		d->report = TLSRPT_TLSA_INVALID;
		WHY(d, "DANE: no TLSA record of %.*s is usable", STR_ARG(base));
	} else if (found == DANE_USABLE) {
		demand(d, TLS_LEVEL_DANE);
		d->sni = base;
		name_dane(q, base, d);
		WHY(d, "DANE: %zu usable TLSA record%s of %.*s", d->n_tlsa, d->n_tlsa == 1 ? "" : "s", STR_ARG(base));
	}
	return found;
}

/* Whether there is a policy that wants something for a host with a name. */
static bool
has_sts(const struct tls_query *q)
{
	return q->sts != NULL && q->sts->mode != STS_NONE && q->hop != TLS_HOP_LITERAL;
}

static void
by_sts(const struct tls_query *q, struct tls_decision *d)
{
	bool allowed = tls_sts_allows(q->sts, q->host);

	d->policy = TLSRPT_STS;
	d->report = allowed ? TLSRPT_OK : TLSRPT_VALIDATION_FAILURE;
	demand(d, q->sts->mode == STS_ENFORCE ? TLS_LEVEL_VERIFY : TLS_LEVEL_MAY);
	if (allowed)
		add_name(d, q->host);
	else if (q->sts->mode == STS_ENFORCE)
		refuse(d, TLS_NEXT_HOST, TLSRPT_VALIDATION_FAILURE);
	WHY(d, "MTA-STS: mode %s%s", tls_sts_mode_name(q->sts->mode), allowed ? "" : ", which does not list this host");
}

/* Names that no forged DNS answer can have brought in. */
static void
name_proven(const struct tls_query *q, struct tls_decision *d)
{
	add_name(d, q->domain);
	if (is_proven(q))
		add_name(d, q->host);
}

static void
by_destination(const struct tls_query *q, struct tls_decision *d)
{
	enum dane found = by_dane(q, d);

	if (found == DANE_USABLE || found == DANE_FAILED)
		return;
	/* records that nobody can use do not take away what MTA-STS enforces (RFC 8461 2) */
	if (has_sts(q) && (found == DANE_ABSENT || q->sts->mode == STS_ENFORCE)) {
		by_sts(q, d);
		return;
	}
	name_proven(q, d);
	if (found == DANE_UNUSABLE)
		return;
	demand(d, TLS_LEVEL_MAY);
	WHY(d, "nobody demands more");
}

static void
by_mandatory_dane(const struct tls_query *q, struct tls_decision *d)
{
	enum dane found = by_dane(q, d);

	if (found == DANE_USABLE || found == DANE_FAILED)
		return;
	d->policy = TLSRPT_TLSA;
	refuse(d, is_proven(q) ? TLS_NEXT_HOST : TLS_NEXT_WAIT,
	    found == DANE_UNUSABLE ? TLSRPT_TLSA_INVALID : TLSRPT_DANE_REQUIRED);
	WHY(d, "the rule demands dane, and %s",
	    !is_proven(q)          ? "no signed answer names the host"
	    : found == DANE_ABSENT ? "the host has no signed TLSA records"
				   : "no TLSA record of the host is usable");
}

static void
by_verify_rule(const struct tls_query *q, struct tls_decision *d)
{
	demand(d, TLS_LEVEL_VERIFY);
	for (size_t i = 0; i < q->n_rule_names; i++)
		add_name(d, q->rule_names[i]);
	if (q->n_rule_names == 0)
		name_proven(q, d);
	WHY(d, "the rule demands verify");
	if (d->n_names > 0)
		return;
	refuse(d, TLS_NEXT_WAIT, TLSRPT_OK);
	WHY(d, "the rule demands verify, and there is no name to compare with: give it names");
}

static void
by_rule(const struct tls_query *q, struct tls_decision *d)
{
	if (q->rule == TLS_LEVEL_DANE) {
		by_mandatory_dane(q, d);
	} else if (q->rule == TLS_LEVEL_VERIFY) {
		by_verify_rule(q, d);
	} else {
		demand(d, q->rule);
		name_proven(q, d);
		WHY(d, "the rule demands %s", tls_level_name(q->rule));
	}
}

/* RFC 8689 4.2.1: the host's name must be proven by DNSSEC or MTA-STS, and its certificate must be good. */
static void
raise_for_requiretls(const struct tls_query *q, struct tls_decision *d)
{
	if (!d->connect)
		return;
	d->requiretls = true;
	if (!is_proven(q) && !(has_sts(q) && tls_sts_allows(q->sts, q->host))) {
		refuse(d, TLS_NEXT_HOST, d->report);
		WHY(d, "REQUIRETLS: neither DNSSEC nor MTA-STS proves the name of the host");
	} else if (d->level < TLS_LEVEL_VERIFY) {
		demand(d, TLS_LEVEL_VERIFY);
		d->n_names = 0;
		add_name(d, q->host);
		WHY(d, "REQUIRETLS");
	}
}

/* RFC 8689 4.2.2: the destination's policy is tried and not insisted on. */
static void
lower_for_tls_optional(struct tls_decision *d)
{
	char was[TLS_WHY_SIZE];

	memcpy(was, d->why, sizeof was);
	demand(d, TLS_LEVEL_MAY);
	WHY(d, "TLS-Required: No, over %.*s", (int)(sizeof was - sizeof "TLS-Required: No, over "), was);
}

/* Plain text after a handshake that failed: only where nobody demands TLS, by the operator's patience. */
static void
apply_patience(const struct tls_query *q, struct tls_decision *d)
{
	if (d->level == TLS_LEVEL_MAY && q->message != TLS_MESSAGE_OPTIONAL &&
	    (q->plain_after == 0 || q->handshakes_failed + 1 < q->plain_after))
		d->on[TLS_FAILURE_HANDSHAKE] = TLS_NEXT_HOST;
}

/* RFC 7672 2.1.2: without an answer there is no host to go to. */
static bool
is_reachable(const struct tls_query *q, struct tls_decision *d)
{
	if (is_error(q->mx)) {
		refuse(d, TLS_NEXT_WAIT, q->mx == TLS_DNS_BOGUS ? TLSRPT_DNSSEC_INVALID : TLSRPT_OK);
		d->policy = q->mx == TLS_DNS_BOGUS ? TLSRPT_TLSA : TLSRPT_NO_POLICY;
		WHY(d, "the MX records %s", q->mx == TLS_DNS_BOGUS ? "are bogus" : "cannot be had");
		return false;
	}
	if (q->hop == TLS_HOP_LITERAL || q->address == TLS_DNS_SECURE || q->address == TLS_DNS_INSECURE)
		return true;
	refuse(d, TLS_NEXT_HOST, q->address == TLS_DNS_BOGUS ? TLSRPT_DNSSEC_INVALID : TLSRPT_OK);
	d->policy = q->address == TLS_DNS_BOGUS ? TLSRPT_TLSA : TLSRPT_NO_POLICY;
	WHY(d, "the host has no address that can be %s", q->address == TLS_DNS_BOGUS ? "trusted: bogus" : "had");
	return false;
}

void
tls_policy_decide(const struct tls_query *q, struct tls_decision *d)
{
	*d = (struct tls_decision){ .sni = q->hop == TLS_HOP_LITERAL ? STR("") : q->host };
	if (!is_reachable(q, d))
		return;
	if (rule_decides(q))
		by_rule(q, d);
	else
		by_destination(q, d);
	if (q->message == TLS_MESSAGE_REQUIRES)
		raise_for_requiretls(q, d);
	else if (q->message == TLS_MESSAGE_OPTIONAL && !q->has_rule)
		lower_for_tls_optional(d);
	apply_patience(q, d);
}
