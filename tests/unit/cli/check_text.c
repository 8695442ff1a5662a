/* check_text.c - tests of policies in TXT records: SPF, DMARC, TLS reporting, right and wrong, and with any byte changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../../src/cli/check_text.h"

static void
chooses(void **state)
{
	static const struct str texts[] = { STR_INIT("v=spf1"), STR_INIT("v=spf1 -all"), STR_INIT("v=spf10 x"),
		STR_INIT("v=DMARC1; p=none"), STR_INIT("v=DMARC1"), STR_INIT("v=dmarc1; p=none"), STR_INIT(""),
		STR_INIT("v=spf1;") };
	struct str record;

	(void)state;
	assert_int_equal(check_text_choose(texts, 8, STR("v=spf1"), false, &record), 2);
	assert_int_equal(check_text_choose(texts, 8, STR("v=DMARC1"), true, &record), 2);
	assert_true(str_eq(record, STR("v=DMARC1; p=none")));
	assert_int_equal(check_text_choose(texts, 8, STR("v=TLSRPTv1"), true, &record), 0);
}

/* Our host mx.d.test has 192.0.2.7 and 2001:db8::7 and is the MX of d.test. */
static void
judge(const char *record, struct spf_verdict *v)
{
	static struct addr addrs[2];
	const struct spf_place place = { STR("d.test"), STR("mx.d.test"), true, addrs, 2 };

	assert_true(addr_parse_ip(STR("192.0.2.7"), &addrs[0]) && addr_parse_ip(STR("2001:db8::7"), &addrs[1]));
	check_spf(str_of(record), &place, v);
}

