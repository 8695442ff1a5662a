/* plan_tls.c - tests of what DNSSEC, MTA-STS, rules and messages make of a plan: a row is the DNS of one destination, and
 * the plan that comes of it whatever order the answers come in. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define MX "d.test MX secure 10:mx.d.test"
#define A "mx.d.test A secure 192.0.2.1"
#define TLSA "_25._tcp.mx.d.test TLSA secure "
#define STS(mode, mx) "version: STSv1\nmode: " mode "\nmx: " mx "\nmax_age: 86400\n"

struct row {
	const char *name;
	const char *rows[10];
	const char *want;
	struct world_mail mail;
	const char *unasked; /* a name at which no TLSA record is asked for */
	const char *words; /* part of the answer's text or of a decision's why */
};

/* RFC 7672 2.1 and 2.2 */
static const struct row dane[] = {
	{ "3 1 1", { MX, A, TLSA "311" }, .want = "DONE; mx.d.test dane 1 192.0.2.1" },
	{ "3 0 1", { MX, A, TLSA "301" }, .want = "DONE; mx.d.test dane 1 192.0.2.1" },
	{ "3 1 2", { MX, A, TLSA "312" }, .want = "DONE; mx.d.test dane 1 192.0.2.1" },
	{ "2 0 1", { MX, A, TLSA "201" }, .want = "DONE; mx.d.test dane 1 192.0.2.1" },
	{ "2 1 1", { MX, A, TLSA "211" }, .want = "DONE; mx.d.test dane 1 192.0.2.1" },
	{ "rollover", { MX, A, TLSA "311 211" }, .want = "DONE; mx.d.test dane 2 192.0.2.1" },
	{ "one is usable", { MX, A, TLSA "111 311x 311" }, .want = "DONE; mx.d.test dane 1 192.0.2.1" },
	{ "none is usable", { MX, A, TLSA "011 111 311x 341 911" }, .want = "DONE; mx.d.test encrypt 192.0.2.1",
	    .words = "no TLSA record of mx.d.test is usable" },
	{ "bogus TLSA", { MX, A, "_25._tcp.mx.d.test TLSA bogus" }, .want = "TEMP 4.4.3; mx.d.test - dnssec-invalid",
	    .words = "as the test wants" },
	{ "TLSA SERVFAIL", { MX, A, "_25._tcp.mx.d.test TLSA failed" },
	    .want = "TEMP 4.4.3; mx.d.test - dnssec-invalid" },
	{ "bogus TLSA of one host",
	    { "d.test MX secure 10:mx.d.test 20:b.d.test", A, "_25._tcp.mx.d.test TLSA bogus",
		"b.d.test A secure 192.0.2.2", "_25._tcp.b.d.test TLSA secure 311" },
	    .want = "DONE; mx.d.test - dnssec-invalid; b.d.test dane 1 192.0.2.2" },
	{ "bogus MX", { "d.test MX bogus", A, TLSA "311" }, .want = "TEMP 4.4.3; ? - dnssec-invalid",
	    .words = "are bogus", .unasked = "_25._tcp.mx.d.test" },
	{ "MX SERVFAIL", { "d.test MX failed", A }, .want = "TEMP 4.4.3; ? -",
	    .words = "cannot be had: as the test wants" },
	{ "NXDOMAIN for TLSA", { MX, A }, .want = "DONE; mx.d.test may 192.0.2.1" },
	{ "NODATA for TLSA", { MX, A, "_25._tcp.mx.d.test MX secure 10:x" }, .want = "DONE; mx.d.test may 192.0.2.1" },
	{ "TLSA for another port", { MX, A, "_465._tcp.mx.d.test TLSA secure 311" },
	    .want = "DONE; mx.d.test may 192.0.2.1" },
	{ "insecure TLSA", { MX, A, "_25._tcp.mx.d.test TLSA insecure 311" }, .want = "DONE; mx.d.test may 192.0.2.1" },
	{ "insecure MX with TLSA", { "d.test MX insecure 10:mx.d.test", A, TLSA "311" },
	    .want = "DONE; mx.d.test may 192.0.2.1", .unasked = "_25._tcp.mx.d.test" },
	{ "insecure address with TLSA", { MX, "mx.d.test A insecure 192.0.2.1", TLSA "311" },
	    .want = "DONE; mx.d.test may 192.0.2.1", .unasked = "_25._tcp.mx.d.test" },
	{ "insecure IPv6 beside secure IPv4", { MX, A, "mx.d.test AAAA insecure 2001:db8::1", TLSA "311" },
	    .want = "DONE; mx.d.test may 2001:db8::1 192.0.2.1", .unasked = "_25._tcp.mx.d.test" },
	{ "TLSA of an insecure alias", { MX, "mx.d.test A insecure >h.p.test 192.0.2.1", TLSA "311" },
	    .want = "DONE; mx.d.test may 192.0.2.1", .unasked = "_25._tcp.mx.d.test" },
	{ "secure alias to an insecure name", { MX, "mx.d.test A insecure >h.p.test! 192.0.2.1", TLSA "311" },
	    .want = "DONE; mx.d.test dane 1 192.0.2.1", .unasked = "_25._tcp.h.p.test" },
	{ "secure alias: TLSA at its end",
	    { MX, "mx.d.test A secure >h.p.test 192.0.2.1", "_25._tcp.h.p.test TLSA secure 211", TLSA "311 311" },
	    .want = "DONE; mx.d.test dane 1 192.0.2.1", .words = "of h.p.test" },
	{ "secure alias: TLSA at its beginning", { MX, "mx.d.test A secure >h.p.test 192.0.2.1", TLSA "311 211" },
	    .want = "DONE; mx.d.test dane 2 192.0.2.1", .words = "of mx.d.test" },
	{ "secure alias: bogus TLSA at its end",
	    { MX, "mx.d.test A secure >h.p.test 192.0.2.1", "_25._tcp.h.p.test TLSA bogus", TLSA "311" },
	    .want = "TEMP 4.4.3; mx.d.test - dnssec-invalid" },
	{ "TLSA behind an alias of its own", { MX, A, "_25._tcp.mx.d.test TLSA secure >t.p.test 311" },
	    .want = "DONE; mx.d.test dane 1 192.0.2.1", .words = "of mx.d.test" },
	{ "bogus address", { MX, "mx.d.test A bogus", TLSA "311" }, .want = "TEMP 4.4.3; mx.d.test - dnssec-invalid",
	    .unasked = "_25._tcp.mx.d.test" },
	{ "bogus IPv6 beside secure IPv4", { MX, A, "mx.d.test AAAA bogus", TLSA "311" },
	    .want = "TEMP 4.4.3; mx.d.test - dnssec-invalid" },
	{ "no answer for IPv6 beside secure IPv4", { MX, A, "mx.d.test AAAA failed", TLSA "311" },
	    .want = "TEMP 4.4.3; mx.d.test -" },
	{ "no answer for IPv6 beside insecure IPv4", { MX, "mx.d.test A insecure 192.0.2.1", "mx.d.test AAAA failed" },
	    .want = "DONE; mx.d.test may 192.0.2.1" },
	{ "bogus IPv6 beside insecure IPv4", { MX, "mx.d.test A insecure 192.0.2.1", "mx.d.test AAAA bogus" },
	    .want = "TEMP 4.4.3; mx.d.test - dnssec-invalid" },
	{ "alias that changes between two questions",
	    { MX, "mx.d.test A secure >old.d.test 192.0.2.1", "mx.d.test AAAA secure >new.d.test 2001:db8::1",
		"_25._tcp.new.d.test TLSA secure 311" },
	    .want = "DONE; mx.d.test dane 1 2001:db8::1", .unasked = "_25._tcp.old.d.test" },
	{ "alias of the domain", { "d.test MX secure >e.test 10:mx.d.test", A, TLSA "211" },
	    .want = "DONE; mx.d.test dane 1 192.0.2.1" },
	{ "no MX, secure", { "d.test A secure 192.0.2.1", "_25._tcp.d.test TLSA secure 311" },
	    .want = "DONE; d.test dane 1 192.0.2.1" },
	{ "no MX, delegation without DS", { "d.test A insecure 192.0.2.1", "_25._tcp.d.test TLSA insecure 311" },
	    .want = "DONE; d.test may 192.0.2.1", .unasked = "_25._tcp.d.test" },
	{ "better host without TLSA stays better",
	    { "d.test MX secure 10:mx.d.test 20:b.d.test", A, "b.d.test A secure 192.0.2.2",
		"_25._tcp.b.d.test TLSA secure 311" },
	    .want = "DONE; mx.d.test may 192.0.2.1; b.d.test dane 1 192.0.2.2" },
};

