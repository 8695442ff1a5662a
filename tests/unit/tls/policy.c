/* policy.c - tests of what a delivery demands: a row is a destination as DNS, the operator and the message have it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <postern/tls/policy.h>

#define DIGEST "0123456789abcdef0123456789abcdef"
#define RECORD(u, s, m, d) { .usage = u, .selector = s, .matching = m, .data = STR_INIT(d) }

static const struct tlsa ee[] = { RECORD(3, 1, 1, DIGEST) };
static const struct tlsa rollover[] = { RECORD(3, 1, 1, DIGEST), RECORD(3, 1, 2, DIGEST DIGEST) };
static const struct tlsa ta[] = { RECORD(2, 0, 1, DIGEST) };
static const struct tlsa pkix[] = { RECORD(0, 0, 1, DIGEST), RECORD(1, 1, 1, DIGEST) };
static const struct tlsa damaged[] = { RECORD(3, 1, 1, "short"), RECORD(3, 2, 1, DIGEST), RECORD(3, 1, 7, DIGEST),
	RECORD(9, 1, 1, DIGEST), RECORD(3, 0, 0, "no certificate"), RECORD(2, 1, 0, "no key"), RECORD(3, 1, 0, "") };
static const struct tlsa mixed[] = { RECORD(1, 1, 1, DIGEST), RECORD(3, 1, 1, "short"), RECORD(3, 1, 1, DIGEST) };

#define SET(status, set) { TLS_DNS_##status, set, sizeof(set) / sizeof *(set) }
#define EE SET(SECURE, ee)
#define NO(status) { TLS_DNS_##status, NULL, 0 }

struct row {
	const char *name;
	/* given; zero means: no rule, MX, all secure, no alias, no policy, plain message */
	int rule_plus; /* the rule's level + 1 */
	enum tls_hop hop;
	enum tls_dns mx, address, alias; /* zero: secure, secure, unasked */
	const char *domain_expanded, *host_expanded;
	struct tlsa_answer tlsa[TLS_BASES_MAX];
	int sts_plus; /* mode + 1 */
	const char *sts_mx;
	enum tls_message message;
	/* wanted */
	bool stays; /* no connection, and next */
	enum tls_next next;
	enum tls_level level;
	const char *names; /* reference identifiers; NULL: not looked at */
	const char *sni;   /* NULL: mx.d.test */
	size_t usable;
	enum tlsrpt_policy policy;
	enum tlsrpt_result report;
};

#define RULE(level) .rule_plus = TLS_LEVEL_##level + 1
#define LEVEL(l) .level = TLS_LEVEL_##l
#define STAYS(n, r) .stays = true, .next = TLS_NEXT_##n, .report = TLSRPT_##r
#define DANE(n, ids) LEVEL(DANE), .usable = n, .names = ids, .policy = TLSRPT_TLSA
#define STS(mode, pattern) .sts_plus = STS_##mode + 1, .sts_mx = pattern
#define SKIPPED STAYS(HOST, DNSSEC_INVALID), .policy = TLSRPT_TLSA
#define UNUSABLE LEVEL(ENCRYPT), .policy = TLSRPT_TLSA, .report = TLSRPT_TLSA_INVALID

