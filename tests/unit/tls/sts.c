/* sts.c - tests of MTA-STS: records, policies, patterns, times, and the vectors of two other projects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern/core/io.h>
#include <postern/core/utf8.h>
#include <postern/tls/sts.h>

static void
records(void **state)
{
	static const struct {
		const char *text, *id; /* NULL: does not parse */
	} row[] = {
		{ "v=STSv1; id=20160831085700Z;", "20160831085700Z" },
		{ "v=STSv1;id=a", "a" },
		{ "v=STSv1 \t; \tid=a \t; \t", "a" },
		{ "v=STSv1; x=y; id=a", "a" },
		{ "v=STSv1; ID=b; id=a", "a" },
		{ "v=STSv1; id=a; id=b", "a" },
		{ "v=STSv1; id=a; x_-.y=~!<>", "a" },
		{ "v=STSv1; id=12345678901234567890123456789012", "12345678901234567890123456789012" },
		{ "v=STSv1; id=123456789012345678901234567890123", NULL },
		{ "", NULL },
		{ "v=STSv1", NULL },
		{ "v=STSv1;", NULL },
		{ "v=STSv1; x=y", NULL },
		{ "V=STSv1; id=a", NULL },
		{ "v=stsv1; id=a", NULL },
		{ " v=STSv1; id=a", NULL },
		{ "id=a; v=STSv1", NULL },
		{ "v=STSv12; id=a", NULL },
		{ "v=STSv1; id=a ", NULL },
		{ "v=STSv1; id =a", NULL },
		{ "v=STSv1; id= a", NULL },
		{ "v=STSv1; id=", NULL },
		{ "v=STSv1; id", NULL },
		{ "v=STSv1;; id=a", NULL },
		{ "v=STSv1; id=a;;", NULL },
		{ "v=STSv1; id=a; x=y z", NULL },
		{ "v=STSv1; id=a; x=\xc3\xbc", NULL },
		{ "v=STSv1; id=a; -x=y", NULL },
	};
	struct str id;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		bool ok = tls_sts_parse_record(str_of(row[i].text), &id, &e);

		if (ok != (row[i].id != NULL) || (ok && !str_eq(id, str_of(row[i].id))))
			fail_msg("%s: %s", row[i].text, ok ? "parses" : e.log);
	}
}

static void
the_one_record(void **state)
{
	struct str texts[] = { STR("spf"), STR("v=STSv1; id=a"), STR("v=STSv10; id=b"), STR("v=STSv1;id=c") };
	struct str id;
	struct err e;

	(void)state;
	assert_true(tls_sts_choose_record(texts, 3, &id, &e));
	assert_true(str_eq(id, STR("a")));
	assert_false(tls_sts_choose_record(texts, 4, &id, &e)); /* two */
	assert_false(tls_sts_choose_record(texts, 1, &id, &e)); /* none */
	assert_false(tls_sts_choose_record(NULL, 0, &id, &e));
}

#define HEAD "version: STSv1\nmode: enforce\n"