/* RFC 8461 4 and 5 */
static const struct row sts[] = {
	{ "enforce", { "d.test MX insecure 10:mx.d.test", A }, .want = "DONE; mx.d.test verify 192.0.2.1",
	    .mail.sts = STS("enforce", "mx.d.test") },
	{ "enforce, any label", { "d.test MX insecure 10:mx.d.test", A }, .want = "DONE; mx.d.test verify 192.0.2.1",
	    .mail.sts = STS("enforce", "*.d.test") },
	{ "enforce, not listed", { "d.test MX insecure 10:mx.d.test", A },
	    .want = "TEMP 4.7.5; mx.d.test - validation-failure", .mail.sts = STS("enforce", "other.test"),
	    .words = "does not list this host" },
	{ "enforce, one not listed",
	    { "d.test MX insecure 10:mx.d.test 20:b.d.test", A, "b.d.test A secure 192.0.2.2" },
	    .want = "DONE; mx.d.test - validation-failure; b.d.test verify 192.0.2.2",
	    .mail.sts = STS("enforce", "b.d.test") },
	{ "testing, not listed", { "d.test MX insecure 10:mx.d.test", A }, .want = "DONE; mx.d.test may 192.0.2.1",
	    .mail.sts = STS("testing", "other.test") },
	{ "none", { "d.test MX insecure 10:mx.d.test", A }, .want = "DONE; mx.d.test may 192.0.2.1",
	    .mail.sts = STS("none", "other.test") },
	{ "DANE is before it", { MX, A, TLSA "311" }, .want = "DONE; mx.d.test dane 1 192.0.2.1",
	    .mail.sts = STS("enforce", "other.test") },
	{ "unusable TLSA does not lower it", { MX, A, TLSA "111" }, .want = "DONE; mx.d.test verify 192.0.2.1",
	    .mail.sts = STS("enforce", "mx.d.test") },
	{ "a policy that is damaged", { MX, A }, .want = "TEMP 4.7.5", .mail.sts = "version: STSv1\nmode: enf",
	    .words = "is damaged" },
};