/* RFC 7672 2.1 to 3.1 */
static const struct row dane_rows[] = {
	{ "usable", .tlsa = { EE }, DANE(1, "mx.d.test d.test") },
	{ "rollover: two records", .tlsa = { SET(SECURE, rollover) }, DANE(2, "mx.d.test d.test") },
	{ "trust anchor", .tlsa = { SET(SECURE, ta) }, DANE(1, "mx.d.test d.test") },
	{ "trust anchor, alias of the domain", .domain_expanded = "e.test", .tlsa = { SET(SECURE, ta) },
	    DANE(1, "mx.d.test d.test e.test") },
	{ "one of three usable", .tlsa = { SET(SECURE, mixed) }, DANE(1, "mx.d.test d.test") },
	{ "all PKIX", .tlsa = { SET(SECURE, pkix) }, UNUSABLE },
	{ "all damaged or unknown", .tlsa = { SET(SECURE, damaged) }, UNUSABLE },
	{ "TLSA bogus", .tlsa = { NO(BOGUS) }, SKIPPED },
	{ "TLSA SERVFAIL", .tlsa = { NO(FAILED) }, SKIPPED },
	{ "TLSA never asked", .tlsa = { NO(UNASKED) }, SKIPPED },
	{ "TLSA denied: no name", .tlsa = { NO(NXDOMAIN) }, LEVEL(MAY), .names = "d.test mx.d.test" },
	{ "TLSA denied: no type", .tlsa = { NO(NODATA) }, LEVEL(MAY) },
	{ "TLSA on another port is no TLSA", .tlsa = { NO(NXDOMAIN) }, LEVEL(MAY) },
	{ "TLSA not signed", .tlsa = { SET(INSECURE, ee) }, LEVEL(MAY) },
	{ "MX bogus", .mx = TLS_DNS_BOGUS, .tlsa = { EE }, STAYS(WAIT, DNSSEC_INVALID), .policy = TLSRPT_TLSA },
	{ "MX SERVFAIL", .mx = TLS_DNS_FAILED, .tlsa = { EE }, STAYS(WAIT, OK) },
	{ "MX not signed", .mx = TLS_DNS_INSECURE, .tlsa = { EE }, LEVEL(MAY), .names = "d.test" },
	{ "MX not signed, TLSA bogus", .mx = TLS_DNS_INSECURE, .tlsa = { NO(BOGUS) }, LEVEL(MAY) },
	{ "delegation without DS", .mx = TLS_DNS_INSECURE, .address = TLS_DNS_INSECURE, LEVEL(MAY) },
	{ "address not signed", .address = TLS_DNS_INSECURE, .tlsa = { EE }, LEVEL(MAY) },
	{ "address not signed, TLSA SERVFAIL", .address = TLS_DNS_INSECURE, .tlsa = { NO(FAILED) }, LEVEL(MAY) },
	{ "address bogus", .address = TLS_DNS_BOGUS, .tlsa = { EE }, SKIPPED },
	{ "address SERVFAIL", .address = TLS_DNS_FAILED, .tlsa = { EE }, STAYS(HOST, OK) },
	{ "no address", .address = TLS_DNS_NODATA, STAYS(HOST, OK) },
	{ "no such host", .address = TLS_DNS_NXDOMAIN, STAYS(HOST, OK) },
	{ "host is a signed alias, TLSA at its end", .host_expanded = "end.test", .alias = TLS_DNS_SECURE,
	    .tlsa = { EE, NO(UNASKED) }, DANE(1, "end.test d.test"), .sni = "end.test" },
	{ "host is a signed alias, TLSA at its own name", .host_expanded = "end.test", .alias = TLS_DNS_SECURE,
	    .tlsa = { NO(NXDOMAIN), EE }, DANE(1, "mx.d.test d.test") },
	{ "the same, the end's TLSA is not signed", .host_expanded = "end.test", .alias = TLS_DNS_SECURE,
	    .tlsa = { SET(INSECURE, ee), SET(SECURE, ta) }, DANE(1, "mx.d.test d.test") },
	{ "host is a signed alias, the end's TLSA is bogus", .host_expanded = "end.test", .alias = TLS_DNS_SECURE,
	    .tlsa = { NO(BOGUS), EE }, SKIPPED },
	{ "host is a signed alias, its own TLSA is bogus", .host_expanded = "end.test", .alias = TLS_DNS_SECURE,
	    .tlsa = { NO(NODATA), NO(BOGUS) }, SKIPPED },
	{ "signed alias to an insecure name", .host_expanded = "end.test", .alias = TLS_DNS_SECURE,
	    .address = TLS_DNS_INSECURE, .tlsa = { EE }, DANE(1, "mx.d.test d.test") },
	{ "insecure alias", .host_expanded = "end.test", .alias = TLS_DNS_INSECURE, .address = TLS_DNS_INSECURE,
	    .tlsa = { EE }, LEVEL(MAY) },
	{ "bogus alias", .host_expanded = "end.test", .alias = TLS_DNS_BOGUS, .address = TLS_DNS_INSECURE,
	    .tlsa = { EE }, SKIPPED },
	{ "alias never asked", .host_expanded = "end.test", .address = TLS_DNS_INSECURE, .tlsa = { EE }, SKIPPED },
	{ "no MX: the domain is the host", .hop = TLS_HOP_DOMAIN, .mx = TLS_DNS_NODATA, .tlsa = { EE },
	    DANE(1, "d.test"), .sni = "d.test" },
	{ "no MX, and an alias", .hop = TLS_HOP_DOMAIN, .mx = TLS_DNS_NODATA, .host_expanded = "end.test",
	    .alias = TLS_DNS_SECURE, .tlsa = { EE }, DANE(1, "end.test d.test"), .sni = "end.test" },
	{ "a host of the operator", .hop = TLS_HOP_FIXED, .mx = TLS_DNS_UNASKED, .tlsa = { EE }, DANE(1, "mx.d.test") },
	{ "an address literal", .hop = TLS_HOP_LITERAL, .mx = TLS_DNS_UNASKED, .tlsa = { EE }, LEVEL(MAY), .sni = "" },
};