static void
policies(void **state)
{
	static const struct {
		const char *text;
		int mode; /* -1: does not parse */
		uint32_t age;
		size_t mx;
	} row[] = {
		{ HEAD "mx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n", STS_ENFORCE, 604800, 2 },
		{ HEAD "mx:\ta.test \t\nmax_age: 31557600", STS_ENFORCE, 31557600, 1 },
		{ "max_age:1\nmx:a\nmode:testing\nversion:STSv1", STS_TESTING, 1, 1 },
		{ "version: STSv1\nmode: none\nmax_age: 0\n", STS_NONE, 0, 0 },
		{ HEAD "mode: none\nmx: a.test\nmax_age: 1\nmax_age: x\nversion: STSv2\n", STS_ENFORCE, 1, 1 },
		{ HEAD "mx: a.test\nmax_age: 1\nsome.thing: of \xc3\xbc else\n", STS_ENFORCE, 1, 1 },
		{ HEAD "mx: a.test\nmax_age: 31557601\n", -1, 0, 0 },
		{ HEAD "mx: a.test\nmax_age: -1\n", -1, 0, 0 },
		{ HEAD "mx: a.test\nmax_age: 00000000001\n", -1, 0, 0 },
		{ HEAD "max_age: 1\n", -1, 0, 0 },
		{ HEAD "mx: a.test\n", -1, 0, 0 },
		{ "mode: enforce\nmx: a.test\nmax_age: 1\n", -1, 0, 0 },
		{ "version: STSv1\nmx: a.test\nmax_age: 1\n", -1, 0, 0 },
		{ "version: STSv1\nmode: Enforce\nmx: a.test\nmax_age: 1\n", -1, 0, 0 },
		{ "Version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 1\n", -1, 0, 0 },
		{ HEAD "mx : a.test\nmax_age: 1\n", -1, 0, 0 },
		{ HEAD "mx: a.test\n\nmax_age: 1\n", -1, 0, 0 },
		{ HEAD "mx: a.test\rmax_age: 1\n", -1, 0, 0 },
		{ HEAD "mx: a.test.\nmax_age: 1\n", -1, 0, 0 },
		{ HEAD "mx: *\nmax_age: 1\n", -1, 0, 0 },
		{ HEAD "mx: *.\nmax_age: 1\n", -1, 0, 0 },
		{ HEAD "mx: m*.a.test\nmax_age: 1\n", -1, 0, 0 },
		{ HEAD "mx: .a.test\nmax_age: 1\n", -1, 0, 0 },
		{ HEAD "mx: a..test\nmax_age: 1\n", -1, 0, 0 },
		{ HEAD "mx: a.test, b.test\nmax_age: 1\n", -1, 0, 0 },
		{ HEAD "mx: a.test\nmax_age: 1\nx: \xff\n", -1, 0, 0 },
		{ HEAD "mx: a.test\nmax_age: 1\n<html>\n", -1, 0, 0 },
	};
	static struct sts_policy p;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		bool ok = tls_sts_parse_policy(str_of(row[i].text), &p, &e);

		if (ok != (row[i].mode != -1))
			fail_msg("%s: %s", row[i].text, ok ? "parses" : e.log);
		if (ok && ((int)p.mode != row[i].mode || p.max_age_s != row[i].age || p.n_mx != row[i].mx))
			fail_msg("%s: %d %u %zu", row[i].text, p.mode, p.max_age_s, p.n_mx);
	}
}

/* From a copy of exactly its size, so that the sanitizer sees a byte too many. */
static bool
parse_copy(const char *text, size_t n)
{
	static struct sts_policy p;
	char *copy = malloc(n + 1);
	struct err e;
	bool ok;

	memcpy(copy + 1, text, n);
	ok = tls_sts_parse_policy(str_from(copy + 1, n), &p, &e);
	for (size_t i = 0; ok && i < p.n_mx; i++)
		assert_true(p.mx[i].p > copy && p.mx[i].p + p.mx[i].n <= copy + 1 + n);
	free(copy);
	return ok;
}

static void
truncations(void **state)
{
	static const char text[] = HEAD "mx: mail.example.com\r\nmax_age: 604800\r\n";
	size_t last_field = (size_t)(strstr(text, "max_age: ") - text) + strlen("max_age: ");

	(void)state;
	for (size_t n = 0; n < sizeof text; n++)
		assert_int_equal(parse_copy(text, n), n > last_field);
}

static void
limits(void **state)
{
	static struct sts_policy p;
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_add_cstr(&b, HEAD "max_age: 1\n");
	for (int i = 0; i < STS_MX_MAX; i++)
		buf_addf(&b, "mx: m%d.test\n", i);
	assert_true(tls_sts_parse_policy(buf_str(&b), &p, &e));
	assert_int_equal(p.n_mx, STS_MX_MAX);
	buf_add_cstr(&b, "mx: more.test\n");
	assert_false(tls_sts_parse_policy(buf_str(&b), &p, &e));
	buf_clear(&b);
	buf_add_cstr(&b, HEAD "max_age: 1\nmx: a.test\nx: ");
	while (b.n < STS_POLICY_MAX)
		buf_add_char(&b, 'a');
	assert_true(tls_sts_parse_policy(buf_str(&b), &p, &e));
	buf_add_char(&b, 'a');
	assert_false(tls_sts_parse_policy(buf_str(&b), &p, &e));
	buf_fini(&b);
}