static void
spf(void **state)
{
	static const struct {
		const char *record;
		bool broken, allows, elsewhere;
		enum spf_all all;
	} rows[] = {
		{ "v=spf1", false, false, false, SPF_NOTHING },
		{ "v=spf1 mx -all", false, true, false, SPF_FAIL },
		{ "v=spf1 MX ~ALL", false, true, false, SPF_SOFTFAIL },
		{ "v=spf1 mx/24//64 ?all", false, true, false, SPF_NEUTRAL },
		{ "v=spf1 mx:other.test -all", false, false, false, SPF_FAIL },
		{ "v=spf1 mx:d.test -all", false, true, false, SPF_FAIL },
		{ "v=spf1 -mx -all", false, false, false, SPF_FAIL },
		{ "v=spf1 a -all", false, false, false, SPF_FAIL },
		{ "v=spf1 a:mx.d.test -all", false, true, false, SPF_FAIL },
		{ "v=spf1 a:MX.d.test/28 -all", false, true, false, SPF_FAIL },
		{ "v=spf1 ip4:192.0.2.7 -all", false, false, false, SPF_FAIL }, /* and IPv6? */
		{ "v=spf1 ip4:192.0.2.7 ip6:2001:db8::/64 -all", false, true, false, SPF_FAIL },
		{ "v=spf1 ip4:192.0.2.99/24 ip6:2001:db8::7 -all", false, true, false, SPF_FAIL },
		{ "v=spf1 ip4:192.0.3.0/24 ip6:2001:db8::7 -all", false, false, false, SPF_FAIL },
		{ "v=spf1 include:_spf.other.test -all", false, false, true, SPF_FAIL },
		{ "v=spf1 redirect=other.test", false, false, true, SPF_NOTHING },
		{ "v=spf1 exists:%{i}.x.test -all", false, false, true, SPF_FAIL },
		{ "v=spf1 unknown=thing mx -all", false, true, false, SPF_FAIL },
		{ "v=spf1 +all", false, true, false, SPF_PASS },
		{ "v=spf1 all", false, true, false, SPF_PASS },
		{ "v=spf1 -all mx", false, false, false, SPF_FAIL }, /* behind all nothing counts */
		{ "v=spf1  mx   -all ", false, true, false, SPF_FAIL },
		{ "v=spf1 mx; -all", true, false, false, SPF_NOTHING },
		{ "v=spf1 ip4:nowhere -all", true, false, false, SPF_NOTHING },
		{ "v=spf1 ip4:192.0.2.0/33 -all", true, false, false, SPF_NOTHING },
		{ "v=spf1 ip4 -all", true, false, false, SPF_NOTHING },
		{ "v=spf1 include -all", true, false, false, SPF_NOTHING },
		{ "v=spf1 v=spf1:x", false, false, false, SPF_NOTHING },
		{ "v=spf1 all:x", true, true, false, SPF_PASS },
		{ "v=spf1 a a a a a a a a a a -all", false, false, false, SPF_FAIL },
		{ "v=spf1 a a a a a a a a a a a -all", true, false, false, SPF_FAIL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct spf_verdict v;

		judge(rows[i].record, &v);
		if ((v.broken != NULL) != rows[i].broken || v.allows != rows[i].allows ||
		    v.elsewhere != rows[i].elsewhere || v.all != rows[i].all)
			fail_msg("%s: %s %d %d %d", rows[i].record, v.broken, v.allows, v.elsewhere, v.all);
	}
}

static void
dmarc(void **state)
{
	static const struct {
		const char *record;
		struct dmarc_verdict v;
	} rows[] = {
		{ "v=DMARC1", { .p = DMARC_MISSING } },
		{ "v=DMARC1; p=none; rua=mailto:a@d.test", { .p = DMARC_NONE, .rua = true } },
		{ "v=DMARC1;p = Reject ;", { .p = DMARC_REJECT } },
		{ "v=DMARC1; p=quarantine; sp=reject; np=none; t=y",
		    { .p = DMARC_QUARANTINE, .sp = DMARC_REJECT, .np = DMARC_NONE, .testing = true } },
		{ "v=DMARC1; p=block", { .p = DMARC_UNKNOWN } },
		{ "v=DMARC1; p=", { .p = DMARC_UNKNOWN } },
		{ "v=DMARC1; p=reject; pct=50", { .p = DMARC_REJECT, .obsolete = true } },
		{ "v=DMARC1; p=reject; ri=3600; rf=afrf", { .p = DMARC_REJECT, .obsolete = true } },
		{ "v=DMARC1; p=reject; x=y; ;; =; nonsense", { .p = DMARC_REJECT } },
		{ "v=DMARC1; p=reject; psd=y", { .p = DMARC_REJECT, .psd_y = true } },
		{ "v=DMARC1; p=reject; psd=n; rua=nobody", { .p = DMARC_REJECT, .psd_n = true } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct dmarc_verdict *want = &rows[i].v;
		struct dmarc_verdict v;

		check_dmarc(str_of(rows[i].record), &v);
		if (v.p != want->p || v.sp != want->sp || v.np != want->np || v.testing != want->testing ||
		    v.rua != want->rua || v.obsolete != want->obsolete || v.psd_y != want->psd_y ||
		    v.psd_n != want->psd_n)
			fail_msg("%s: p=%d sp=%d np=%d", rows[i].record, v.p, v.sp, v.np);
	}
	assert_string_equal(dmarc_policy_name(DMARC_REJECT), "reject");
}

/* RFC 9989 4.10: one label less at a time; from a long name at once to seven labels. */
static void
walks(void **state)
{
	struct str at = STR("a.b.c.d.e.f.g.h.mail.example.test");

	(void)state;
	at = dmarc_parent(at, true);
	assert_true(str_eq(at, STR("e.f.g.h.mail.example.test")));
	at = dmarc_parent(at, false);
	assert_true(str_eq(at, STR("f.g.h.mail.example.test")));
	at = dmarc_parent(STR("mail.example.test"), true);
	assert_true(str_eq(at, STR("example.test")));
	at = dmarc_parent(at, false);
	assert_true(str_eq(at, STR("test")));
	assert_int_equal(dmarc_parent(at, false).n, 0);
}

static void
tls_reports(void **state)
{
	(void)state;
	assert_null(check_tlsrpt(STR("v=TLSRPTv1; rua=mailto:a@d.test")));
	assert_null(check_tlsrpt(STR("v=TLSRPTv1;rua=https://d.test/x, mailto:a@d.test;")));
	assert_non_null(check_tlsrpt(STR("v=TLSRPTv1")));
	assert_non_null(check_tlsrpt(STR("v=TLSRPTv1; rua=")));
	assert_non_null(check_tlsrpt(STR("v=TLSRPTv1; rua=a@d.test")));
	assert_non_null(check_tlsrpt(STR("v=TLSRPTv1; rua=mailto:nobody")));
}

/* What stands in DNS may be anything: every truncation and every changed byte of a record, from memory of just its size. */
static void
any_bytes(void **state)
{
	static const char *const records[] = {
		"v=spf1 a:mx.d.test/24//64 mx ip4:192.0.2.0/24 ip6:2001:db8::/32 include:x -all",
		"v=DMARC1; p=none; sp=reject; rua=mailto:a@d.test", "v=TLSRPTv1; rua=mailto:a@d.test, https://x"
	};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (size_t n = 0; n <= strlen(records[i]); n++)
			for (int byte = 0; byte<256; byte += n> 6 ? 1 : 255) {
				char *copy = malloc(n + 1);
				struct dmarc_verdict d;
				struct spf_verdict v;
				struct addr a = { .port = 0 };
				struct spf_place place = { STR("d.test"), STR("mx.d.test"), true, &a, 1 };

				memcpy(copy, records[i], n);
				if (n > 6)
					copy[n - 1] = (char)byte;
				check_spf(str_from(copy, n), &place, &v);
				check_dmarc(str_from(copy, n), &d);
				check_tlsrpt(str_from(copy, n));
				free(copy);
			}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chooses),
		cmocka_unit_test(spf),
		cmocka_unit_test(dmarc),
		cmocka_unit_test(walks),
		cmocka_unit_test(tls_reports),
		cmocka_unit_test(any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