/* The operator comes first. */
static const struct row rule_rows[] = {
	{ "none over DANE", RULE(NONE), .tlsa = { EE }, LEVEL(NONE) },
	{ "may over DANE", RULE(MAY), .tlsa = { EE }, LEVEL(MAY) },
	{ "may over bogus TLSA", RULE(MAY), .tlsa = { NO(BOGUS) }, LEVEL(MAY) },
	{ "may over MTA-STS", RULE(MAY), STS(ENFORCE, "mx.d.test"), .tlsa = { NO(NODATA) }, LEVEL(MAY) },
	{ "encrypt", RULE(ENCRYPT), .tlsa = { NO(NODATA) }, LEVEL(ENCRYPT) },
	{ "verify", RULE(VERIFY), LEVEL(VERIFY), .names = "d.test mx.d.test" },
	{ "verify, MX not signed", RULE(VERIFY), .mx = TLS_DNS_INSECURE, LEVEL(VERIFY), .names = "d.test" },
	{ "verify, MX bogus", RULE(VERIFY), .mx = TLS_DNS_BOGUS, STAYS(WAIT, DNSSEC_INVALID), .policy = TLSRPT_TLSA },
	{ "dane", RULE(DANE), .tlsa = { EE }, DANE(1, "mx.d.test d.test") },
	{ "dane, MX not signed", RULE(DANE), .mx = TLS_DNS_INSECURE, .tlsa = { EE }, STAYS(WAIT, DANE_REQUIRED),
	    .policy = TLSRPT_TLSA },
	{ "dane, address not signed", RULE(DANE), .address = TLS_DNS_INSECURE, STAYS(HOST, DANE_REQUIRED),
	    .policy = TLSRPT_TLSA },
	{ "dane, no TLSA", RULE(DANE), .tlsa = { NO(NODATA) }, STAYS(HOST, DANE_REQUIRED), .policy = TLSRPT_TLSA },
	{ "dane, unusable", RULE(DANE), .tlsa = { SET(SECURE, pkix) }, STAYS(HOST, TLSA_INVALID),
	    .policy = TLSRPT_TLSA },
	{ "dane, bogus", RULE(DANE), .tlsa = { NO(BOGUS) }, SKIPPED },
	{ "dane, a literal", RULE(DANE), .hop = TLS_HOP_LITERAL, STAYS(WAIT, DANE_REQUIRED), .policy = TLSRPT_TLSA },
	{ "dane over MTA-STS", RULE(DANE), STS(ENFORCE, "mx.d.test"), .tlsa = { NO(NODATA) },
	    STAYS(HOST, DANE_REQUIRED), .policy = TLSRPT_TLSA },
};