/* RFC 8689 4 */
static const struct row messages[] = {
	{ "REQUIRETLS over DANE", { MX, A, TLSA "311" }, .want = "DONE; mx.d.test dane 1 192.0.2.1",
	    .mail.message = TLS_MESSAGE_REQUIRES },
	{ "REQUIRETLS, signed", { MX, A }, .want = "DONE; mx.d.test verify 192.0.2.1",
	    .mail.message = TLS_MESSAGE_REQUIRES },
	{ "REQUIRETLS, unsigned", { "d.test MX insecure 10:mx.d.test", A }, .want = "PERM 5.7.10; mx.d.test -",
	    .mail.message = TLS_MESSAGE_REQUIRES, .words = "neither DNSSEC nor MTA-STS" },
	{ "REQUIRETLS, MTA-STS", { "d.test MX insecure 10:mx.d.test", A }, .want = "DONE; mx.d.test verify 192.0.2.1",
	    .mail = { .message = TLS_MESSAGE_REQUIRES, .sts = STS("testing", "mx.d.test") } },
	{ "REQUIRETLS, DNS keeps one away today",
	    { "d.test MX insecure 10:mx.d.test 20:b.d.test", A, "b.d.test A failed" },
	    .want = "TEMP 4.4.3; mx.d.test -; b.d.test -", .mail.message = TLS_MESSAGE_REQUIRES },
	{ "REQUIRETLS, MTA-STS keeps one away today", { "d.test MX insecure 10:mx.d.test", A },
	    .want = "TEMP 4.7.5; mx.d.test - validation-failure",
	    .mail = { .message = TLS_MESSAGE_REQUIRES, .sts = STS("enforce", "b.d.test") } },
	{ "REQUIRETLS to an address", { NULL }, .want = "PERM 5.7.10; ? -",
	    .mail = { .message = TLS_MESSAGE_REQUIRES, .destination = "[192.0.2.9]" } },
	{ "TLS-Required: No", { MX, A, TLSA "311" }, .want = "DONE; mx.d.test may 1 192.0.2.1",
	    .mail.message = TLS_MESSAGE_OPTIONAL },
	{ "TLS-Required: No, bogus", { MX, A, "_25._tcp.mx.d.test TLSA bogus" },
	    .want = "DONE; mx.d.test may 192.0.2.1", .mail.message = TLS_MESSAGE_OPTIONAL },
};

