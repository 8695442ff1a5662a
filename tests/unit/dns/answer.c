/* answer.c - tests of names, words and the way of an answer between processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <postern/dns/answer.h>

static void
names_that_may_be_asked(void **state)
{
	static const char *const good[] = { ".", "a", "a.", "mx.example.test", "MX.Example.Test.", "_25._tcp.mx.test",
		"xn--bcher-kva.test", "1.2.0.192.in-addr.arpa" };
	static const char *const bad[] = { "", "..", ".a", "a..b", "a..", "a b", "a/b",
		"b\xc3\xbc"
		"cher",
		"a\\032b", "a@b", "*.a", " a" };
	char label[70];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (!dns_name_valid(str_of(good[i])))
			fail_msg("%s is refused", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (dns_name_valid(str_of(bad[i])))
			fail_msg("%s is taken", bad[i]);
	memset(label, 'x', sizeof label);
	assert_true(dns_name_valid(str_from(label, 63)));
	assert_false(dns_name_valid(str_from(label, 64)));
	assert_false(dns_name_valid(str_from("a\0b", 3)));
}

static void
a_name_has_a_length(void **state)
{
	char name[DNS_NAME_MAX + 3];

	(void)state;
	for (size_t i = 0; i < sizeof name; i++)
		name[i] = i % 2 == 0 ? 'a' : '.';
	assert_true(dns_name_valid(str_from(name, DNS_NAME_MAX)));
	assert_true(dns_name_valid(str_from(name, DNS_NAME_MAX + 1)));
	assert_false(dns_name_valid(str_from(name, DNS_NAME_MAX + 2)));
}

static void
types_and_states_have_words(void **state)
{
	enum dns_type type;

	(void)state;
	assert_true(dns_type_parse(STR("tlsa"), &type));
	assert_int_equal(type, DNS_TLSA);
	assert_string_equal(dns_type_name(type), "TLSA");
	assert_false(dns_type_parse(STR("soa"), &type));
	assert_false(dns_type_parse(STR(""), &type));
	assert_false(dns_type_valid(6));
	assert_string_equal(dns_status_name(DNS_BOGUS), "bogus");
	assert_string_equal(dns_status_name(DNS_STATUSES), "?");
}

static const struct dns_record sample = { .preference = 0x0a00,
	.weight = 1,
	.port = 993,
	.name = STR_INIT("mx.test"),
	.ip = { [15] = 1 },
	.tlsa = { 3, 1, 2, STR_INIT("\0\1\xff") },
	.text = STR_INIT("a\0b") };

static void
every_type_travels(void **state)
{
	static const struct {
		enum dns_type type;
		const char *text;
	} rows[] = { { DNS_A, "::1" }, { DNS_AAAA, "::1" }, { DNS_MX, "2560 mx.test" }, { DNS_PTR, "mx.test" },
		{ DNS_CNAME, "mx.test" }, { DNS_TXT, "a\\000b" }, { DNS_TLSA, "3 1 2 0001ff" },
		{ DNS_SRV, "2560 1 993 mx.test" } };
	static const struct str aliases[] = { STR_INIT("a.test"), STR_INIT("b.test") };
	struct dns_answer answer = { .status = DNS_SECURE,
		.secure = true,
		.ttl = 77,
		.canonical = STR("c.test"),
		.alias = aliases,
		.naliases = 2,
		.naliases_secure = 2,
		.records = &sample,
		.nrecords = 1 };
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct lookup_answer message;
		struct dns_answer back;
		struct buf b;

		buf_init(&b, 1000);
		dns_answer_pack(&answer, rows[i].type, &a, &message);
		dns_answer_unpack(&message, rows[i].type, &a, &back);
		assert_int_equal(back.status, DNS_SECURE);
		assert_true(back.secure);
		assert_int_equal(back.ttl, 77);
		assert_int_equal(back.naliases, 2);
		assert_int_equal(back.naliases_secure, 2);
		assert_true(str_eq(back.canonical, STR("c.test")));
		assert_int_equal(back.nrecords, 1);
		dns_record_write(rows[i].type, &back.records[0], &b);
		assert_string_equal(buf_cstr(&b), rows[i].text);
		buf_fini(&b);
	}
	arena_fini(&a);
}

/* Nothing that a broken dns process says becomes "secure" or "there is none". */
static void
what_cannot_be_is_failed(void **state)
{
	static const struct str address = STR_INIT("0123456789abcdef");
	static const struct str shorter = STR_INIT("0123");
	static const struct lookup_answer rows[] = {
		{ .status = DNS_STATUSES },
		{ .status = DNS_SECURE, .secure = 1 },
		{ .status = DNS_INSECURE },
		{ .status = DNS_SECURE, .secure = 0, .records = { &address, 1 } },
		{ .status = DNS_INSECURE, .secure = 1, .records = { &address, 1 } },
		{ .status = DNS_INSECURE, .records = { &shorter, 1 } },
		{ .status = DNS_NXDOMAIN, .records = { &address, 1 } },
		{ .status = DNS_BOGUS, .secure = 1 },
		{ .status = DNS_NODATA, .aliases_secure = 1 },
	};
	struct dns_answer out;
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		dns_answer_unpack(&rows[i], DNS_A, &a, &out);
		if (out.status != DNS_FAILED || out.secure || out.nrecords != 0)
			fail_msg("row %zu: %s", i, dns_status_name(out.status));
	}
	dns_answer_unpack(NULL, DNS_A, &a, &out);
	assert_int_equal(out.status, DNS_FAILED);
	assert_true(str_eq(out.why, STR("the dns process is gone")));
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_may_be_asked),
		cmocka_unit_test(a_name_has_a_length),
		cmocka_unit_test(types_and_states_have_words),
		cmocka_unit_test(every_type_travels),
		cmocka_unit_test(what_cannot_be_is_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