/* RFC 8461 5, and below DANE (RFC 8461 2) */
static const struct row sts_rows[] = {
	{ "enforce", STS(ENFORCE, "mx.d.test"), .tlsa = { NO(NODATA) }, LEVEL(VERIFY), .names = "mx.d.test",
	    .policy = TLSRPT_STS },
	{ "enforce, MX not signed", STS(ENFORCE, "*.d.test"), .mx = TLS_DNS_INSECURE, LEVEL(VERIFY),
	    .names = "mx.d.test", .policy = TLSRPT_STS },
	{ "enforce, not listed", STS(ENFORCE, "other.test"), .mx = TLS_DNS_INSECURE,
	    STAYS(HOST, VALIDATION_FAILURE), .policy = TLSRPT_STS },
	{ "testing", STS(TESTING, "mx.d.test"), .mx = TLS_DNS_INSECURE, LEVEL(MAY), .names = "mx.d.test",
	    .policy = TLSRPT_STS },
	{ "testing, not listed", STS(TESTING, "other.test"), .mx = TLS_DNS_INSECURE, LEVEL(MAY), .names = "",
	    .policy = TLSRPT_STS, .report = TLSRPT_VALIDATION_FAILURE },
	{ "none", STS(NONE, "other.test"), .mx = TLS_DNS_INSECURE, LEVEL(MAY), .names = "d.test" },
	{ "DANE first", STS(ENFORCE, "other.test"), .tlsa = { EE }, DANE(1, "mx.d.test d.test") },
	{ "DANE fails, and MTA-STS does not mend it", STS(ENFORCE, "mx.d.test"), .tlsa = { NO(BOGUS) }, SKIPPED },
	{ "unusable TLSA, enforce", STS(ENFORCE, "mx.d.test"), .tlsa = { SET(SECURE, pkix) }, LEVEL(VERIFY),
	    .names = "mx.d.test", .policy = TLSRPT_STS },
	{ "unusable TLSA, testing", STS(TESTING, "mx.d.test"), .tlsa = { SET(SECURE, pkix) }, UNUSABLE },
};

/* RFC 8689 */
#define REQUIRES .message = TLS_MESSAGE_REQUIRES
#define OPTIONAL .message = TLS_MESSAGE_OPTIONAL
static const struct row message_rows[] = {
	{ "required, DANE", REQUIRES, .tlsa = { EE }, DANE(1, "mx.d.test d.test") },
	{ "required, signed MX only", REQUIRES, .tlsa = { NO(NODATA) }, LEVEL(VERIFY), .names = "mx.d.test" },
	{ "required, unusable TLSA", REQUIRES, .tlsa = { SET(SECURE, pkix) }, LEVEL(VERIFY), .names = "mx.d.test",
	    .policy = TLSRPT_TLSA, .report = TLSRPT_TLSA_INVALID },
	{ "required, nothing proves the host", REQUIRES, .mx = TLS_DNS_INSECURE, STAYS(HOST, OK) },
	{ "required, MTA-STS enforces", REQUIRES, .mx = TLS_DNS_INSECURE, STS(ENFORCE, "mx.d.test"), LEVEL(VERIFY),
	    .names = "mx.d.test", .policy = TLSRPT_STS },
	{ "required, MTA-STS tests", REQUIRES, .mx = TLS_DNS_INSECURE, STS(TESTING, "mx.d.test"), LEVEL(VERIFY),
	    .names = "mx.d.test", .policy = TLSRPT_STS },
	{ "required, MTA-STS mode none", REQUIRES, .mx = TLS_DNS_INSECURE, STS(NONE, "mx.d.test"), STAYS(HOST, OK) },
	{ "required, bogus TLSA", REQUIRES, .tlsa = { NO(BOGUS) }, SKIPPED },
	{ "required, a rule of none", REQUIRES, RULE(NONE), .tlsa = { EE }, DANE(1, "mx.d.test d.test") },
	{ "required, a rule of may, no TLSA", REQUIRES, RULE(MAY), .tlsa = { NO(NODATA) }, LEVEL(VERIFY),
	    .names = "mx.d.test" },
	{ "required, a literal", REQUIRES, .hop = TLS_HOP_LITERAL, .mx = TLS_DNS_UNASKED, STAYS(HOST, OK) },
	{ "optional, DANE", OPTIONAL, .tlsa = { EE }, LEVEL(MAY), .usable = 1, .policy = TLSRPT_TLSA },
	{ "optional, bogus TLSA", OPTIONAL, .tlsa = { NO(BOGUS) }, LEVEL(MAY), .policy = TLSRPT_TLSA,
	    .report = TLSRPT_DNSSEC_INVALID },
	{ "optional, MTA-STS does not list the host", OPTIONAL, STS(ENFORCE, "other.test"), .mx = TLS_DNS_INSECURE,
	    LEVEL(MAY), .policy = TLSRPT_STS, .report = TLSRPT_VALIDATION_FAILURE },
	{ "optional, bogus MX", OPTIONAL, .mx = TLS_DNS_BOGUS, STAYS(WAIT, DNSSEC_INVALID), .policy = TLSRPT_TLSA },
	{ "optional, the operator's rule", OPTIONAL, RULE(VERIFY), LEVEL(VERIFY) },
};

