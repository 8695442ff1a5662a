/* crlf.c - every window of files with every kind of line end. */
#include "testing.h"

#include <sys/mman.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/message/crlf.h>

static const struct {
	const char *raw, *want;
} rows[] = {
	{ "", "" },
	{ "\n", "\r\n" },
	{ "a\nb\n\nc", "a\r\nb\r\n\r\nc" },
	{ "a\r\nb\r\n", "a\r\nb\r\n" },
	{ "a\rb\r\r\n\n\r", "a\rb\r\r\n\r\n\r" },
	{ "mixed\r\nlines\nhere\n\r\n", "mixed\r\nlines\r\nhere\r\n\r\n" },
};

static int
file_with(const char *text)
{
	int fd = memfd_create("message", 0);

	assert_true(fd >= 0 && io_write_all(fd, str_of(text)));
	return fd;
}

static void
windows(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (int lf = 0; lf < 2; lf++) {
			struct str want = str_of(lf ? rows[i].want : rows[i].raw);
			struct crlf_reader forward;
			int fd = file_with(rows[i].raw);

			crlf_reader_init(&forward, fd, lf);
			for (size_t at = 0; at <= want.n + 1; at++) {
				for (size_t n = 0; n <= want.n + 1; n++) {
					struct crlf_reader fresh;

					crlf_reader_init(&fresh, fd, lf);
					buf_clear(&b);
					assert_true(crlf_read(&fresh, at, n, &b));
					ASSERT_STR(buf_str(&b), str_sub(want, at, at + n), rows[i].raw);
					buf_clear(&b);
					assert_true(crlf_read(&forward, at, n, &b)); /* jumps to and fro */
					ASSERT_STR(buf_str(&b), str_sub(want, at, at + n), rows[i].raw);
				}
			}
			close(fd);
		}
	}
	buf_fini(&b);
}

/* Steps of every size, one after the other, give the whole. */
static void
steps(void **state)
{
	int fd = memfd_create("message", 0);
	struct buf raw, want, got;

	(void)state;
	buf_init(&raw, 1 << 20);
	buf_init(&want, 1 << 20);
	buf_init(&got, 1 << 20);
	for (size_t i = 0; i < 20000; i++) {
		buf_addf(&raw, "line %zu\n", i);
		buf_addf(&want, "line %zu\r\n", i);
	}
	assert_true(io_write_all(fd, buf_str(&raw)));
	for (size_t step = 1; step < want.n * 3; step = step * 5 + 2) {
		struct crlf_reader r;

		crlf_reader_init(&r, fd, true);
		buf_clear(&got);
		for (size_t at = 0; at < (step < 100 ? 5000 : want.n); at += step)
			assert_true(crlf_read(&r, at, step, &got));
		assert_true(str_eq(buf_str(&got), str_sub(buf_str(&want), 0, got.n)) && got.n >= 5000);
	}
	close(fd);
	assert_false(crlf_read(&(struct crlf_reader){ .fd = -1, .lf = true }, 0, 1, &got));
	buf_clear(&got);
	assert_false(crlf_read(&(struct crlf_reader){ .fd = -1 }, 0, 1, &got));
	buf_fini(&raw);
	buf_fini(&want);
	buf_fini(&got);
}

static void
nul(void **state)
{
	char text[] = "a\0b\0";

	(void)state;
	crlf_mask_nul(text, 4);
	assert_memory_equal(text,
	    "a\x80"
	    "b\x80",
	    4);
	crlf_mask_nul(text, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows),
		cmocka_unit_test(steps),
		cmocka_unit_test(nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
