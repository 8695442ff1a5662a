/* check_judge.c - the records of a domain against what DNS says in their place: findings in words, with the line that mends
 * it. */
#include "check_finding.h"

#include <stdarg.h>
#include <stdio.h>

#include "check_text.h"

enum { WORDS_SIZE = 1024 };

void
check_add(struct check *c, enum finding_level level, const char *about, struct str name, const struct record *line,
    const char *format, ...)
{
	char words[WORDS_SIZE];
	struct buf publish;
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	buf_init(&publish, SIZE_MAX);
	if (line != NULL) {
		records_write_line(line, &publish);
		buf_cut(&publish, publish.n - 1); /* its newline */
	}
	c->bad += level == FINDING_BAD;
	json_array_append_new(
	    c->findings, json_pack("{s:s, s:s, s:o, s:s, s:s}", "level", finding_level_name(level), "about", about,
			     "name", json_stringn(name.p, name.n), "words", words, "publish", buf_cstr(&publish)));
	buf_fini(&publish);
}

const char *
check_about(enum record_kind kind)
{
	static const char *const names[RECORD_KINDS] = { "MX", "SPF", "DMARC", "TLS reports", "MTA-STS", "services",
		"address", "SPF", "TLSA" };

	return names[kind];
}

bool
check_is_answered(const struct dns_answer *a)
{
	return a->status != DNS_BOGUS && a->status != DNS_FAILED;
}

const char *
check_no_answer(const struct dns_answer *a)
{
	return a->status == DNS_BOGUS ? "DNSSEC proves the answer wrong, so nobody who validates takes it"
				      : "DNS gives no answer";
}

/* The texts of an answer; memory from the arena. */
static const struct str *
texts_of(struct check *c, const struct dns_answer *a)
{
	struct str *texts = arena_array(&c->arena, a->nrecords, sizeof *texts);

	for (uint32_t i = 0; i < a->nrecords; i++)
		texts[i] = a->records[i].text;
	return texts;
}

static size_t
choose(struct check *c, const struct dns_answer *a, struct str version, struct str *record)
{
	return check_text_choose(texts_of(c, a), a->nrecords, version, !str_eq(version, STR("v=spf1")), record);
}

/* --- MX --- */

static bool
points_here(const struct check *c, const struct dns_answer *mx)
{
	for (uint32_t i = 0; i < mx->nrecords; i++)
		if (str_eq_nocase(mx->records[i].name, c->hostname))
			return true;
	return false;
}

static void
judge_mx(struct check *c, const struct check_record *r)
{
	const struct dns_answer *a = &r->said.answer;

	if (a->nrecords == 0)
		BAD(r, r->want, "there is no MX record");
	else if (points_here(c, a) && a->nrecords == 1)
		GOOD(r, "points here");
	else if (points_here(c, a))
		NOTICE(r, NULL, "points here, and to %u other hosts", a->nrecords - 1);
	else if (str_eq(a->records[0].name, STR(".")))
		BAD(r, r->want, "is null: the domain says that it takes no mail");
	else
		BAD(r, r->want, "points to %.*s, not here", STR_ARG(a->records[0].name));
	check_signature(c, r->want->name, a);
}

/* --- SPF --- */

static const struct check_record *
find(const struct check *c, enum record_kind kind, struct str owner)
{
	for (size_t i = 0; i < c->wanted.n; i++)
		if (c->v[i].want->kind == kind && str_eq(c->v[i].want->owner, owner))
			return &c->v[i];
	return NULL;
}

static void
judge_spf_record(struct check *c, const struct check_record *r, const struct spf_verdict *v)
{
	if (v->broken != NULL)
		BAD(r, r->want, "the record makes no sense: %s", v->broken);
	else if (!v->allows && v->elsewhere)
		NOTICE(r, NULL, "does not name this server; whether what it includes does is not looked at");
	else if (!v->allows)
		BAD(r, r->want, "does not allow this server to send");
	else if (v->all == SPF_PASS)
		BAD(r, r->want, "ends in +all: everybody may send as you");
	else if (v->all == SPF_FAIL || v->all == SPF_SOFTFAIL || v->elsewhere)
		GOOD(r, "allows this server");
	else
		WARN(r, r->want, "allows this server, and forbids nobody: it wants -all or ~all at its end");
}

