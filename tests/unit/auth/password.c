/* password.c - tests of the preparation of passwords and login names (RFC 8265, RFC 4013). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <postern/auth/password.h>

typedef bool prepare_fn(struct buf *out, struct str typed, const char **why);

static void
becomes(prepare_fn *prepare, struct str in, struct str want)
{
	const char *why = "";
	struct buf out;

	buf_init(&out, 8192);
	buf_add(&out, STR("before"));
	if (!prepare(&out, in, &why))
		fail_msg("\"%.*s\": %s", STR_ARG(in), why);
	assert_true(str_eq(str_sub(buf_str(&out), 6, out.n), want));
	buf_wipe(&out);
}

static void
refused(prepare_fn *prepare, struct str in)
{
	const char *why = NULL;
	struct buf out;

	buf_init(&out, 8192);
	buf_add(&out, STR("before"));
	assert_false(prepare(&out, in, &why));
	assert_non_null(why);
	assert_true(str_eq(buf_str(&out), STR("before")));
	buf_fini(&out);
}

/* RFC 8265 4.3 and the rules of 4.2.2. */
static void
opaque(void **state)
{
	(void)state;
	becomes(password_prepare, STR("correct horse battery staple"), STR("correct horse battery staple"));
	becomes(password_prepare, STR("Correct Horse Battery Staple"), STR("Correct Horse Battery Staple"));
	becomes(password_prepare, STR("\xcf\x80\xc3\x9f\xc3\xa5"), STR("\xcf\x80\xc3\x9f\xc3\xa5")); /* πßå */
	becomes(password_prepare, STR("Jack of \xe2\x99\xa6s"), STR("Jack of \xe2\x99\xa6s"));       /* ♦ */
	becomes(password_prepare,
	    STR("foo\xe1\x9a\x80"
		"bar"),
	    STR("foo bar"));                                                            /* U+1680 */
	becomes(password_prepare, STR("e\xcc\x81t\xc3\xa9"), STR("\xc3\xa9t\xc3\xa9")); /* NFD and NFC */
	becomes(password_prepare, STR("\xef\xac\x81"), STR("\xef\xac\x81"));            /* ﬁ is kept */
	refused(password_prepare, STR(""));
	refused(password_prepare, STR("my cat is a \x09"
				      "by"));
	refused(password_prepare, STR("a\0b"));
	refused(password_prepare, STR("\xff"));
	refused(password_prepare, STR("a\xe2\x80\x8b")); /* U+200B */
	refused(password_prepare, STR("a\xcd\xb8"));     /* U+0378, unassigned */
	refused(password_prepare, STR("a\xee\x80\x80")); /* U+E000, private */
	refused(password_prepare, STR("a\xe2\x80\x8d")); /* U+200D without a virama before it */
}

/* RFC 4013 3. */
static void
d13_saslprep(void **state)
{
	(void)state;
	becomes(password_prepare_scram, STR("I\xc2\xadX"), STR("IX"));
	becomes(password_prepare_scram, STR("user"), STR("user"));
	becomes(password_prepare_scram, STR("USER"), STR("USER"));
	becomes(password_prepare_scram, STR("\xc2\xaa"), STR("a"));
	becomes(password_prepare_scram, STR("\xe2\x85\xa8"), STR("IX"));
	refused(password_prepare_scram, STR("\x07"));
	refused(password_prepare_scram, STR("\xd8\xa7"
					    "1"));
	becomes(password_prepare_scram,
	    STR("\xd8\xa7"
		"1\xd8\xa7"),
	    STR("\xd8\xa7"
		"1\xd8\xa7"));
	becomes(password_prepare_scram,
	    STR("a\xc2\xa0"
		"b"),
	    STR("a b"));
	refused(password_prepare_scram, STR("\xc2\xad")); /* nothing is left */
}

static void
names(void **state)
{
	(void)state;
	becomes(login_name_prepare, STR("Alice@Example.Test"), STR("alice@example.test"));
	becomes(login_name_prepare, STR("\xef\xbc\xa1lice@example.test"), STR("alice@example.test")); /* full-width A */
	becomes(login_name_prepare, STR("re\xcc\x81mi"), STR("r\xc3\xa9mi"));
	becomes(login_name_prepare, STR("R\xc3\x89MI"), STR("r\xc3\xa9mi"));
	becomes(login_name_prepare, STR("\xe2\x93\x90lice"), STR("\xe2\x93\x90lice")); /* ⓐ stays itself */
	becomes(login_name_prepare, STR("\xd0\xb0lice"), STR("\xd0\xb0lice"));         /* Cyrillic а, too */
	refused(login_name_prepare, STR("a\xe2\x80\xaelice"));                         /* U+202E */
	refused(login_name_prepare, STR(""));
}

static void
lengths(void **state)
{
	static char many[PASSWORD_MAX + 1];

	(void)state;
	memset(many, 'x', sizeof many);
	becomes(password_prepare, str_from(many, PASSWORD_MAX), str_from(many, PASSWORD_MAX));
	refused(password_prepare, str_from(many, PASSWORD_MAX + 1));
	for (size_t i = 0; i + 1 < PASSWORD_MAX; i += 2)
		memcpy(many + i, "\xc3\xa9", 2);
	becomes(password_prepare, str_from(many, PASSWORD_MAX), str_from(many, PASSWORD_MAX));
	for (size_t n = 1; n < 40; n += 2)
		refused(password_prepare, str_from(many, n)); /* cut inside a character */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opaque),
		cmocka_unit_test(d13_saslprep),
		cmocka_unit_test(names),
		cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests_name("auth/password", tests, NULL, NULL);
}