static struct tls_query
query_of(const struct row *r, struct sts_policy *sts)
{
	struct tls_query q = {
		.has_rule = r->rule_plus > 0,
		.rule = r->rule_plus > 0 ? (enum tls_level)(r->rule_plus - 1) : TLS_LEVEL_NONE,
		.hop = r->hop,
		.domain = STR("d.test"),
		.domain_expanded = str_of(r->domain_expanded),
		.mx = r->mx == TLS_DNS_UNASKED && r->hop == TLS_HOP_MX ? TLS_DNS_SECURE : r->mx,
		.host = r->hop == TLS_HOP_DOMAIN ? STR("d.test") : STR("mx.d.test"),
		.host_expanded = str_of(r->host_expanded),
		.alias = r->alias,
		.address = r->address == TLS_DNS_UNASKED ? TLS_DNS_SECURE : r->address,
		.message = r->message,
		.plain_after = 1,
	};

	if (r->hop == TLS_HOP_LITERAL)
		q.host = STR("");
	memcpy(q.tlsa, r->tlsa, sizeof q.tlsa);
	if (r->sts_plus > 0) {
		*sts = (struct sts_policy){ .mode = (enum sts_mode)(r->sts_plus - 1), .max_age_s = 1, .n_mx = 1 };
		sts->mx[0] = str_of(r->sts_mx);
		q.sts = sts;
	}
	return q;
}

static void
check_names(const struct row *r, const struct tls_decision *d)
{
	char names[512] = "";
	size_t n = 0;

	for (size_t i = 0; i < d->n_names; i++)
		n += (size_t)snprintf(names + n, sizeof names - n, "%s%.*s", i > 0 ? " " : "", STR_ARG(d->names[i]));
	if (r->names != NULL && strcmp(names, r->names) != 0)
		fail_msg("%s: names are %s", r->name, names);
}

/* Whatever the row: a demand and its ladder fit together. */
static void
check_ladder(const struct row *r, const struct tls_decision *d)
{
	bool strict = d->level >= TLS_LEVEL_VERIFY;

	if ((d->check == TLS_CHECK_MUST) != strict ||
	    (d->on[TLS_FAILURE_UNAUTHENTICATED] == TLS_NEXT_UNAUTHENTICATED) == strict ||
	    (d->on[TLS_FAILURE_NOT_OFFERED] == TLS_NEXT_PLAIN) != (d->level <= TLS_LEVEL_MAY) ||
	    (d->on[TLS_FAILURE_HANDSHAKE] == TLS_NEXT_PLAIN) != (d->level <= TLS_LEVEL_MAY))
		fail_msg("%s: the ladder does not fit", r->name);
}

static void
check_row(const struct row *r)
{
	static struct tls_decision d;
	static struct sts_policy sts;
	struct tls_query q = query_of(r, &sts);

	memset(&d, 0xa5, sizeof d);
	tls_policy_decide(&q, &d);
	if (d.why[0] == '\0' || d.policy != r->policy || d.report != r->report)
		fail_msg("%s: why=\"%s\" policy %d report %d", r->name, d.why, d.policy, d.report);
	assert_int_equal(d.requiretls, r->message == TLS_MESSAGE_REQUIRES && (d.connect || d.report == TLSRPT_OK));
	if (d.connect == r->stays)
		fail_msg("%s: %s", r->name, d.why);
	if (r->stays) {
		assert_int_equal(d.next, r->next);
		return;
	}
	if (d.level != r->level || d.n_tlsa != r->usable)
		fail_msg("%s: %s with %zu, %s", r->name, tls_level_name(d.level), d.n_tlsa, d.why);
	if (!str_eq(d.sni, r->sni != NULL ? str_of(r->sni) : STR("mx.d.test")))
		fail_msg("%s: SNI %.*s", r->name, STR_ARG(d.sni));
	check_names(r, &d);
	check_ladder(r, &d);
}

