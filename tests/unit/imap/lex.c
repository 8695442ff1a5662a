/* lex.c - tests of the tokens of the command grammar, of number sets and flags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "flags.h"
#include "id.h"
#include "lex.h"
#include "out.h"
#include "seqset.h"

static struct arena arena;

static struct lex
over(struct str s)
{
	arena_reset(&arena);
	return lex_init(s, &arena);
}

static void
astring_is(struct str in, struct str want)
{
	struct lex l = over(in);
	struct str got = lex_astring(&l);

	assert_true(lex_end(&l));
	assert_true(str_eq(got, want));
}

static void
astring_fails(struct str in)
{
	struct lex l = over(in);

	lex_astring(&l);
	assert_false(lex_end(&l));
}

static void
strings(void **state)
{
	(void)state;
	astring_is(STR("INBOX"), STR("INBOX"));
	astring_is(STR("a]b"), STR("a]b"));
	astring_is(STR("\"\""), STR(""));
	astring_is(STR("\"a b\""), STR("a b"));
	astring_is(STR("\"a\\\"\\\\\""), STR("a\"\\"));
	astring_is(STR("{5}\r\na\r\nb{"), STR("a\r\nb{"));
	astring_is(STR("{0+}\r\n"), STR(""));
	astring_is(STR("\"\xc3\xa4\""), STR("\xc3\xa4"));
	astring_fails(STR(""));
	astring_fails(STR("a*"));
	astring_fails(STR("\"a"));
	astring_fails(STR("\"a\\"));
	astring_fails(STR("\"a\\b\""));
	astring_fails(STR("\"a\0b\""));
	astring_fails(STR("\"a\rb\""));
	astring_fails(STR("\"\xc3\""));
	astring_fails(STR("{3}\r\na\0b"));
	astring_fails(STR("{3}\r\nab"));
	astring_fails(STR("~{1}\r\na"));
	astring_fails(STR("{1}\na"));
	astring_fails(STR("\xc3\xa4"));
}

/* Every truncation of a command fails and reads nothing beyond it (the sanitizer looks). */
static void
truncations(void **state)
{
	static const struct str whole = STR_INIT("tag \"a\\\"b\" {3}\r\nxyz 1:*,4 (\\Seen $x) \" 1-Feb-1994 00:00:00 +0000\"");

	(void)state;
	for (size_t n = 0; n <= whole.n; n++) {
		char *copy = arena_cstr(&arena, str_sub(whole, 0, n));
		struct arena own;
		struct lex l;
		struct flag_args flags;

		arena_init(&own);
		l = lex_init(str_from(copy, n), &own);
		lex_tag(&l);
		lex_sp(&l);
		lex_string(&l);
		lex_sp(&l);
		lex_string(&l);
		lex_sp(&l);
		lex_seq_set(&l);
		lex_sp(&l);
		lex_flag_list(&l, &flags);
		lex_sp(&l);
		lex_date_time(&l);
		assert_int_equal(lex_end(&l), n == whole.n);
		arena_fini(&own);
	}
}

static void
words(void **state)
{
	struct lex l = over(STR("HEADER.FIELDS x"));

	(void)state;
	assert_false(lex_word(&l, "HEADER"));
	assert_true(lex_word(&l, "header.fields"));
	assert_true(lex_sp(&l));
	assert_false(lex_word(&l, "xy"));
	assert_true(lex_word(&l, "x"));
	assert_true(lex_end(&l));
}

static void
dates(void **state)
{
	struct lex l = over(STR("1-Feb-1994"));

	(void)state;
	assert_int_equal(lex_date(&l), 8797);
	assert_true(lex_end(&l));
	l = over(STR("\"28-Feb-1900\""));
	assert_int_equal(lex_date(&l), -25509);
	assert_true(lex_end(&l));
	l = over(STR("31-Feb-1994"));
	lex_date(&l);
	assert_false(lex_end(&l));
	l = over(STR("\"17-Jul-1996 02:44:25 -0700\""));
	assert_int_equal(lex_date_time(&l).seconds, 837596665);
	assert_true(lex_end(&l));
}

