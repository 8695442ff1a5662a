/* encoding.c - lenient base64 and quoted-printable, cut anywhere. */
#include "testing.h"

#include <postern/message/encoding.h>

static const struct {
	enum encoding encoding;
	const char *text, *want;
} rows[] = {
	{ ENCODING_BASE64, "", "" },
	{ ENCODING_BASE64, "SGVsbG8=", "Hello" },
	{ ENCODING_BASE64, "SGVs\r\nbG8sIHdvcmxk\r\n", "Hello, world" },
	{ ENCODING_BASE64, "SGVsbG8", "Hello" },
	{ ENCODING_BASE64, "S G V s!bG8=", "Hello" },
	{ ENCODING_BASE64, "SGVsbA==SGVsbG8=", "HellHello" },
	{ ENCODING_BASE64, "SGVsbA=\r\n=SGVsbG8=", "HellHello" },
	{ ENCODING_BASE64, "S", "" },
	{ ENCODING_BASE64, "SG", "H" },
	{ ENCODING_BASE64, "====", "" },
	{ ENCODING_BASE64, "/+/+", "\xff\xef\xfe" },
	{ ENCODING_QUOTED, "", "" },
	{ ENCODING_QUOTED, "plain\r\ntext\n", "plain\r\ntext\n" },
	{ ENCODING_QUOTED, "a=3Db=c3=B6", "a=b\xc3\xb6" },
	{ ENCODING_QUOTED, "soft=\r\nbreak=\nhere", "softbreakhere" },
	{ ENCODING_QUOTED, "soft= \t\r\nbreak", "softbreak" },
	{ ENCODING_QUOTED, "trailing  \r\nblanks\t\nend  ", "trailing\r\nblanks\nend" },
	{ ENCODING_QUOTED, "in  side \t x", "in  side \t x" },
	{ ENCODING_QUOTED, "=XY =4 =4X ==41 =", "=XY =4 =4X =A " },
	{ ENCODING_QUOTED, "= x", "= x" },
	{ ENCODING_QUOTED, "=\rx", "=\rx" },
	{ ENCODING_QUOTED, "x \ry", "x \ry" },
	{ ENCODING_QUOTED, "x \r", "x\r" },
	{ ENCODING_QUOTED, "x \r\r\n", "x \r\r\n" },
	{ ENCODING_QUOTED, "=4", "=4" },
	{ ENCODING_QUOTED, "=4\n", "=4\n" },
	{ ENCODING_QUOTED, "=\xc3\xb6", "=\xc3\xb6" },
	{ ENCODING_QUOTED, "=00", "\0" },
	{ ENCODING_7BIT, "=41 \r\n", "=41 \r\n" },
	{ ENCODING_BINARY, "x", "x" },
	{ ENCODING_UNKNOWN, "x", "x" },
};

static void
decode(enum encoding encoding, struct str text, size_t piece, struct buf *out)
{
	struct decoder d;

	decoder_init(&d, encoding);
	for (size_t at = 0; at < text.n; at += piece)
		decoder_feed(&d, str_sub(text, at, at + piece), out);
	decoder_end(&d, out);
}

static void
decoding(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t piece = 1; piece <= strlen(rows[i].text) + 1; piece++) {
			struct str want = str_of(rows[i].want);

			if (str_eq(str_of(rows[i].text), STR("=00")))
				want.n = 1;
			buf_clear(&b);
			decode(rows[i].encoding, str_of(rows[i].text), piece, &b);
			ASSERT_STR(buf_str(&b), want, rows[i].text);
		}
	}
	buf_fini(&b);
}

/* Blanks beyond the limit are kept rather than remembered. */
static void
long_blanks(void **state)
{
	struct arena a;
	struct buf b;

	(void)state;
	arena_init(&a);
	buf_init(&b, 10 * ENCODING_HELD_MAX);
	for (size_t piece = 1; piece < 3 * ENCODING_HELD_MAX; piece = piece * 7 + 1) {
		struct str few = arena_strf(&a, "%s\r\n", repeated(&a, " ", ENCODING_HELD_MAX - 1).p);
		struct str many = arena_strf(&a, "%s\r\n", repeated(&a, " ", ENCODING_HELD_MAX + 10).p);

		buf_clear(&b);
		decode(ENCODING_QUOTED, few, piece, &b);
		assert_true(b.n <= 2);
		buf_clear(&b);
		decode(ENCODING_QUOTED, many, piece, &b);
		assert_int_equal(b.n, ENCODING_HELD_MAX + 2);
	}
	buf_fini(&b);
	arena_fini(&a);
}

static void
names(void **state)
{
	(void)state;
	assert_int_equal(encoding_of(STR("BASE64")), ENCODING_BASE64);
	assert_int_equal(encoding_of(STR(" quoted-printable ")), ENCODING_QUOTED);
	assert_int_equal(encoding_of(STR("")), ENCODING_7BIT);
	assert_int_equal(encoding_of(STR("x-uuencode")), ENCODING_UNKNOWN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decoding),
		cmocka_unit_test(long_blanks),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