#define TABLE(test, rows)                                                                                              \
	static void test(void **state)                                                                                 \
	{                                                                                                              \
		(void)state;                                                                                           \
		for (size_t i = 0; i < sizeof(rows) / sizeof *(rows); i++)                                             \
			check_row(&(rows)[i]);                                                                         \
	}

TABLE(dane, dane_rows)
TABLE(rules, rule_rows)
TABLE(sts, sts_rows)
TABLE(messages, message_rows)

/* Plain text after a handshake that failed: when the operator says so, and never above `may`. */
static void
patience(void **state)
{
	static const struct {
		unsigned after, failed;
		enum tls_message message;
		enum tls_next next;
	} row[] = {
		{ 1, 0, TLS_MESSAGE_PLAIN, TLS_NEXT_PLAIN },
		{ 3, 0, TLS_MESSAGE_PLAIN, TLS_NEXT_HOST },
		{ 3, 1, TLS_MESSAGE_PLAIN, TLS_NEXT_HOST },
		{ 3, 2, TLS_MESSAGE_PLAIN, TLS_NEXT_PLAIN },
		{ 3, 9, TLS_MESSAGE_PLAIN, TLS_NEXT_PLAIN },
		{ 0, 9, TLS_MESSAGE_PLAIN, TLS_NEXT_HOST },
		{ 0, 0, TLS_MESSAGE_OPTIONAL, TLS_NEXT_PLAIN },
	};
	static const struct row plain = { .name = "", .mx = TLS_DNS_INSECURE };
	static struct tls_decision d;

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct tls_query q = query_of(&plain, NULL);

		q.plain_after = row[i].after;
		q.handshakes_failed = row[i].failed;
		q.message = row[i].message;
		tls_policy_decide(&q, &d);
		assert_int_equal(d.on[TLS_FAILURE_HANDSHAKE], row[i].next);
		assert_int_equal(d.on[TLS_FAILURE_NOT_OFFERED], TLS_NEXT_PLAIN);
		assert_int_equal(d.on[TLS_FAILURE_UNAUTHENTICATED], TLS_NEXT_UNAUTHENTICATED);
		q.has_rule = true;
		q.rule = TLS_LEVEL_ENCRYPT;
		tls_policy_decide(&q, &d);
		assert_int_equal(d.on[TLS_FAILURE_HANDSHAKE], TLS_NEXT_HOST);
	}
}

static void
names_of_a_rule(void **state)
{
	static const struct row verify = { .name = "names", RULE(VERIFY) };
	static struct tls_decision d;
	struct str names[TLS_NAMES_MAX + 1];
	char text[TLS_NAMES_MAX + 1][16];
	struct tls_query q = query_of(&verify, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(text[i], sizeof text[i], "n%zu.test", i);
		names[i] = str_of(text[i]);
	}
	q.rule_names = names;
	q.n_rule_names = 1;
	tls_policy_decide(&q, &d);
	assert_int_equal(d.n_names, 1);
	assert_true(str_eq(d.names[0], STR("n0.test")));
	q.n_rule_names = TLS_NAMES_MAX + 1;
	tls_policy_decide(&q, &d);
	assert_int_equal(d.n_names, TLS_NAMES_MAX);
	q.n_rule_names = 0;
	q.domain = STR("");
	q.mx = TLS_DNS_INSECURE;
	tls_policy_decide(&q, &d);
	assert_false(d.connect); /* nothing to compare with */
	assert_int_equal(d.next, TLS_NEXT_WAIT);
}

