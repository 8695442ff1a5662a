/* readers.c - command lines, DATA and line rules, each cut at every position and against a naive second opinion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include <postern/core/buf.h>
#include <postern/core/mem.h>
#include <postern/smtp/reply.h>

#include "data.h"
#include "line.h"
#include "rules.h"

/* --- DATA --- */

/* What RFC 5321 4.5.2 says, in the plainest way: look at whole lines of the whole input. -1: no end. */
static ssize_t
naive_data(struct str in, struct buf *out)
{
	size_t at = 0;

	while (at < in.n) {
		struct str rest = str_sub(in, at, in.n);
		size_t line = str_search(rest, STR("\r\n"));

		if (str_starts(rest, STR(".\r\n")))
			return (ssize_t)at + 3;
		if (rest.p[0] == '.')
			rest = str_sub(rest, 1, rest.n);
		line = str_search(rest, STR("\r\n"));
		if (line == rest.n) {
			buf_add(out, rest);
			return -1;
		}
		buf_add(out, str_sub(rest, 0, line + 2));
		at = (size_t)(rest.p - in.p) + line + 2;
	}
	return -1;
}

/* Feeds in as two pieces cut at `cut`, each in a block of its own so that a read behind it shows. */
static ssize_t
read_data(struct str in, size_t cut, struct buf *out)
{
	struct data_reader r;
	size_t done = 0;

	data_begin(&r);
	for (int i = 0; i < 2; i++) {
		struct str part = i == 0 ? str_sub(in, 0, cut) : str_sub(in, cut, in.n);
		char *copy = mem_cstr(part);
		struct str left = str_from(copy, part.n);
		struct str piece;
		enum data_step step;

		while ((step = data_next(&r, &left, &piece)) == DATA_PIECE)
			buf_add(out, piece);
		done += part.n - left.n;
		free(copy);
		if (step == DATA_END)
			return (ssize_t)done;
	}
	return -1;
}

static const struct str tricky[] = {
	STR_INIT(".\r\n"),
	STR_INIT("\r\n.\r\n"),
	STR_INIT("a\r\n.\r\nrest"),
	STR_INIT("..\r\n.\r\n"),
	STR_INIT(".a\r\n..b\r\n...\r\n.\r\n.\r\n"),
	STR_INIT("a\n.\nb\n.\r\n\r.\r\n\r\r\n.\r\n"),
	STR_INIT(".\r.\r\n.\r\n"),
	STR_INIT(".\r\r\n.\r\n"),
	STR_INIT("\r\r\n.\r\r\n.\r\n"),
	STR_INIT("x\r\n.\n\r\n.\r\nQUIT\r\n"),
	STR_INIT("no end at all"),
	STR_INIT("\r\n.\r"),
	STR_INIT("."),
	STR_INIT(".\r"),
	STR_INIT("a\0b\r\n.\0\r\n.\r\n"),
	STR_INIT("\n.\r\n\n\r\n.\r\n"),
};

static void
check_data(struct str in)
{
	struct buf want;
	struct buf got;
	ssize_t end;

	buf_init(&want, in.n + 8);
	buf_init(&got, in.n + 8);
	end = naive_data(in, &want);
	for (size_t cut = 0; cut <= in.n; cut++) {
		buf_clear(&got);
		assert_int_equal(read_data(in, cut, &got), end);
		if (end < 0) /* a CR or dot that may still belong to the end is held back */
			assert_true(str_starts(buf_str(&want), buf_str(&got)) && got.n + 3 > want.n);
		else
			assert_true(str_eq(buf_str(&want), buf_str(&got)));
	}
	buf_fini(&want);
	buf_fini(&got);
}

static void
data_at_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tricky) / sizeof(tricky[0]); i++)
		check_data(tricky[i]);
}

