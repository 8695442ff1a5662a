/* out_readers.c - replies and message bytes of the client, each cut at every position and against a naive second
 * opinion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include <postern/core/buf.h>
#include <postern/core/mem.h>
#include <postern/core/utf8.h>
#include <postern/smtp/out.h>
#include <postern/smtp/out_reply.h>

#include "out_body.h"

/* --- replies --- */

/* Notes what the reader finds: "CODE ENHANCED text|text| ", "BROKEN why" or "MORE". Bytes come in pieces of step, the
 * first of them of size first, each in a block of its own so that a read behind it shows. */
static void
read_replies(struct str in, size_t first, size_t step, struct buf *out)
{
	struct out_reply_reader r;
	enum out_reply_found found = OUT_REPLY_MORE;
	size_t n = first;

	out_reply_init(&r);
	for (; in.n > 0 && found != OUT_REPLY_BROKEN; in = str_sub(in, n, in.n), n = in.n < step ? in.n : step) {
		char *copy = mem_cstr(str_sub(in, 0, n));
		struct str left = str_from(copy, n);

		while (left.n > 0 && found != OUT_REPLY_BROKEN) {
			found = out_reply_next(&r, &left);
			if (found == OUT_REPLY_DONE)
				buf_addf(out, "%u %s %.*s;", r.reply.code, r.reply.enhanced, STR_ARG(r.reply.text));
		}
		free(copy);
	}
	if (found == OUT_REPLY_BROKEN)
		buf_addf(out, "BROKEN %s", r.why);
	else
		buf_add_cstr(out, out_reply_begun(&r) ? "MORE" : "");
	out_reply_fini(&r);
}

static const struct {
	struct str in;
	const char *out;
} replies[] = {
	{ STR_INIT("220 hi\r\n"), "220  hi\n;" },
	{ STR_INIT("250\r\n"), "250  \n;" },
	{ STR_INIT("250-\r\n250 \r\n"), "250  \n\n;" },
	{ STR_INIT("250 2.1.0 ok\r\n250 2.1.5 ok\n"), "250 2.1.0 ok\n;250 2.1.5 ok\n;" },
	{ STR_INIT("550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user\r\n"), "550 5.1.1 no\nsuch\nuser\n;" },
	{ STR_INIT("550-no\r\n550 5.1.1 user\r\n"), "550 5.1.1 no\nuser\n;" },
	{ STR_INIT("550 5.1.1\r\n"), "550 5.1.1 \n;" },
	{ STR_INIT("550 4.1.1 x\r\n"), "550  4.1.1 x\n;" },
	{ STR_INIT("550 5.1234.1 x\r\n"), "550  5.1234.1 x\n;" },
	{ STR_INIT("550 5.1. x\r\n"), "550  5.1. x\n;" },
	{ STR_INIT("550 5.123.456 x\r\n"), "550 5.123.456 x\n;" },
	{ STR_INIT("354 3.0.0 x\r\n"), "354  3.0.0 x\n;" },
	{ STR_INIT("250 a\rb\r\n"), "250  a\rb\n;" },
	{ STR_INIT("250-a\r\n25"), "MORE" },
	{ STR_INIT("250-a\r\n"), "MORE" },
	{ STR_INIT("25"), "MORE" },
	{ STR_INIT("25\r\n"), "BROKEN no SMTP reply" },
	{ STR_INIT("\r\n"), "BROKEN no SMTP reply" },
	{ STR_INIT("150 x\r\n"), "BROKEN no SMTP reply" },
	{ STR_INIT("650 x\r\n"), "BROKEN no SMTP reply" },
	{ STR_INIT("2500 x\r\n"), "BROKEN no SMTP reply" },
	{ STR_INIT("250ok\r\n"), "BROKEN no SMTP reply" },
	{ STR_INIT(" 250 ok\r\n"), "BROKEN no SMTP reply" },
	{ STR_INIT("250 ok\r\n\r\n"), "250  ok\n;BROKEN no SMTP reply" },
	{ STR_INIT("250-a\r\n550 b\r\n"), "BROKEN a reply with two codes" },
	{ STR_INIT("250 a\0b\r\n"), "BROKEN NUL in a reply" },
};

static void
replies_are_read_in_any_pieces(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		for (size_t cut = 0; cut <= replies[i].in.n; cut++) {
			buf_clear(&out);
			read_replies(replies[i].in, cut, SIZE_MAX, &out);
			assert_string_equal(buf_cstr(&out), replies[i].out);
		}
		buf_clear(&out);
		read_replies(replies[i].in, 1, 1, &out);
		assert_string_equal(buf_cstr(&out), replies[i].out);
	}
	buf_fini(&out);
}

/* n bytes of line, as one reply line with its end. */
static const char *
read_line_of(size_t n, struct buf *out)
{
	struct buf in;

	buf_init(&in, n);
	buf_add_cstr(&in, "250 ");
	while (in.n < n - 2)
		buf_add_char(&in, 'x');
	buf_add_cstr(&in, "\r\n");
	buf_clear(out);
	read_replies(buf_str(&in), 1, 1000, out);
	buf_fini(&in);
	return buf_cstr(out);
}

static void
a_line_has_a_limit(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	assert_int_equal(strncmp(read_line_of(SMTP_OUT_LINE_MAX, &out), "250  xxx", 8), 0);
	assert_string_equal(read_line_of(SMTP_OUT_LINE_MAX + 1, &out), "BROKEN a line of a reply is too long");
	buf_fini(&out);
}