#define RULE(tls) .mail.conf = "route d.test { " tls " }\n"
#define FIXED(tls, to) .mail = { .conf = "route d.test { to = \"" to "\" " tls " }\n" }

static const struct row rules[] = {
	{ "none", { MX, A, TLSA "311" }, .want = "DONE; mx.d.test none 192.0.2.1", RULE("tls = none"),
	    .unasked = "_25._tcp.mx.d.test" },
	{ "may", { MX, A, TLSA "311" }, .want = "DONE; mx.d.test may 192.0.2.1", RULE("tls = may"),
	    .unasked = "_25._tcp.mx.d.test" },
	{ "policy", { MX, A, TLSA "311" }, .want = "DONE; mx.d.test dane 1 192.0.2.1", RULE("tls = policy") },
	{ "verify", { "d.test MX insecure 10:mx.d.test", A }, .want = "DONE; mx.d.test verify 192.0.2.1",
	    RULE("tls = verify"), .words = "the rule demands verify" },
	{ "dane, and there is", { MX, A, TLSA "311" }, .want = "DONE; mx.d.test dane 1 192.0.2.1", RULE("tls = dane") },
	{ "dane, and there is none", { MX, A }, .want = "TEMP 4.7.5; mx.d.test - dane-required", RULE("tls = dane") },
	{ "dane, insecure MX", { "d.test MX insecure 10:mx.d.test", A },
	    .want = "TEMP 4.7.5; mx.d.test - dane-required", RULE("tls = dane") },
	{ "bogus whatever the rule", { MX, "mx.d.test A bogus" }, .want = "TEMP 4.4.3; mx.d.test - dnssec-invalid",
	    RULE("tls = none") },
	{ "fixed host",
	    { "h.test A secure 192.0.2.1", "h.test MX secure 10:other.test", "_26._tcp.h.test TLSA secure 311" },
	    .want = "DONE; h.test dane 1 192.0.2.1:26", FIXED("", "h.test:26") },
	{ "fixed host, TLSA of port 25", { "h.test A secure 192.0.2.1", "_25._tcp.h.test TLSA secure 311" },
	    .want = "DONE; h.test may 192.0.2.1:26", FIXED("", "h.test:26"), .unasked = "_25._tcp.h.test" },
	{ "fixed host, dane", { "h.test A secure 192.0.2.1" }, .want = "TEMP 4.7.5; h.test - dane-required",
	    FIXED("tls = dane", "h.test") },
	{ "fixed host, alias", { "h.test A secure >i.test 192.0.2.1", "_25._tcp.i.test TLSA secure 211" },
	    .want = "DONE; h.test dane 1 192.0.2.1", FIXED("", "h.test") },
	{ "fixed host, insecure", { "h.test A insecure 192.0.2.1" }, .want = "DONE; h.test may 192.0.2.1",
	    FIXED("", "h.test") },
	{ "fixed address", { NULL }, .want = "DONE; ? may 192.0.2.1", FIXED("", "192.0.2.1") },
	{ "fixed address, verify", { NULL }, .want = "DONE; ? verify 192.0.2.1:587",
	    FIXED("tls = verify names = { n.test }", "192.0.2.1:587") },
	{ "fixed address, verify whom", { NULL }, .want = "TEMP 4.7.5; ? -", FIXED("tls = verify", "192.0.2.1") },
	{ "smtps is never plain", { "h.test A insecure 192.0.2.1" }, .want = "DONE; h.test encrypt 192.0.2.1:465",
	    FIXED("protocol = smtps", "h.test:465"), .words = "smtps is never plain" },
	{ "smtps, DANE", { "h.test A secure 192.0.2.1", "_465._tcp.h.test TLSA secure 311" },
	    .want = "DONE; h.test dane 1 192.0.2.1:465", FIXED("protocol = smtps", "h.test:465") },
	{ "smtps, none", { "h.test A insecure 192.0.2.1" }, .want = "DONE; h.test encrypt 192.0.2.1:465",
	    FIXED("protocol = smtps tls = none", "h.test:465") },
};