/* More records than anybody publishes: the first ones count, nothing is overrun. */
static void
many_records(void **state)
{
	static const struct row usable = { .name = "many" };
	static struct tls_decision d;
	static struct tlsa records[TLSA_RECORDS_MAX + 5];
	struct tls_query q = query_of(&usable, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof records / sizeof *records; i++)
		records[i] = ee[0];
	q.tlsa[0] = (struct tlsa_answer){ TLS_DNS_SECURE, records, sizeof records / sizeof *records };
	tls_policy_decide(&q, &d);
	assert_int_equal(d.n_tlsa, TLSA_RECORDS_MAX);
	q.tlsa[0].n = 0; /* a signed answer without records is none */
	tls_policy_decide(&q, &d);
	assert_int_equal(d.level, TLS_LEVEL_MAY);
}

/* TLSA is not even asked for where it would not count (RFC 7672 2.2.2: such servers answer with errors). */
static void
bases(void **state)
{
	static const struct {
		struct row row;
		const char *first, *second;
	} row[] = {
		{ { .name = "plain" }, "mx.d.test", NULL },
		{ { .name = "alias", .host_expanded = "end.test" }, "end.test", "mx.d.test" },
		{ { .name = "half", .host_expanded = "end.test", .alias = TLS_DNS_SECURE, .address = TLS_DNS_INSECURE },
		    "mx.d.test", NULL },
		{ { .name = "address", .address = TLS_DNS_INSECURE }, NULL, NULL },
		{ { .name = "mx", .mx = TLS_DNS_INSECURE }, NULL, NULL },
		{ { .name = "rule", RULE(ENCRYPT) }, NULL, NULL },
		{ { .name = "rule dane", RULE(DANE) }, "mx.d.test", NULL },
		{ { .name = "literal", .hop = TLS_HOP_LITERAL }, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct str base[TLS_BASES_MAX];
		struct tls_query q = query_of(&row[i].row, NULL);
		size_t n = tls_policy_bases(&q, base);

		if (n != (size_t)(row[i].first != NULL) + (row[i].second != NULL))
			fail_msg("%s: %zu", row[i].row.name, n);
		assert_true(n < 1 || str_eq(base[0], str_of(row[i].first)));
		assert_true(n < 2 || str_eq(base[1], str_of(row[i].second)));
	}
}

/* Whatever DNS says: bogus and failed never end below what the destination could have demanded. */
static void
no_downgrade(void **state)
{
	static struct tls_decision d;
	static const struct row secure = { .name = "", .host_expanded = "end.test", .alias = TLS_DNS_SECURE };

	(void)state;
	for (int first = 0; first < TLS_DNS_STATES; first++)
		for (int second = 0; second < TLS_DNS_STATES; second++) {
			struct tls_query q = query_of(&secure, NULL);
			bool lost = first == TLS_DNS_BOGUS || first == TLS_DNS_FAILED || first == TLS_DNS_UNASKED;

			q.tlsa[0] = (struct tlsa_answer){ (enum tls_dns)first, ee, 1 };
			q.tlsa[1] = (struct tlsa_answer){ (enum tls_dns)second, ee, 1 };
			lost = lost || (first != TLS_DNS_SECURE && (second == TLS_DNS_BOGUS ||
			    second == TLS_DNS_FAILED || second == TLS_DNS_UNASKED));
			tls_policy_decide(&q, &d);
			assert_int_equal(d.connect, !lost);
			if (!lost)
				assert_int_equal(d.level, first == TLS_DNS_SECURE || second == TLS_DNS_SECURE ?
				    TLS_LEVEL_DANE : TLS_LEVEL_MAY);
		}
}

static void
words(void **state)
{
	enum tls_level l;

	(void)state;
	for (int i = 0; i < TLS_LEVELS; i++) {
		assert_true(tls_level_find(str_of(tls_level_name((enum tls_level)i)), &l));
		assert_int_equal(l, i);
	}
	assert_false(tls_level_find(STR("secure"), &l));
	for (int i = 0; i < TLS_FAILURES; i++)
		assert_true(strlen(tls_failure_words((enum tls_failure)i)) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dane),
		cmocka_unit_test(rules),
		cmocka_unit_test(sts),
		cmocka_unit_test(messages),
		cmocka_unit_test(patience),
		cmocka_unit_test(names_of_a_rule),
		cmocka_unit_test(many_records),
		cmocka_unit_test(bases),
		cmocka_unit_test(no_downgrade),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
