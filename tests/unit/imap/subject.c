/* subject.c - tests of base subjects and Message-IDs (RFC 5256 2.1, 3, 5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <postern/message/charset.h>

#include "msgid.h"
#include "subject.h"

static void
check_base(struct str raw, const char *want, bool reply)
{
	struct buf got, folded;

	buf_init(&got, SIZE_MAX);
	buf_init(&folded, SIZE_MAX);
	assert_int_equal(subject_base(&got, raw), reply);
	charset_fold(&folded, str_of(want));
	assert_string_equal(buf_cstr(&got), buf_cstr(&folded));
	buf_fini(&got);
	buf_fini(&folded);
}

static void
bases(void **state)
{
	static const struct {
		const char *raw;
		const char *base;
		bool reply;
	} rows[] = {
		{ "", "", false },
		{ "   ", "", false },
		{ "Hello", "hello", false },
		{ "hello  \t  world ", "Hello World", false },
		{ "hello\r\n world", "hello world", false },
		{ "Re: hello", "hello", true },
		{ "RE : hello", "hello", true },
		{ "re[2]: hello", "hello", true },
		{ "re [a b] : hello", "hello", true },
		{ "Fw: Fwd: re: hello", "hello", true },
		{ "[list] Re: hello", "hello", true },
		{ "[list] [other] hello", "hello", false },
		{ "[list] [only]", "[only]", false },
		{ "[only]", "[only]", false },
		{ "Re: [list] hello", "hello", true },
		{ "Re: [list] Re: hello (fwd) (FWD) ", "hello", true },
		{ "[fwd: hello]", "hello", true },
		{ "[Fwd: [fwd: Re: hello (fwd)]]", "hello", true },
		{ "[fwd: [list] hello]", "hello", true },
		{ "[fwd:]", "", true },
		{ "re:", "", true },
		{ "(fwd)", "", true },
		{ "reply: hello", "reply: hello", false },
		{ "regarding hello", "regarding hello", false },
		{ "fwdd: hello", "fwdd: hello", false },
		{ "[a[b]] hello", "[a[b]] hello", false },
		{ "hello [list]", "hello [list]", false },
		{ "=?utf-8?q?Re=3A_Gr=C3=BC=C3=9Fe?=", "gr\xc3\xbc\xc3\x9f" "e", true },
		{ "GR\xc3\x9cSSE", "gr\xc3\xbcsse", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_base(str_of(rows[i].raw), rows[i].base, rows[i].reply);
}

/* The cost does not grow faster than the text. */
static void
long_subjects(void **state)
{
	static const char *const pieces[] = { "[a]", "[", "re:", "[fwd:", "(fwd)", " ", "re[" };

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		struct buf raw, got;

		buf_init(&raw, SIZE_MAX);
		buf_init(&got, SIZE_MAX);
		while (raw.n < 250000)
			buf_add_cstr(&raw, pieces[i]);
		subject_base(&got, buf_str(&raw));
		buf_fini(&raw);
		buf_fini(&got);
	}
}

static void
message_ids(void **state)
{
	static const struct {
		const char *text;
		const char *ids;
	} rows[] = {
		{ "<a@b>", "a@b " },
		{ "<a@b><c@d> <e@f>", "a@b c@d e@f " },
		{ "<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>", "01KF8JCEOCBS0045PS@xxx.yyy.com " },
		{ "<01KF8JCEOCBS0045PS@xxx.yyy.com>", "01KF8JCEOCBS0045PS@xxx.yyy.com " },
		{ "<\"a\\\"b\"@c>", "a\"b@c " },
		{ "Your message of today \"x\" <a@b>", "a@b " },
		{ "< a (comment <no@id>) @ b >", "a@b " },
		{ "<a@b", "" },
		{ "<ab> <@b> <a@> <>", "" },
		{ "<<a@b>", "a@b " },
		{ "<x <a@b>>", "a@b " },
		{ "", "" },
		{ "<a@[127.0.0.1]>", "a@[127.0.0.1] " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct str rest = str_of(rows[i].text);
		struct buf id, all;

		buf_init(&id, SIZE_MAX);
		buf_init(&all, SIZE_MAX);
		while (msgid_next(&rest, &id)) {
			buf_add(&all, buf_str(&id));
			buf_add_char(&all, ' ');
		}
		assert_string_equal(buf_cstr(&all), rows[i].ids);
		buf_fini(&id);
		buf_fini(&all);
	}
}

static void
long_ids(void **state)
{
	struct buf text, id;
	struct str rest;

	(void)state;
	buf_init(&text, SIZE_MAX);
	buf_init(&id, SIZE_MAX);
	buf_add_char(&text, '<');
	while (text.n < MSGID_MAX + 100)
		buf_add_char(&text, 'x');
	buf_add_cstr(&text, "@y> <a@b>");
	rest = buf_str(&text);
	assert_true(msgid_next(&rest, &id));
	assert_string_equal(buf_cstr(&id), "a@b");
	buf_fini(&text);
	buf_fini(&id);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bases),
		cmocka_unit_test(long_subjects),
		cmocka_unit_test(message_ids),
		cmocka_unit_test(long_ids),
	};
	int failed;

	charset_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	charset_fini();
	return failed;
}
