/* preview.c - tests of previews: markup, which part, what is left out, the limit of RFC 8970 3.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/utf8.h>
#include <postern/message/charset.h>

#include "preview.h"

static void
markup(void **state)
{
	static const char *const rows[][2] = {
		{ "plain", "plain" },
		{ "<p>one</p>two", " one two" },
		{ "<b>w</b>ord", "word" },
		{ "a < b > c", "a < b > c" },
		{ "<a href=\"x\">link</a>", "link" },
		{ "&lt;b&gt; &amp;amp; &quot;", "<b> &amp; \"" },
		{ "&#228;&#xe4;&auml;&nosuch;&#0;&#xd800;&", "äää&nosuch;&#0;&#xd800;&" },
		{ "&#99999999999999999999;", "&#99999999999999999999;" },
		{ "<style>p { x }</style>y", "  y" },
		{ "<SCRIPT>if (a<b) x</script >y", "  y" },
		{ "<header>y</header>", " y " },
		{ "<!-- <p>no</p> -->y", " y" },
		{ "<!-- never ends", " " },
		{ "<script>never ends", " " },
		{ "never ends <a href=", "never ends " },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf out;

		buf_init(&out, SIZE_MAX);
		preview_strip_html(&out, str_of(rows[i][0]));
		assert_string_equal(buf_cstr(&out), rows[i][1]);
		buf_fini(&out);
	}
}

static void
make(struct str message, struct buf *out)
{
	struct arena arena;
	const struct mime *tree;
	int fd = memfd_create("message", MFD_CLOEXEC);

	arena_init(&arena);
	assert_true(io_write_all(fd, message));
	tree = mime_parse(&arena, message, 0);
	preview_make(out, tree, fd, false);
	arena_fini(&arena);
	close(fd);
}

static void
parts(void **state)
{
	static const char *const rows[][2] = {
		{ "\r\nHello\r\n there\t!\r\n", "Hello there !" },
		{ "\r\n> quoted\r\nmine\r\n-- \r\nsignature\r\n", "mine" },
		{ "\r\n\x01\x02 control\x7f s\r\n", "control s" },
		{ "Content-Type: text/html\r\n\r\n<p>one<p>two\r\n", "one two" },
		{ "Content-Type: image/png\r\n\r\nxx\r\n", "" },
		{ "Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nxx\r\n", "" },
		{ "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FC=\r\nx\r\n",
		    "üx" },
		{ "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
		    "--b\r\nContent-Type: text/html\r\n\r\nhtml\r\n--b\r\n\r\nplain\r\n--b--\r\n",
		    "plain" },
		{ "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
		    "--b\r\n\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\nhtml\r\n--b--\r\n",
		    "html" },
		{ "Content-Type: multipart/encrypted; boundary=b\r\n\r\n"
		    "--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nx\r\n--b--\r\n",
		    "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf out;

		buf_init(&out, SIZE_MAX);
		make(str_of(rows[i][0]), &out);
		assert_string_equal(buf_cstr(&out), rows[i][1]);
		buf_fini(&out);
	}
}

static size_t
characters(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

/* 200 characters, none of them cut, however the words fall. */
static void
limit(void **state)
{
	(void)state;
	for (unsigned word = 1; word < 60; word++) {
		struct buf message, out;

		buf_init(&message, SIZE_MAX);
		buf_init(&out, SIZE_MAX);
		buf_add_cstr(&message, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
		for (unsigned i = 0; i < 40000; i++)
			buf_add_cstr(&message, i % (word + 1) == word ? " \r\n" : "€");
		make(buf_str(&message), &out);
		assert_true(utf8_valid(buf_str(&out)));
		assert_in_range(characters(buf_str(&out)), PREVIEW_CHARACTERS - 1, PREVIEW_CHARACTERS);
		buf_fini(&message);
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(markup),
		cmocka_unit_test(parts),
		cmocka_unit_test(limit),
	};
	int failed;

	charset_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	charset_fini();
	return failed;
}