static void
judge_spf(struct check *c, const struct check_record *r)
{
	const struct check_record *mx = find(c, RECORD_MX, r->want->owner);
	struct addr addrs[CHECK_ADDRESSES_MAX];
	struct spf_place place = { .domain = r->want->owner,
		.host = c->hostname,
		.is_mx = mx != NULL && points_here(c, &mx->said.answer),
		.addrs = addrs,
		.naddrs = c->naddrs };
	struct spf_verdict v;
	struct str record;
	size_t n = choose(c, &r->said.answer, STR("v=spf1"), &record);

	for (size_t i = 0; i < c->naddrs; i++)
		addrs[i] = c->addrs[i].addr;
	if (n == 0 && r->want->kind == RECORD_HELO) {
		NOTICE(r, r->want, "there is no record: bounces, which have no sender but the host, are not covered");
	} else if (n == 0) {
		WARN(r, r->want,
		    "there is no record: anybody may send as you, and much of your mail will be taken for spam");
	} else if (n > 1) {
		BAD(r, NULL, "there are %zu records, where more than one is none (RFC 7208 4.5)", n);
	} else {
		check_spf(record, &place, &v);
		judge_spf_record(c, r, &v);
	}
}

/* --- DMARC --- */

static void
judge_dmarc_record(struct check *c, const struct check_record *r, struct str record)
{
	struct dmarc_verdict v;

	check_dmarc(record, &v);
	if (v.p == DMARC_UNKNOWN || v.sp == DMARC_UNKNOWN || v.np == DMARC_UNKNOWN)
		BAD(r, r->want,
		    "a policy (p, sp, np) that is none of none, quarantine, reject: it counts as none, or not at all");
	else if (v.p == DMARC_MISSING || v.p == DMARC_NONE)
		NOTICE(r, NULL,
		    "asks for nothing (p=none): when the reports show that all is well, p=quarantine or p=reject "
		    "protects you");
	else if (v.testing)
		NOTICE(r, NULL, "asks for p=%s, and not to do it yet (t=y)", dmarc_policy_name(v.p));
	else
		GOOD(r, "asks for p=%s", dmarc_policy_name(v.p));
	if (!v.rua)
		NOTICE(r, NULL, "names no address for reports (rua=mailto:…)");
	if (v.obsolete)
		NOTICE(r, NULL, "has tags that count no more: pct, rf, ri (RFC 9989)");
}

/* The nearest record above that has something to say. */
static const struct check_question *
find_parent(struct check *c, const struct check_record *r, struct dmarc_verdict *v)
{
	for (size_t i = 0; i < r->nparents; i++) {
		struct str record;

		if (choose(c, &r->parents[i].answer, STR("v=DMARC1"), &record) != 1)
			continue;
		check_dmarc(record, v);
		return &r->parents[i];
	}
	return NULL;
}

static void
judge_dmarc_missing(struct check *c, const struct check_record *r)
{
	struct dmarc_verdict v;
	const struct check_question *parent = find_parent(c, r, &v);

	if (parent != NULL)
		NOTICE(r, r->want, "there is no record; that of %.*s applies, with %s", STR_ARG(parent->name),
		    dmarc_policy_name(v.sp != DMARC_MISSING  ? v.sp
				      : v.p != DMARC_MISSING ? v.p
							     : DMARC_NONE));
	else
		WARN(r, r->want, "there is no record: nobody is told what to do with forged mail");
}

static void
judge_dmarc(struct check *c, const struct check_record *r)
{
	struct str record;
	size_t n = choose(c, &r->said.answer, STR("v=DMARC1"), &record);

	if (n == 1)
		judge_dmarc_record(c, r, record);
	else if (n == 0)
		judge_dmarc_missing(c, r);
	else
		BAD(r, NULL, "there are %zu records, where more than one is none (RFC 9989 4.10)", n);
}

/* --- TLS reports, MTA-STS --- */

static void
judge_tlsrpt(struct check *c, const struct check_record *r)
{
	struct str record;
	size_t n = choose(c, &r->said.answer, STR("v=TLSRPTv1"), &record);
	const char *wrong = n == 1 ? check_tlsrpt(record) : NULL;

	if (n == 0)
		NOTICE(r, r->want, "there is no record: nobody reports when TLS to you fails");
	else if (n > 1)
		BAD(r, NULL, "there are %zu records, where more than one is none (RFC 8460 3)", n);
	else if (wrong != NULL)
		BAD(r, r->want, "%s", wrong);
	else
		GOOD(r, "asks for reports");
}