static const char *
read_lines(size_t lines, size_t length, struct buf *out)
{
	struct buf in;

	buf_init(&in, 1 << 20);
	for (size_t i = 0; i < lines; i++) {
		buf_addf(&in, "250%c", i + 1 < lines ? '-' : ' ');
		for (size_t k = 6; k < length; k++)
			buf_add_char(&in, 'x');
		buf_add_cstr(&in, "\r\n");
	}
	buf_clear(out);
	read_replies(buf_str(&in), 7, 777, out);
	buf_fini(&in);
	return buf_cstr(out);
}

static void
a_reply_has_a_limit(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	assert_int_equal(strncmp(read_lines(SMTP_OUT_REPLY_MAX / 64, 64, &out), "250  xxx", 8), 0);
	assert_string_equal(read_lines(SMTP_OUT_REPLY_MAX / 64 + 1, 64, &out), "BROKEN a reply without end");
	buf_fini(&out);
}

/* --- words --- */

static void
words_are_one_clean_line(void **state)
{
	static const struct {
		struct str in;
		const char *out;
	} rows[] = {
		{ STR_INIT(" \r\n"), "" },
		{ STR_INIT("a\nb\n"), "a b" },
		{ STR_INIT("a\x1b[0m\tb"), "a?[0m b" },
		{ STR_INIT("\xc3\xa9\xff\xc2\x9b\x7f"), "\xc3\xa9???" },
		{ STR_INIT("a\0b"), "a?b" },
		{ STR_INIT("0123456789abcdef"), "0123456789abcdef" },
		{ STR_INIT("0123456789abcdefg"), "0123456789abc..." },
		{ STR_INIT("0123456789ab\xc3\xa9"
			   "def"),
		    "0123456789ab..." },
		{ STR_INIT("0123456789abcd\xf0\x9f\x98\x80"), "0123456789abc..." },
	};
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_clear(&out);
		buf_add_cstr(&out, "x");
		out_reply_words(&out, rows[i].in, 16);
		assert_string_equal(buf_cstr(&out) + 1, rows[i].out);
		assert_true(utf8_valid(buf_str(&out)));
	}
	buf_fini(&out);
}

/* --- bytes of a message --- */

/* What the wire must carry, in the plainest way: one byte after the other. */
static void
naive_body(struct str in, enum out_body_form form, struct buf *out)
{
	bool bol = true;

	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (c == '\r' && i + 1 < in.n && in.p[i + 1] == '\n')
			continue;
		if (c == '\n') {
			buf_add_cstr(out, "\r\n");
		} else {
			if (bol && c == '.' && form == OUT_BODY_DATA)
				buf_add_char(out, '.');
			buf_add_char(out, c == '\r' ? ' ' : c);
		}
		bol = c == '\n';
	}
	if (!bol)
		buf_add_cstr(out, "\r\n");
	if (form == OUT_BODY_DATA)
		buf_add_cstr(out, ".\r\n");
}

static void
write_body(struct str in, size_t cut, enum out_body_form form, struct buf *out)
{
	struct out_body b;

	out_body_begin(&b, form);
	for (int i = 0; i < 2; i++) {
		struct str part = i == 0 ? str_sub(in, 0, cut) : str_sub(in, cut, in.n);
		char *copy = mem_cstr(part);
		size_t before = out->n;

		out_body_add(&b, out, str_from(copy, part.n));
		assert_true(out->n - before <= 2 * part.n + 1);
		free(copy);
	}
	out_body_end(&b, out);
}

static void
check_body(struct str in, enum out_body_form form)
{
	struct buf want;
	struct buf got;

	buf_init(&want, 1000);
	buf_init(&got, 1000);
	naive_body(in, form, &want);
	for (size_t cut = 0; cut <= in.n; cut++) {
		buf_clear(&got);
		write_body(in, cut, form, &got);
		assert_int_equal(got.n, want.n);
		assert_memory_equal(got.p, want.p, want.n);
	}
	buf_fini(&want);
	buf_fini(&got);
}

/* Every text of up to seven of the bytes that matter. */
static void
bodies_have_crlf_only(void **state)
{
	static const char bytes[] = "\r\n.a";
	char text[7];

	(void)state;
	for (size_t n = 0; n <= sizeof(text); n++) {
		for (unsigned k = 0; k < 1U << (2 * n); k++) {
			for (size_t i = 0; i < n; i++)
				text[i] = bytes[k >> (2 * i) & 3];
			check_body(str_from(text, n), OUT_BODY_DATA);
			check_body(str_from(text, n), OUT_BODY_TEXT);
		}
	}
}

static void
binary_goes_as_it_is(void **state)
{
	struct str in = STR("a\rb\nc\r\n.\r\n\0");
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	for (size_t cut = 0; cut <= in.n; cut++) {
		buf_clear(&out);
		write_body(in, cut, OUT_BODY_RAW, &out);
		assert_true(str_eq(buf_str(&out), in));
	}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_read_in_any_pieces),
		cmocka_unit_test(a_line_has_a_limit),
		cmocka_unit_test(a_reply_has_a_limit),
		cmocka_unit_test(words_are_one_clean_line),
		cmocka_unit_test(bodies_have_crlf_only),
		cmocka_unit_test(binary_goes_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
