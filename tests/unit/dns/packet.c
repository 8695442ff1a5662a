/* packet.c - tests of the reader of DNS packets: every type, every limit, every truncation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "packet.h"
#include "wire.h"

static struct arena arena;
static struct dns_answer answer;
static const char *why;

static bool
parse(struct buf *b, enum dns_type type, const char *name)
{
	why = NULL;
	return dns_packet_parse(buf_str(b), type, str_of(name), &arena, &answer, &why);
}

static void
assert_records(enum dns_type type, const char *expected)
{
	struct buf b;

	buf_init(&b, 65536);
	for (uint32_t i = 0; i < answer.nrecords; i++) {
		dns_record_write(type, &answer.records[i], &b);
		buf_add_char(&b, ';');
	}
	assert_string_equal(buf_cstr(&b), expected);
	buf_fini(&b);
}

static void
assert_refused(struct buf *b, enum dns_type type, const char *name, const char *words)
{
	assert_false(parse(b, type, name));
	assert_string_equal(why, words);
	assert_int_equal(answer.status, DNS_FAILED);
	assert_int_equal(answer.nrecords, 0);
	assert_int_equal(answer.ttl, 0);
	buf_fini(b);
}

#define BYTES(s) str_from("" s, sizeof(s) - 1)

static const struct {
	enum dns_type type;
	struct str data;
	const char *text; /* NULL: refused */
} one_record[] = {
	{ DNS_A, STR_INIT("\xc0\0\2\1"), "192.0.2.1;" },
	{ DNS_A, STR_INIT("\xc0\0\2"), NULL },
	{ DNS_A, STR_INIT("\xc0\0\2\1\0"), NULL },
	{ DNS_AAAA, STR_INIT("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x19"), "2001:db8::19;" },
	{ DNS_AAAA, STR_INIT("\x20\1\x0d\xb8"), NULL },
	{ DNS_MX, STR_INIT("\0\x0a\2MX\4TEST\0"), "10 mx.test;" },
	{ DNS_MX, STR_INIT("\0\0\0"), "0 .;" },
	{ DNS_MX, STR_INIT("\0\x0a"), NULL },
	{ DNS_MX, STR_INIT("\0\x0a\2mx\4test\0x"), NULL },
	{ DNS_MX, STR_INIT("\0\x0a\2mx\4test"), NULL },
	{ DNS_MX, STR_INIT("\0\x0a\2mx\xc0\x0c"), "10 mx.a.test;" },
	{ DNS_MX, STR_INIT("\0\x0a\5a b.c\0"), "10 a\\032b\\046c;" },
	{ DNS_SRV, STR_INIT("\0\1\0\2\3\xe1\2mx\4TEST\0"), "1 2 993 mx.test;" },
	{ DNS_SRV, STR_INIT("\0\0\0\0\0\0\0"), "0 0 0 .;" },
	{ DNS_SRV, STR_INIT("\0\0\0\0\0\0"), NULL },
	{ DNS_SRV, STR_INIT("\0\0\0\0\0\0\0x"), NULL },
	{ DNS_PTR, STR_INIT("\4host\0"), "host;" },
	{ DNS_CNAME, STR_INIT("\1b\0"), "b;" },
	{ DNS_CNAME, STR_INIT(""), NULL },
	{ DNS_CNAME, STR_INIT("\x40xx"), NULL },
	{ DNS_CNAME, STR_INIT("\xc0\xff"), NULL },
	{ DNS_TXT, STR_INIT("\3abc\0\2de"), "abcde;" },
	{ DNS_TXT, STR_INIT("\3a\\\0"), "a\\092\\000;" },
	{ DNS_TXT, STR_INIT("\4abc"), NULL },
	{ DNS_TXT, STR_INIT(""), ";" },
	{ DNS_TLSA, STR_INIT("\3\1\1\xab\xcd"), "3 1 1 abcd;" },
	{ DNS_TLSA, STR_INIT("\3\1\1"), NULL },
};

static void
each_type_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof one_record / sizeof *one_record; i++) {
		struct buf b;

		wire_begin(&b, WIRE_REPLY, "a.test", one_record[i].type);
		wire_rr(&b, "a.test", one_record[i].type, 300, one_record[i].data);
		if (parse(&b, one_record[i].type, "a.test") != (one_record[i].text != NULL))
			fail_msg("record %zu: %s", i, why != NULL ? why : "taken");
		if (one_record[i].text != NULL) {
			assert_int_equal(answer.status, DNS_INSECURE);
			assert_int_equal(answer.ttl, 300);
			assert_records(one_record[i].type, one_record[i].text);
		}
		buf_fini(&b);
	}
}

static void
add_everything(struct buf *b)
{
	wire_begin(b, WIRE_REPLY, "a.test", DNS_MX);
	wire_alias(b, "a.test", "b.test");
	wire_alias(b, "b.test", "c.test");
	wire_rr(b, "c.test", DNS_MX, 100, BYTES("\0\5\1x\xc0\x0c"));
	wire_rr(b, "c.test", DNS_TXT, 1, BYTES("\1x"));
	wire_rr(b, "other.test", DNS_MX, 1, BYTES("\0\6\0"));
	wire_rr(b, "C.TEST", DNS_MX, 200, BYTES("\0\7\1y\0"));
	wire_soa(b, "test", 60);
}