/* Every host of the MX must be in the policy. */
static struct str
unlisted(const struct check *c, const struct check_record *r)
{
	const struct check_record *mx = find(c, RECORD_MX, r->want->owner);

	if (!tls_sts_allows(&r->sts->policy, c->hostname))
		return c->hostname;
	for (uint32_t i = 0; mx != NULL && i < mx->said.answer.nrecords; i++)
		if (!tls_sts_allows(&r->sts->policy, mx->said.answer.records[i].name))
			return mx->said.answer.records[i].name;
	return STR("");
}

static void
judge_policy(struct check *c, const struct check_record *r)
{
	const struct sts_policy *p = &r->sts->policy;
	struct str missing = unlisted(c, r);

	if (p->mode == STS_NONE)
		NOTICE(r, NULL, "the policy asks for nothing (mode: none)");
	else if (missing.n > 0 && p->mode == STS_ENFORCE)
		BAD(r, NULL,
		    "the policy does not list %.*s: others do not deliver there; it wants the line `mx: %.*s', and the "
		    "record a new id",
		    STR_ARG(missing), STR_ARG(missing));
	else if (missing.n > 0)
		WARN(r, NULL, "the policy does not list %.*s: it wants the line `mx: %.*s', and the record a new id",
		    STR_ARG(missing), STR_ARG(missing));
	else if (p->mode == STS_TESTING)
		NOTICE(r, NULL, "the policy is only tested (mode: testing): it protects nobody yet");
	else
		GOOD(r, "the policy is enforced and lists this server");
}

static void
judge_sts(struct check *c, const struct check_record *r)
{
	const struct dns_answer *a = &r->said.answer;
	struct str record, id;
	struct err e;

	if (choose(c, a, STR("v=STSv1"), &record) == 0)
		NOTICE(r, NULL, /* the record alone would be a fault */
		    "there is no record; where DANE cannot be, it protects mail to you: first a policy at "
		    "https://mta-sts.%.*s/.well-known/mta-sts.txt, `version: STSv1', `mode: enforce', `mx: %.*s', "
		    "`max_age: 604800', a line each, then TXT %.*s",
		    STR_ARG(r->want->owner), STR_ARG(c->hostname), STR_ARG(r->want->data));
	else if (!tls_sts_choose_record(texts_of(c, a), a->nrecords, &id, &e))
		BAD(r, r->want, "%s", e.log);
	else if (r->sts == NULL || !r->sts->has_policy)
		BAD(r, NULL, "there is a record and no policy: %s", r->sts != NULL ? r->sts->words : "not asked for");
	else
		judge_policy(c, r);
}

/* --- services --- */

static void
judge_service(struct check *c, const struct check_record *r)
{
	const struct dns_answer *a = &r->said.answer;

	for (uint32_t i = 0; i < a->nrecords; i++)
		if (str_eq_nocase(a->records[i].name, c->hostname) && a->records[i].port == r->want->port) {
			GOOD(r, "leads mail programs here, port %u", r->want->port);
			return;
		}
	if (a->nrecords == 0)
		NOTICE(r, r->want, "there is no record: people must tell their mail programs by hand");
	else if (str_eq(a->records[0].name, STR(".")))
		WARN(r, r->want, "says that there is no such service");
	else
		WARN(r, r->want, "leads to %.*s port %u, not here", STR_ARG(a->records[0].name), a->records[0].port);
}

/* --- all --- */

static void (*const judges[RECORD_KINDS])(struct check *c, const struct check_record *r) = {
	[RECORD_MX] = judge_mx,
	[RECORD_SPF] = judge_spf,
	[RECORD_DMARC] = judge_dmarc,
	[RECORD_TLSRPT] = judge_tlsrpt,
	[RECORD_STS] = judge_sts,
	[RECORD_SERVICE] = judge_service,
	[RECORD_ADDRESS] = check_missing_address,
	[RECORD_HELO] = judge_spf,
	[RECORD_TLSA] = check_tlsa,
};

void
check_judge(struct check *c)
{
	for (size_t i = 0; i < c->wanted.n; i++) {
		const struct check_record *r = &c->v[i];
		const struct dns_answer *a = &r->said.answer;

		if (r->want->kind != RECORD_ADDRESS && !check_is_answered(a))
			BAD(r, NULL, "%s: %.*s", check_no_answer(a), STR_ARG(a->why));
		else
			judges[r->want->kind](c, r);
	}
	check_host(c);
	if (c->wanted.certificate == NULL)
		check_add(
		    c, FINDING_WARN, "TLSA", c->hostname, NULL, "the certificate cannot be read: %s", c->wanted.words);
}
