/* word.c - encoded words, as specified and as found. */
#include "testing.h"

#include <postern/core/utf8.h>
#include <postern/message/charset.h>
#include <postern/message/word.h>

static const struct {
	const char *text, *want;
} rows[] = {
	{ "", "" },
	{ "plain text", "plain text" },
	{ "folded\r\n text", "folded text" },
	{ "=?US-ASCII?Q?Keith_Moore?= <moore>", "Keith Moore <moore>" },
	{ "=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore" },
	{ "=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld J\xc3\xb8rn Simonsen" },
	{ "=?ISO-8859-1?Q?Andr=E9?= Pirard", "Andr\xc3\xa9 Pirard" },
	{ "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
	    "If you can read this you understand the example." },
	{ "=?ISO-8859-1?Q?a?= b", "a b" },
	{ "=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab" },
	{ "=?ISO-8859-1?Q?a?=  \r\n  =?ISO-8859-1?Q?b?=", "ab" },
	{ "=?ISO-8859-1?Q?a_b?=", "a b" },
	{ "=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b" },
	{ "=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=",
	    "\xd7\x9d\xd7\x95\xd7\x9c\xd7\xa9 \xd7\x9f\xd7\x91 \xd7\x99\xd7\x9c\xd7\x98\xd7\xa4\xd7\xa0" },
	{ "=?utf-8?Q?=C3?= =?utf-8?Q?=B6?=", "\xc3\xb6" }, /* a character cut in two */
	{ "=?utf-8?q?this is some text?=", "this is some text" },
	{ "a=?utf-8?q?b?=c", "abc" },
	{ "=?utf-8?q?a?==?utf-8?q?b?=", "ab" },
	{ "=?utf-8?q?==?=", "=" },
	{ "=?utf-8?q?=4?=", "=4" },
	{ "=?utf-8?q?"
	  "?= x",
	    " x" },
	{ "=?utf-8?x?abc?=", "=?utf-8?x?abc?=" },
	{ "=?utf-8?q?abc", "=?utf-8?q?abc" },
	{ "=?"
	  "?q?abc?=",
	    "=?"
	    "?q?abc?=" },
	{ "=?utf-8?q", "=?utf-8?q" },
	{ "=?", "=?" },
	{ "=? =?utf-8?q?a?=", "=? a" },
	{ "=?ISO-8859-1?Q =?ISO-8859-1?Q?a?= \" =?ISO-8859-1?Q?b?=", "=?ISO-8859-1?Q a \" b" },
	{ "=?ISO-8859-1?Q?x =?ISO-8859-1?Q?a?=", "=?ISO-8859-1?Q?x a" },
	{ "=?utf-8?b?SGFsbG8?=", "Hallo" },
	{ "=?no-such?q?=C3=B6?=", "\xc3\xb6" },
	{ "=?no-such?q?=F6?=", "\xc3\xb6" },
	{ "raw \xc3\xb6", "raw \xc3\xb6" },
	{ "raw \xf6", "raw \xc3\xb6" },
	{ "=?gb2312?B?xOO6ww==?=", "\xe4\xbd\xa0\xe5\xa5\xbd" },
	{ "=?iso-2022-jp?B?GyRCJDMkcyRLJEEkTxsoQg==?=",
	    "\xe3\x81\x93\xe3\x82\x93\xe3\x81\xab\xe3\x81\xa1\xe3\x81\xaf" },
};

static void
decoding(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_clear(&b);
		word_decode(&b, str_of(rows[i].text));
		assert_true(utf8_valid(buf_str(&b)));
		if (utf8_valid(str_of(rows[i].want)))
			ASSERT_STR(buf_str(&b), str_of(rows[i].want), rows[i].text);
		for (size_t n = 0; n < strlen(rows[i].text); n++) {
			char *copy = mem_new(n);

			memcpy(copy, rows[i].text, n);
			buf_clear(&b);
			word_decode(&b, str_from(copy, n));
			assert_true(utf8_valid(buf_str(&b)));
			free(copy);
		}
	}
	buf_fini(&b);
}

/* What we write we read again, in lines of legal length. */
static void
encoding(void **state)
{
	static const char *const texts[] = { "plain", "plain, with comma \"and\" quotes", "J\xc3\xb6rg",
		"=?utf-8?q?no?=", "a\r\nb",
		"\xe3\x81\x93\xe3\x82\x93\xe3\x81\xab\xe3\x81\xa1\xe3\x81\xaf "
		"\xe3\x81\x93\xe3\x82\x93\xe3\x81\xab\xe3\x81\xa1\xe3\x81\xaf"
		"\xe3\x81\x93\xe3\x82\x93\xe3\x81\xab\xe3\x81\xa1\xe3\x81\xaf\xe3\x81\x93\xe3\x82\x93\xe3\x81\xab\xe3"
		"\x81\xa1\xe3\x81\xaf",
		"many words with one \xc3\xb6, many words with one \xc3\xb6, many words with one \xc3\xb6 and no end",
		"_=?\xc3\xb6" };
	struct buf text, back;

	(void)state;
	buf_init(&text, 10000);
	buf_init(&back, 10000);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct str rest, line;

		buf_clear(&text);
		buf_clear(&back);
		word_encode(&text, str_of(texts[i]), WORD_TEXT);
		word_decode(&back, buf_str(&text));
		ASSERT_STR(buf_str(&back), str_of(texts[i]), texts[i]);
		assert_true(ascii_only(buf_str(&text)));
		rest = buf_str(&text);
		while (str_cut(&rest, '\n', &line))
			assert_true(line.n <= 76 && (rest.n == 0 || *rest.p == ' '));
	}
	buf_clear(&text);
	word_encode(&text, STR("Joe \"X\" Doe"), WORD_PHRASE);
	ASSERT_STR(buf_str(&text), STR("\"Joe \\\"X\\\" Doe\""), "phrase");
	buf_clear(&text);
	word_encode(&text, STR("Joe Doe"), WORD_PHRASE);
	ASSERT_STR(buf_str(&text), STR("Joe Doe"), "phrase");
	buf_clear(&text);
	word_encode(&text, STR("J\xff"), WORD_PHRASE);
	assert_true(ascii_only(buf_str(&text)));
	buf_fini(&text);
	buf_fini(&back);
}

/* Not longer: the sanitizer's memmem() looks at all that is left on every call. */
static void
linear(void **state)
{
	static const char *const units[] = { "=?", "=?a?q?", "=?a?q?x ", " =?a?q?x", "?=", "=?a?q?b?= ", "=?a?b?",
		"\xc3" };
	double start = cpu_seconds();
	struct arena a;
	struct buf b;

	(void)state;
	arena_init(&a);
	buf_init(&b, 1 << 24);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		for (int ended = 0; ended < 2; ended++) {
			struct str text = repeated(&a, units[i], 300000 / strlen(units[i]));

			buf_clear(&b);
			word_decode(&b, ended ? arena_strf(&a, "%s =?x?=", text.p) : text);
			arena_reset(&a);
		}
	}
	assert_true(cpu_seconds() - start < 20);
	buf_fini(&b);
	arena_fini(&a);
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
		cmocka_unit_test(decoding),
		cmocka_unit_test(encoding),
		cmocka_unit_test(linear),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