static bool
has_words(const struct world *w, const char *words)
{
	for (unsigned i = 0; i < w->last->nhosts; i++)
		if (strstr(w->last->hosts[i].decision.why, words) != NULL)
			return true;
	return strstr(w->last->text, words) != NULL;
}

static void
check_row(const struct row *r, enum names_order order, unsigned seed)
{
	struct world w;

	world_init(&w, r->rows, &r->mail);
	w.names.random = seed;
	world_ask(&w, &r->mail);
	world_run(&w, order);
	if (strcmp(buf_cstr(&w.plan), r->want) != 0)
		fail_msg("%s: %s\nwanted: %s\n%s", r->name, buf_cstr(&w.plan), r->want, w.last->text);
	if (r->words != NULL && !has_words(&w, r->words))
		fail_msg("%s: %s", r->name, w.last->text);
	if (r->unasked != NULL && names_asked(&w.names, DNS_TLSA, r->unasked) > 0)
		fail_msg("%s: %s was asked for", r->name, r->unasked);
	world_fini(&w);
}

static void
check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		check_row(&rows[i], NAMES_FIRST, 0);
		check_row(&rows[i], NAMES_LAST, 0);
		for (unsigned seed = 0; seed < 10; seed++)
			check_row(&rows[i], NAMES_RANDOM, seed);
	}
}

#define ROWS(name)                                                                                                     \
	static void test_##name(void **state)                                                                          \
	{                                                                                                              \
		(void)state;                                                                                           \
		check_rows(name, sizeof name / sizeof *name);                                                          \
	}
ROWS(dane)
ROWS(sts)
ROWS(messages)
ROWS(rules)

/* A plan's names and records are its own: those of the answers and of the caller are gone. */
static void
identifiers(void **state)
{
	static const char *const rows[] = { "d.test MX secure >e.test 10:mx.d.test",
		"mx.d.test A secure >h.test 192.0.2.1", "_25._tcp.h.test TLSA secure 211", NULL };
	struct world_mail mail = { 0 };
	struct world w;
	const struct tls_decision *d;

	(void)state;
	world_init(&w, rows, &mail);
	world_ask(&w, &mail);
	world_run(&w, NAMES_FIRST);
	d = &w.last->hosts[0].decision;
	assert_true(str_eq(d->sni, STR("h.test")));
	assert_int_equal(d->n_names, 3);
	assert_true(str_eq(d->names[0], STR("h.test")));
	assert_true(str_eq(d->names[1], STR("d.test")));
	assert_true(str_eq(d->names[2], STR("e.test")));
	assert_int_equal(d->tlsa[0].usage, 2);
	assert_int_equal(d->tlsa[0].data.n, 32);
	assert_int_equal(w.last->hosts[0].ttl, 300);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dane),
		cmocka_unit_test(test_sts),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(identifiers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