static void
aliases_are_followed(void **state)
{
	struct buf b;

	(void)state;
	add_everything(&b);
	assert_true(parse(&b, DNS_MX, "A.Test."));
	assert_records(DNS_MX, "5 x.a.test;7 y;");
	assert_int_equal(answer.ttl, 100);
	assert_true(str_eq(answer.canonical, STR("c.test")));
	assert_int_equal(answer.naliases, 2);
	assert_true(str_eq(answer.alias[0], STR("a.test")));
	assert_true(str_eq(answer.alias[1], STR("b.test")));
	assert_int_equal(answer.naliases_secure, 0);
	assert_false(answer.secure);
	buf_fini(&b);
}

static void
no_truncation_is_taken(void **state)
{
	struct buf whole;

	(void)state;
	add_everything(&whole);
	whole.n -= 6 + 10 + 22; /* the authority section is not looked at when there are records */
	assert_true(parse(&whole, DNS_MX, "a.test"));
	for (size_t n = 0; n < whole.n; n++) {
		char *exact = malloc(n); /* so that a step too far is seen */

		assert_true(n == 0 || exact != NULL);
		memcpy(exact, whole.p, n);
		assert_false(dns_packet_parse(str_from(exact, n), DNS_MX, STR("a.test"), &arena, &answer, &why));
		assert_int_equal(answer.status, DNS_FAILED);
		free(exact);
	}
	buf_fini(&whole);
}

static void
no_changed_byte_breaks_it(void **state)
{
	struct buf b;

	(void)state;
	add_everything(&b);
	for (size_t i = 0; i < b.n; i++)
		for (unsigned v = 0; v < 256; v++) {
			char was = b.p[i];

			b.p[i] = (char)v;
			if (parse(&b, DNS_MX, "a.test"))
				assert_true((answer.status == DNS_INSECURE) == (answer.nrecords > 0));
			else
				assert_non_null(why);
			b.p[i] = was;
			arena_reset(&arena);
		}
	buf_fini(&b);
}

static void
denials_tell_how_long_they_hold(void **state)
{
	struct buf b;

	(void)state;
	wire_begin(&b, WIRE_REPLY | WIRE_NXDOMAIN, "a.test", DNS_A);
	wire_alias(&b, "a.test", "b.test");
	wire_soa(&b, "test", 60);
	assert_true(parse(&b, DNS_A, "a.test"));
	assert_int_equal(answer.status, DNS_NXDOMAIN);
	assert_int_equal(answer.ttl, 60);
	assert_true(str_eq(answer.canonical, STR("b.test")));
	buf_fini(&b);
	wire_begin(&b, WIRE_REPLY, "a.test", DNS_A);
	wire_soa(&b, "test", 7200);
	assert_true(parse(&b, DNS_A, "a.test"));
	assert_int_equal(answer.status, DNS_NODATA);
	assert_int_equal(answer.ttl, 3600); /* the record's own */
	buf_fini(&b);
	wire_begin(&b, WIRE_REPLY, "a.test", DNS_A);
	assert_true(parse(&b, DNS_A, "a.test"));
	assert_int_equal(answer.ttl, 0);
	buf_fini(&b);
}

static void
a_ttl_has_bounds(void **state)
{
	static const uint32_t ttls[][2] = { { 0, 0 }, { 86400, 86400 }, { 86401, 86400 }, { 0x7fffffff, 86400 },
		{ 0x80000000, 0 } };
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof ttls / sizeof *ttls; i++) {
		wire_begin(&b, WIRE_REPLY, "a.test", DNS_A);
		wire_rr(&b, "a.test", DNS_A, ttls[i][0], BYTES("\1\2\3\4"));
		assert_true(parse(&b, DNS_A, "a.test"));
		assert_int_equal(answer.ttl, ttls[i][1]);
		buf_fini(&b);
	}
}

static void
only_a_reply_to_the_question_counts(void **state)
{
	static const struct {
		unsigned flags;
		const char *name;
		unsigned type;
		const char *words;
	} rows[] = {
		{ 0x0100, "a.test", DNS_A, "not a reply to one question" },
		{ WIRE_REPLY | 0x0200, "a.test", DNS_A, "a truncated reply" },
		{ WIRE_REPLY | 2, "a.test", DNS_A, "the server failed" },
		{ WIRE_REPLY | 5, "a.test", DNS_A, "the server refused" },
		{ WIRE_REPLY, "b.test", DNS_A, "a reply to another question" },
		{ WIRE_REPLY, "a.test", DNS_AAAA, "a reply to another question" },
	};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		wire_begin(&b, rows[i].flags, rows[i].name, rows[i].type);
		assert_refused(&b, DNS_A, "a.test", rows[i].words);
	}
	wire_begin(&b, WIRE_REPLY, "a.test", 99);
	assert_refused(&b, (enum dns_type)99, "a.test", "no such type");
}