static bool
set_ok(struct str s)
{
	struct lex l = over(s);

	lex_seq_set(&l);
	return lex_end(&l);
}

/* I06: 0 and numbers over 32 bits are no numbers of messages. */
static void
sets(void **state)
{
	(void)state;
	assert_true(set_ok(STR("1")));
	assert_true(set_ok(STR("*:*")));
	assert_true(set_ok(STR("4294967295:1,*,$")));
	assert_false(set_ok(STR("0")));
	assert_false(set_ok(STR("4294967296")));
	assert_false(set_ok(STR("1,")));
	assert_false(set_ok(STR(",1")));
	assert_false(set_ok(STR("1:2:3")));
	assert_false(set_ok(STR("-1")));
}

static bool
flags_ok(struct str s, struct flag_args *a)
{
	struct lex l = over(s);

	lex_store_flags(&l, a);
	return lex_end(&l);
}

static void
flags(void **state)
{
	struct flag_args a;
	struct buf many;

	(void)state;
	assert_true(flags_ok(STR("(\\seen \\DELETED $Forwarded x)"), &a));
	assert_int_equal(a.flags, STORE_SEEN | STORE_DELETED);
	assert_int_equal(a.n, 2);
	assert_true(flags_ok(STR("\\Seen a"), &a));
	assert_true(flags_ok(STR("()"), &a));
	assert_true(flags_ok(STR("(\\Recent)"), &a) && a.flags == 0 && a.n == 0);
	assert_false(flags_ok(STR("(\\Foo)"), &a));
	assert_false(flags_ok(STR("(a]b)"), &a));
	assert_false(flags_ok(STR("(\"a\")"), &a));
	assert_false(flags_ok(STR("(a"), &a));
	buf_init(&many, SIZE_MAX);
	buf_add_cstr(&many, "(a");
	for (int i = 0; i < FLAGS_MAX; i++)
		buf_add_cstr(&many, " a");
	buf_add_cstr(&many, ")");
	assert_false(flags_ok(buf_str(&many), &a));
	buf_fini(&many);
}

static bool
id_ok(struct str s)
{
	struct lex l = over(s);

	lex_id_params(&l);
	return lex_end(&l);
}

static void
id_limits(void **state)
{
	struct buf b;

	(void)state;
	assert_true(id_ok(STR(" NIL")));
	assert_true(id_ok(STR(" (\"name\" \"x\" \"version\" NIL)")));
	assert_true(id_ok(STR(" ()")));
	assert_false(id_ok(STR(" (\"name\")")));
	assert_false(id_ok(STR(" (\"0123456789012345678901234567890\" NIL)")));
	buf_init(&b, SIZE_MAX);
	buf_add_cstr(&b, " (");
	for (int i = 0; i <= ID_PAIRS_MAX; i++)
		buf_add_cstr(&b, i > 0 ? " \"a\" NIL" : "\"a\" NIL");
	buf_add_cstr(&b, ")");
	assert_false(id_ok(buf_str(&b)));
	buf_fini(&b);
}

static void
writing(void **state)
{
	static const struct str keywords[STORE_KEYWORDS_MAX] = { STR_INIT("$A"), STR_INIT("b") };
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	out_quoted(&b, STR("a\"\\\r\nb"));
	assert_string_equal(buf_cstr(&b), "\"a\\\"\\\\??b\"");
	buf_clear(&b);
	out_flags(&b, STORE_SEEN | STORE_FLAGGED, 2, keywords, true);
	assert_string_equal(buf_cstr(&b), "(\\Flagged \\Seen b \\Recent)");
	buf_clear(&b);
	out_internal_date(&b, 0);
	assert_string_equal(buf_cstr(&b), "\" 1-Jan-1970 00:00:00 +0000\"");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings),
		cmocka_unit_test(truncations),
		cmocka_unit_test(words),
		cmocka_unit_test(dates),
		cmocka_unit_test(sets),
		cmocka_unit_test(flags),
		cmocka_unit_test(id_limits),
		cmocka_unit_test(writing),
	};
	int failed;

	arena_init(&arena);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_fini(&arena);
	return failed;
}
