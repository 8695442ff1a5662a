/* charset.c - charsets to UTF-8, whole and in pieces; letters without case; converters without files. */
#include "testing.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <postern/core/utf8.h>
#include <postern/message/charset.h>

static const struct {
	const char *charset, *text, *want;
} rows[] = {
	{ "utf-8", "J\xc3\xb6rg", "J\xc3\xb6rg" },
	{ "UTF8", "a\xff\xc3", "a\xef\xbf\xbd\xef\xbf\xbd" },
	{ "utf-8", "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd" },
	{ "utf-8", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "us-ascii", "plain", "plain" },
	{ "us-ascii", "\xc3\xb6", "\xc3\xb6" },
	{ "us-ascii", "\xf6", "\xc3\xb6" },
	{ "iso-8859-1", "J\xf6rg", "J\xc3\xb6rg" },
	{ "iso-8859-15", "\xa4", "\xe2\x82\xac" },
	{ "ISO-8859-2", "\xe8", "\xc4\x8d" },
	{ "windows-1252", "\x93x\x94", "\xe2\x80\x9cx\xe2\x80\x9d" },
	{ "windows-1251*ru", "\xcf\xf0\xe8", "\xd0\x9f\xd1\x80\xd0\xb8" },
	{ "koi8-r", "\xf0\xd2\xc9", "\xd0\x9f\xd1\x80\xd0\xb8" },
	{ "gb2312", "\xc4\xe3\xba\xc3", "\xe4\xbd\xa0\xe5\xa5\xbd" },
	{ "big5", "\xa7\x41\xa6\x6e", "\xe4\xbd\xa0\xe5\xa5\xbd" },
	{ "shift_jis", "\x82\xb1\x82\xf1", "\xe3\x81\x93\xe3\x82\x93" },
	{ "euc-jp", "\xa4\xb3\xa4\xf3", "\xe3\x81\x93\xe3\x82\x93" },
	{ "iso-2022-jp", "a\x1b$B$3$s\x1b(Bb",
	    "a\xe3\x81\x93\xe3\x82\x93"
	    "b" },
	{ "euc-kr", "\xb0\xa1", "\xea\xb0\x80" },
	{ "ks_c_5601-1987", "\xb0\xa1", "\xea\xb0\x80" },
	{ "iso-2022-kr", "\x1b$)C\x0e\x30\x21\x0f", "\xea\xb0\x80" },
	{ "utf-7", "+AOQ-x", "\xc3\xa4x" },
	{ "tis-620", "\xa1", "\xe0\xb8\x81" },
	{ "shift_jis", "a\x82", "a\xef\xbf\xbd" },
	{ "no-such-thing", "J\xc3\xb6rg", "J\xc3\xb6rg" },
	{ "no-such-thing", "J\xf6rg", "J\xc3\xb6rg" },
	{ "iso-2022-cn-ext", "plain", "plain" },
	{ "", "\xf6", "\xc3\xb6" },
};

static void
converting(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_clear(&b);
		charset_to_utf8(&b, str_of(rows[i].charset), str_of(rows[i].text));
		ASSERT_STR(buf_str(&b), str_of(rows[i].want), rows[i].charset);
	}
	buf_fini(&b);
}

static void
in_pieces(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str text = str_of(rows[i].text);

		for (size_t piece = 1; piece <= text.n; piece++) {
			struct charset_reader *r = charset_reader_new(str_of(rows[i].charset));

			buf_clear(&b);
			for (size_t at = 0; at < text.n; at += piece)
				charset_reader_feed(r, str_sub(text, at, at + piece), &b);
			charset_reader_end(r, &b);
			charset_reader_free(r);
			ASSERT_STR(buf_str(&b), str_of(rows[i].want), rows[i].charset);
		}
	}
	buf_fini(&b);
}

static void
knowing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	assert_true(charset_known(STR("utf-8")));
	assert_true(charset_known(STR("ISO-8859-15")));
	assert_false(charset_known(STR("")));
	assert_false(charset_known(STR("iso-2022-cn-ext")));
	assert_false(charset_known(STR("utf-8//TRANSLIT")));
	assert_false(charset_known(STR("../../tmp/x")));
	charset_list(&b);
	assert_true(str_starts(buf_str(&b), STR("utf-8 us-ascii ")));
	assert_true(str_search(buf_str(&b), STR("shift_jis")) < b.n);
	buf_fini(&b);
}

/* With an empty root nothing can be loaded any more; what charset_init() loaded still converts. Needs root. */
static void
without_files(void **state)
{
	char dir[] = "/tmp/postern-charset-XXXXXX";
	int status;
	pid_t child;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	child = fork();
	if (child == 0) {
		struct buf b;
		size_t bad = 0;

		if (chroot(dir) == -1 || chdir("/") == -1)
			_exit(100);
		buf_init(&b, 1000);
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
			buf_clear(&b);
			charset_to_utf8(&b, str_of(rows[i].charset), str_of(rows[i].text));
			bad += !str_eq(buf_str(&b), str_of(rows[i].want));
		}
		_exit((int)bad);
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child);
	rmdir(dir);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 100)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
folding(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} pairs[] = {
		{ "Hello", "hELLO", true },
		{ "J\xc3\x96RG", "j\xc3\xb6rg", true },
		{ "jo\xcc\x88rg", "J\xc3\x96RG", true }, /* NFD */
		{ "\xce\xa3", "\xcf\x82", true }, /* final sigma */
		{ "\xd0\x9f\xd0\xa0", "\xd0\xbf\xd1\x80", true },
		{ "\xef\xac\x81", "fi", false }, /* title case makes no capital of the ligature's letters */
		{ "\xef\xbd\x81", "a", true }, /* full-width */
		{ "a", "b", false },
		{ "\xff", "\xfe", false },
	};
	struct buf a, b;

	(void)state;
	buf_init(&a, 1000);
	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		buf_clear(&a);
		buf_clear(&b);
		charset_fold(&a, str_of(pairs[i].a));
		charset_fold(&b, str_of(pairs[i].b));
		if (str_eq(buf_str(&a), buf_str(&b)) != pairs[i].same)
			fail_msg("%s and %s", pairs[i].a, pairs[i].b);
	}
	buf_fini(&a);
	buf_fini(&b);
}

static int
set_up(void **state)
{
	(void)state;
	charset_init();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	charset_fini();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(converting),
		cmocka_unit_test(in_pieces),
		cmocka_unit_test(knowing),
		cmocka_unit_test(without_files),
		cmocka_unit_test(folding),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