static void
patterns(void **state)
{
	static const struct {
		const char *pattern, *host;
		bool match;
	} row[] = {
		{ "mail.example.com", "mail.example.com", true },
		{ "mail.example.com", "MAIL.example.COM.", true },
		{ "mail.example.com", "mail.example.com.evil.test", false },
		{ "mail.example.com", "xmail.example.com", false },
		{ "*.example.com", "mail.example.com", true },
		{ "*.Example.com", "mail.exaMple.com", true },
		{ "*.example.com", "example.com", false },
		{ "*.example.com", "foo.bar.example.com", false },
		{ "*.example.com", ".example.com", false },
		{ "*.example.com", "", false },
		{ "*.com", "example.com", true },
		{ "*.com", "a.example.com", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		if (tls_sts_match(str_of(row[i].pattern), str_of(row[i].host)) != row[i].match)
			fail_msg("%s %s", row[i].pattern, row[i].host);
}

static void
times(void **state)
{
	static struct sts_policy p = { .max_age_s = 1000 };
	struct wall then = wall_from_seconds(5000);

	(void)state;
	assert_true(tls_sts_in_force(&p, then, wall_from_seconds(5999)));
	assert_false(tls_sts_in_force(&p, then, wall_from_seconds(6000)));
	assert_true(tls_sts_in_force(&p, then, wall_from_seconds(10))); /* the clock was set back */
	assert_int_equal(wall_seconds(tls_sts_refresh_at(&p, then)), 5500);
	p.max_age_s = STS_AGE_MAX_S;
	assert_int_equal(wall_seconds(tls_sts_refresh_at(&p, then)), 5000 + STS_REFRESH_S);
	p.max_age_s = 0;
	assert_false(tls_sts_in_force(&p, then, then));
	assert_false(tls_sts_in_force(&p, then, wall_from_seconds(10)));
}

static void
content_types(void **state)
{
	(void)state;
	assert_true(tls_sts_is_text(STR("text/plain")));
	assert_true(tls_sts_is_text(STR("Text/Plain ; charset=utf-8")));
	assert_true(tls_sts_is_text(STR("text/plain;x")));
	assert_false(tls_sts_is_text(STR("text/html")));
	assert_false(tls_sts_is_text(STR("text/plainer")));
	assert_false(tls_sts_is_text(STR("")));
}

/* A file of the vectors; skips the test when there are none. */
static void
read_vector(const char *path, struct buf *b)
{
	const char *vectors = getenv("POSTERN_VECTORS");
	char full[4096];

	if (vectors == NULL) {
		print_message("POSTERN_VECTORS is not set: %s is skipped\n", path);
		skip();
	}
	snprintf(full, sizeof full, "%s/%s", vectors, path);
	buf_init(b, 1 << 20);
	if (!io_read_file(AT_FDCWD, full, b))
		fail_msg("%s", full);
}

/* What stands between the first two quotes, with \n, \r, \t, \" and \uXXXX. */
static void
unquote(struct str s, struct buf *out)
{
	static const char letters[] = "nrt", bytes[] = "\n\r\t";

	for (size_t i = str_find(s, '"') + 1; i < s.n && s.p[i] != '"'; i++) {
		const char *at = s.p[i] == '\\' ? memchr(letters, s.p[i + 1], 3) : NULL;

		if (s.p[i] == '\\' && s.p[i + 1] == 'u') {
			utf8_add(out, (uint32_t)strtoul(s.p + i + 2, NULL, 16));
			i += 5;
		} else if (at != NULL) {
			buf_add_char(out, bytes[at - letters]);
			i++;
		} else {
			i += s.p[i] == '\\';
			buf_add_char(out, s.p[i]);
		}
	}
}

/* mox's rows, of which all are as RFC 8461 says: no disagreements. */
static void
vectors_of_mox(void **state)
{
	static struct sts_policy p;
	struct buf file, text;
	struct str rest, line, id;
	size_t rows = 0;
	struct err e;

	(void)state;
	read_vector("records-mox/records.tsv", &file);
	buf_init(&text, 65536);
	rest = buf_str(&file);
	while (str_cut(&rest, '\n', &line)) {
		bool record = str_starts(line, STR("mtasts/TestRecord"));
		bool ok;

		if (!str_starts(line, STR("mtasts/")))
			continue;
		buf_clear(&text);
		unquote(line, &text);
		ok = record ? tls_sts_parse_record(buf_str(&text), &id, &e) :
			      tls_sts_parse_policy(buf_str(&text), &p, &e);
		if (ok != (str_search(line, STR("\tgood\t")) < line.n))
			fail_msg("%.*s: %s", STR_ARG(line), ok ? "parses" : e.log);
		rows++;
	}
	assert_true(rows >= 29);
	buf_fini(&text);
	buf_fini(&file);
}

/* The text from after the first `from` that follows `start` on to the next `to`; empty if there is none. */
static struct str
between(struct str s, struct str start, struct str from, struct str to)
{
	s = str_sub(s, str_search(s, start), s.n);
	s = str_sub(s, str_search(s, from) + from.n, s.n);
	return str_sub(s, 0, str_search(s, to));
}

/* Whether the sender would be bound to mail.loc by what DNS and the web server of the vectors say of a domain. */
static bool
is_bound(struct str dns, struct str web, struct str domain, bool testing_counts)
{
	static struct sts_policy p;
	char name[256];
	struct str record, server, id;
	struct buf body;
	struct err e;
	bool ok;

	snprintf(name, sizeof name, "txt-record=_mta-sts.%.*s,\"", STR_ARG(domain));
	record = between(dns, str_of(name), STR("\""), STR("\""));
	snprintf(name, sizeof name, "server_name mta-sts.%.*s;", STR_ARG(domain));
	server = between(web, str_of(name), STR(";"), STR("server {"));
	buf_init(&body, 65536);
	unquote(between(server, STR("return 200"), STR(" "), STR(";\n")), &body);
	ok = tls_sts_choose_record(&record, 1, &id, &e) && str_search(server, STR("text/html")) == server.n &&
	     tls_sts_parse_policy(buf_str(&body), &p, &e) &&
	     (p.mode == STS_ENFORCE || (testing_counts && p.mode == STS_TESTING)) &&
	     tls_sts_allows(&p, STR("mail.loc"));
	buf_fini(&body);
	return ok;
}

/* Disagreements and rows that are not about the two parsers:
 *   [1.2.3.4], [a:bb:ccc::dddd], .domain, domain:123: address literals and Postfix's own syntax; never asked here
 *   bad-cert1, bad-cert2, blackhole: the HTTPS or DNS connection fails; the parsers never see anything
 *   no-data and the overlength ones have no body in the file: not bound, as expected */
static bool
is_about_us(struct str domain)
{
	return domain.n > 0 && ascii_is_alpha(domain.p[0]) && !str_has(domain, ':') &&
	       !str_starts(domain, STR("bad-cert")) && !str_starts(domain, STR("blackhole"));
}

static size_t
check_refdata(const char *path, struct str dns, struct str web, bool testing_counts)
{
	struct buf file;
	struct str rest, line, domain;
	size_t rows = 0;

	read_vector(path, &file);
	rest = buf_str(&file);
	while (str_cut(&rest, '\n', &line)) {
		bool bound = str_search(line, STR("\tOK secure match=mail.loc")) < line.n;

		domain = between(line, STR(" "), STR(" "), STR("\t"));
		if (str_starts(domain, STR("[")))
			domain = between(domain, STR("["), STR("["), STR("]"));
		domain = str_sub(domain, 0, domain.n - str_ends(domain, STR(".")));
		if (!is_about_us(domain))
			continue;
		if (is_bound(dns, web, domain, testing_counts) != bound)
			fail_msg("%s: %.*s", path, STR_ARG(line));
		rows++;
	}
	buf_fini(&file);
	return rows;
}

static void
vectors_of_snawoot(void **state)
{
	struct buf dns, web;
	size_t rows;

	(void)state;
	read_vector("mta-sts-snawoot/dnsmasq.conf.appendix", &dns);
	read_vector("mta-sts-snawoot/nginx.conf", &web);
	rows = check_refdata("mta-sts-snawoot/refdata.tsv", buf_str(&dns), buf_str(&web), false);
	rows += check_refdata("mta-sts-snawoot/refdata_nosni.tsv", buf_str(&dns), buf_str(&web), false);
	rows += check_refdata("mta-sts-snawoot/refdata_strict.tsv", buf_str(&dns), buf_str(&web), true);
	assert_true(rows >= 25);
	buf_fini(&dns);
	buf_fini(&web);
}

/* What is kept of a policy says the same as the policy. */
static void
kept(void **state)
{
	static const char text[] = "version: STSv1\r\nmx: a.example.net\r\nother: thing\r\nmode: testing\r\nmx: *.example.org\r\n"
				   "max_age: 86400\r\n";
	struct sts_policy was, is;
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, STS_POLICY_MAX);
	assert_true(tls_sts_parse_policy(str_of(text), &was, &e));
	tls_sts_write_policy(&was, &b);
	assert_true(tls_sts_parse_policy(buf_str(&b), &is, &e));
	assert_int_equal(is.mode, STS_TESTING);
	assert_int_equal(is.max_age_s, 86400);
	assert_int_equal(is.n_mx, 2);
	assert_true(str_eq(is.mx[0], STR("a.example.net")) && str_eq(is.mx[1], STR("*.example.org")));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records),
		cmocka_unit_test(the_one_record),
		cmocka_unit_test(policies),
		cmocka_unit_test(truncations),
		cmocka_unit_test(limits),
		cmocka_unit_test(patterns),
		cmocka_unit_test(times),
		cmocka_unit_test(kept),
		cmocka_unit_test(content_types),
		cmocka_unit_test(vectors_of_mox),
		cmocka_unit_test(vectors_of_snawoot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