/* All inputs of up to seven bytes from the alphabet that matters. */
static void
data_of_all_short_inputs(void **state)
{
	static const char alphabet[] = { '.', '\r', '\n', 'a' };
	char bytes[7];

	(void)state;
	for (unsigned long n = 0; n < 4UL * 4 * 4 * 4 * 4 * 4 * 4; n++) {
		unsigned long v = n;

		for (size_t i = 0; i < sizeof(bytes); i++, v /= 4)
			bytes[i] = alphabet[v % 4];
		check_data(str_from(bytes, sizeof(bytes)));
	}
}

static void
data_byte_by_byte(void **state)
{
	struct str in = STR("..a\r\n.\r\r\n\r\n.b\r\n\n.\r\n\r\n.\r\nrest");
	struct str want = STR(".a\r\n\r\r\n\r\nb\r\n\n.\r\n\r\n");
	struct data_reader r;
	struct buf got;
	enum data_step step = DATA_MORE;
	size_t at;

	(void)state;
	buf_init(&got, 100);
	data_begin(&r);
	for (at = 0; step != DATA_END && at < in.n; at++) {
		struct str one = str_sub(in, at, at + 1);
		struct str piece;

		while ((step = data_next(&r, &one, &piece)) == DATA_PIECE)
			buf_add(&got, piece);
	}
	assert_int_equal(at, in.n - 4);
	assert_true(str_eq(buf_str(&got), want));
	buf_fini(&got);
}

/* --- line rules --- */

static unsigned
naive_rules(struct str in, size_t max)
{
	unsigned seen = 0;
	size_t line = 0;

	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (c == '\n' && (i == 0 || in.p[i - 1] != '\r'))
			seen |= RULES_BARE;
		if (c == '\r' && (i + 1 == in.n || in.p[i + 1] != '\n'))
			seen |= RULES_BARE;
		if (++line > max)
			seen |= RULES_LONG;
		if (c == '\n')
			line = 0;
		seen |= (c == '\0' ? RULES_NUL : 0U) | ((unsigned char)c > 127 ? RULES_8BIT : 0U);
	}
	return seen;
}

static void
check_rules(struct str in)
{
	for (size_t cut = 0; cut <= in.n; cut++) {
		struct rules r;

		rules_begin(&r, 4);
		rules_feed(&r, str_sub(in, 0, cut));
		rules_feed(&r, str_sub(in, cut, in.n));
		rules_end(&r);
		assert_int_equal(r.seen, naive_rules(in, 4));
	}
}

static void
rules_of_all_short_inputs(void **state)
{
	static const char alphabet[] = { '\r', '\n', 'a', '\0', '\x80' };
	char bytes[6];

	(void)state;
	for (unsigned long n = 0; n < 5UL * 5 * 5 * 5 * 5 * 5; n++) {
		unsigned long v = n;

		for (size_t i = 0; i < sizeof(bytes); i++, v /= 5)
			bytes[i] = alphabet[v % 5];
		check_rules(str_from(bytes, sizeof(bytes)));
		check_rules(str_from(bytes, 1 + n % 6));
	}
	check_rules(STR("ab\r\nabc\r\n"));
	check_rules(STR("ab\r\nabcd"));
}

/* --- command lines --- */