/* count records of the type at a.test, each size bytes of data. */
static void
add_many(struct buf *b, unsigned asked, unsigned type, unsigned count, size_t size)
{
	char data[2048] = { 0 };

	wire_begin(b, WIRE_REPLY, "a.test", asked);
	for (size_t i = 0; i < size; i += 256)
		data[i] = (char)(size - i > 256 ? 255 : size - i - 1);
	for (unsigned i = 0; i < count; i++)
		wire_rr(b, "a.test", type, 300, str_from(data, size));
}

static void
limits_have_names(void **state)
{
	struct buf b;

	(void)state;
	add_many(&b, DNS_A, DNS_A, DNS_RECORDS_MAX, 4);
	assert_true(parse(&b, DNS_A, "a.test"));
	assert_int_equal(answer.nrecords, DNS_RECORDS_MAX);
	buf_fini(&b);
	add_many(&b, DNS_A, DNS_A, DNS_RECORDS_MAX + 1, 4);
	assert_refused(&b, DNS_A, "a.test", "too many records");
	add_many(&b, DNS_A, DNS_TXT, DNS_RRS_MAX, 4);
	assert_true(parse(&b, DNS_A, "a.test"));
	buf_fini(&b);
	add_many(&b, DNS_A, DNS_TXT, DNS_RRS_MAX + 1, 4);
	assert_refused(&b, DNS_A, "a.test", "more records than an answer may have");
	add_many(&b, DNS_TXT, DNS_TXT, DNS_BYTES_MAX / 2048, 2048);
	assert_true(parse(&b, DNS_TXT, "a.test"));
	buf_fini(&b);
	add_many(&b, DNS_TXT, DNS_TXT, DNS_BYTES_MAX / 2048 + 1, 2048);
	assert_refused(&b, DNS_TXT, "a.test", "records that are too long");
}

static void
add_chain(struct buf *b, unsigned links)
{
	wire_begin(b, WIRE_REPLY, "n0", DNS_A);
	for (unsigned i = 0; i < links; i++) {
		char owner[16], target[16];

		snprintf(owner, sizeof owner, "n%u", i);
		snprintf(target, sizeof target, "n%u", i + 1);
		wire_alias(b, owner, target);
	}
}

static void
chains_of_aliases_end(void **state)
{
	struct buf b;

	(void)state;
	add_chain(&b, DNS_ALIASES_MAX);
	assert_true(parse(&b, DNS_A, "n0"));
	assert_int_equal(answer.naliases, DNS_ALIASES_MAX);
	assert_true(str_eq(answer.canonical, STR("n10")));
	buf_fini(&b);
	add_chain(&b, DNS_ALIASES_MAX + 1);
	assert_refused(&b, DNS_A, "n0", "too many aliases in a row");
	wire_begin(&b, WIRE_REPLY, "a.test", DNS_A);
	wire_alias(&b, "a.test", "a.test");
	assert_refused(&b, DNS_A, "a.test", "too many aliases in a row");
}

/* Names that lie about their length: pointers forward, to themselves, 255 bytes and one more. */
static void
names_end(void **state)
{
	char label[65] = "\x3f";
	struct buf b, name;

	(void)state;
	wire_begin(&b, WIRE_REPLY, "a.test", DNS_CNAME);
	wire_rr(&b, "a.test", DNS_CNAME, 300, BYTES("\xc0\x2e")); /* points at itself */
	assert_refused(&b, DNS_CNAME, "a.test", "a compressed name that does not point back");
	memset(label + 1, 'x', 63);
	for (unsigned last = 61; last <= 62; last++) {
		buf_init(&name, 400);
		for (int i = 0; i < 3; i++)
			buf_add(&name, str_from(label, 64));
		buf_add_be(&name, 1, last);
		buf_add(&name, str_from(label + 1, last));
		buf_add_be(&name, 1, 0);
		wire_begin(&b, WIRE_REPLY, "a.test", DNS_CNAME);
		wire_rr(&b, "a.test", DNS_CNAME, 300, buf_str(&name));
		buf_fini(&name);
		if (last == 61) {
			assert_true(parse(&b, DNS_CNAME, "a.test"));
			assert_int_equal(answer.records[0].name.n, DNS_NAME_MAX);
			buf_fini(&b);
		} else {
			assert_refused(&b, DNS_CNAME, "a.test", "a name that is none");
		}
	}
}

static int
begin(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_type_is_read, begin, end),
		cmocka_unit_test_setup_teardown(aliases_are_followed, begin, end),
		cmocka_unit_test_setup_teardown(no_truncation_is_taken, begin, end),
		cmocka_unit_test_setup_teardown(no_changed_byte_breaks_it, begin, end),
		cmocka_unit_test_setup_teardown(denials_tell_how_long_they_hold, begin, end),
		cmocka_unit_test_setup_teardown(a_ttl_has_bounds, begin, end),
		cmocka_unit_test_setup_teardown(only_a_reply_to_the_question_counts, begin, end),
		cmocka_unit_test_setup_teardown(limits_have_names, begin, end),
		cmocka_unit_test_setup_teardown(chains_of_aliases_end, begin, end),
		cmocka_unit_test_setup_teardown(names_end, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