static void
line_framing(void **state)
{
	struct str line = { 0 };
	size_t used = 0;

	(void)state;
	assert_int_equal(line_find(STR(""), 10, &line, &used), LINE_MORE);
	assert_int_equal(line_find(STR("NOOP"), 10, &line, &used), LINE_MORE);
	assert_int_equal(line_find(STR("NOOP\r"), 10, &line, &used), LINE_MORE);
	assert_int_equal(line_find(STR("NOOP\r\nQUIT\r\n"), 10, &line, &used), LINE_OK);
	assert_int_equal(used, 6);
	assert_true(str_eq(line, STR("NOOP")));
	assert_int_equal(line_find(STR("\r\n"), 10, &line, &used), LINE_OK);
	assert_int_equal(line.n, 0);
	assert_int_equal(line_find(STR("NOOP\n"), 10, &line, &used), LINE_BARE);
	assert_int_equal(line_find(STR("NO\rOP\r\n"), 10, &line, &used), LINE_BARE);
	assert_int_equal(line_find(STR("NOOP\r\r\n"), 10, &line, &used), LINE_BARE);
	assert_int_equal(line_find(STR("\n"), 10, &line, &used), LINE_BARE);
	assert_int_equal(line_find(STR("12345678\r\n"), 10, &line, &used), LINE_OK);
	assert_int_equal(line_find(STR("123456789\r\n"), 10, &line, &used), LINE_LONG);
	assert_int_equal(line_find(STR("1234567890"), 10, &line, &used), LINE_LONG);
	assert_int_equal(line_find(STR("123456789"), 10, &line, &used), LINE_MORE);
	assert_int_equal(line_find(STR("\x16\x03\x01"), 10, &line, &used), LINE_TLS);
	assert_int_equal(line_find(STR("\0"), 10, &line, &used), LINE_FOREIGN);
	assert_int_equal(line_find(STR("\xffHLO"), 10, &line, &used), LINE_FOREIGN);
}

/* --- replies --- */

static void
check_reply(const struct smtp_reply *r, const char *want)
{
	struct buf out;

	buf_init(&out, 4096);
	smtp_reply_write(&out, r);
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
}

static void
reply_lines(void **state)
{
	struct smtp_reply r = smtp_reply(SMTP_OK);

	(void)state;
	check_reply(&r, "250 2.0.0 ok\r\n");
	r = smtp_reply(SMTP_GO_AHEAD);
	check_reply(&r, "354 go ahead, end with <CRLF>.<CRLF>\r\n");
	r = smtp_reply_with(250, "", STR("mx.test\nSIZE 5\nHELP"));
	check_reply(&r, "250-mx.test\r\n250-SIZE 5\r\n250 HELP\r\n");
	r = smtp_reply_with(550, "5.1.1", STR("one\ntwo"));
	check_reply(&r, "550-5.1.1 one\r\n550 5.1.1 two\r\n");
	r = smtp_reply_with(550, "5.1.1", STR("a\rb\x1b[2J\xc3\xa4"));
	check_reply(&r, "550 5.1.1 a?b?[2J??\r\n");
	r = smtp_reply_with(334, "", STR(""));
	check_reply(&r, "334 \r\n");
}

static void
reply_is_cut_to_its_line(void **state)
{
	static char words[2000];
	struct smtp_reply r = smtp_reply_with(550, "5.1.1", str_from(words, sizeof(words)));
	struct buf out;

	(void)state;
	memset(words, 'x', sizeof(words));
	buf_init(&out, 4096);
	smtp_reply_write(&out, &r);
	assert_int_equal(out.n, SMTP_REPLY_LINE_MAX);
	assert_true(str_ends(buf_str(&out), STR("x\r\n")));
	buf_fini(&out);
}

/* RFC 3463: the class of the enhanced code is that of the code; greeting-like replies have none. */
static void
reply_table_is_consistent(void **state)
{
	(void)state;
	for (int i = 0; i < SMTP_REPLY_COUNT; i++) {
		struct smtp_reply r = smtp_reply((enum smtp_reply_name)i);

		assert_in_range(r.code, 200, 599);
		assert_true(r.text.n > 0 && r.text.n < 80);
		if (r.code == 354)
			assert_int_equal(r.enhanced[0], '\0');
		else
			assert_int_equal(r.enhanced[0], '0' + r.code / 100);
		if (r.code == 421 || r.code == 221)
			assert_int_equal(r.after, SMTP_CLOSE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_at_every_cut),
		cmocka_unit_test(data_of_all_short_inputs),
		cmocka_unit_test(data_byte_by_byte),
		cmocka_unit_test(rules_of_all_short_inputs),
		cmocka_unit_test(line_framing),
		cmocka_unit_test(reply_lines),
		cmocka_unit_test(reply_is_cut_to_its_line),
		cmocka_unit_test(reply_table_is_consistent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
