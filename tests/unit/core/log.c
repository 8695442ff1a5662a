/* log.c - tests of the log as a pipe, and of reading its lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/buf.h>
#include <postern/core/clock.h>
#include <postern/core/logline.h>

static int ends[2];

static int
open_pipe(void **state)
{
	(void)state;
	return pipe2(ends, O_NONBLOCK | O_CLOEXEC);
}

static int
close_pipe(void **state)
{
	(void)state;
	log_setup(2, "test", LOG_TEXT, LEVEL_INFO);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static void
read_pipe(struct buf *into)
{
	ssize_t n;

	buf_clear(into);
	while ((n = read(ends[0], buf_room(into, 65536), 65536)) > 0)
		into->n += (size_t)n;
}

static size_t
count(struct str text, const char *word)
{
	size_t n = 0;
	size_t at;

	while ((at = str_search(text, str_of(word))) < text.n) {
		n++;
		text = str_sub(text, at + 1, text.n);
	}
	return n;
}

static void
a_full_pipe_holds_nobody_up(void **state)
{
	struct buf text;
	struct mono begin;

	(void)state;
	buf_init(&text, 1 << 20);
	log_setup(ends[1], "test", LOG_TEXT, LEVEL_INFO);
	begin = mono_now();
	for (int i = 0; i < 100000; i++)
		log_say(LEVEL_INFO, "x", "number %d", i);
	/* one wait, not one for each of them */
	assert_in_range(mono_ms_between(mono_now(), begin), LOG_WAIT_MS, LOG_WAIT_MS + 20000);
	read_pipe(&text);
	assert_true(count(buf_str(&text), "number") < 100000);
	assert_true(str_ends(buf_str(&text), STR("\n")));

	size_t went = count(buf_str(&text), "number");
	char lost[32];

	log_say(LEVEL_INFO, "x", "again");
	read_pipe(&text);
	snprintf(lost, sizeof lost, "event=lost lines=%zu ", 100000 - went);
	assert_int_equal(count(buf_str(&text), "again"), 1);
	assert_int_equal(count(buf_str(&text), lost), 1);
	log_say(LEVEL_INFO, "x", "once told");
	read_pipe(&text);
	assert_int_equal(count(buf_str(&text), "event=lost"), 0);
	buf_fini(&text);
}

static struct buf made;

static void
keep_line(void *ctx, struct str line)
{
	(void)ctx;
	buf_clear(&made);
	buf_add(&made, line);
}

static void
make_line(enum log_format format)
{
	struct log_line l;

	log_to(keep_line, NULL);
	log_setup(2, "smtp", format, LEVEL_INFO);
	log_begin(&l, LEVEL_WARN, "refuse");
	log_cstr(&l, "sid", "abc");
	log_str(&l, "helo", STR("a\r\nMay 1 event=accept qid=1 \"\\%s\x1b"));
	log_cstr(&l, "empty", "");
	log_cstr(&l, "to", "b\xc3\xa4r@example.test");
	log_num(&l, "code", -550);
	log_end(&l);
	log_to(NULL, NULL);
	log_setup(2, "test", LOG_TEXT, LEVEL_INFO);
}

static void
check_value(const struct logline *l, const char *key, const char *value)
{
	struct str got = logline_get(l, key);

	if (value == NULL)
		assert_null(got.p);
	else
		assert_true(str_eq(got, str_of(value)));
}

static void
what_is_written_is_read(void **state)
{
	static const char *const helo[] = { "a\\x0d\\x0aMay 1 event=accept qid=1 \"\\%s\\x1b",
		"a\\u000d\\u000aMay 1 event=accept qid=1 \"\\%s\\u001b" };
	static struct logline l;
	struct arena a;

	(void)state;
	arena_init(&a);
	buf_init(&made, LOG_LINE_MAX);
	for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
		make_line((enum log_format)format);
		assert_true(logline_parse(buf_str(&made), &a, &l));
		assert_true(str_eq(l.head.role, STR("smtp")) && str_eq(l.head.event, STR("refuse")) && l.head.level == LEVEL_WARN);
		assert_int_equal(l.head.time.n, 29);
		assert_int_equal(l.n, 5);
		check_value(&l, "sid", "abc");
		check_value(&l, "helo", helo[format]);
		check_value(&l, "empty", "");
		check_value(&l, "to", "b\xc3\xa4r@example.test");
		check_value(&l, "code", "-550");
		check_value(&l, "qid", NULL);
		/* no beginning of it is a line of other meaning */
		for (size_t n = 0; n + 1 < made.n; n++) {
			char *cut = malloc(n + 1); /* so that a read behind the end is seen */
			bool ok;

			memcpy(cut, made.p, n);
			ok = logline_parse(str_from(cut, n), &a, &l);
			assert_true(!ok || (format == LOG_TEXT && str_eq(l.head.event, str_sub(STR("refuse"), 0, l.head.event.n))));
			assert_true(!ok || logline_get(&l, "qid").p == NULL);
			free(cut);
		}
	}
	buf_fini(&made);
	arena_fini(&a);
}

static void
what_is_no_line(void **state)
{
	static const char *const no[] = { "", "\n", "x", "==1==ERROR: AddressSanitizer: heap", "{}", "{\"time\":", "{\"time\":\"\\\"",
		"2026 info smtp event", "2026 loud smtp event=x", "2026  smtp event=x", "2026 info smtp event=x a", "2026 info smtp event=x a=",
		"2026 info smtp event=x a=\"b", "2026 info smtp event=x a=\"b\\\"", "2026 info smtp event=x  a=b", "2026 info smtp event=x a=b\nc=d",
		"{\"time\":\"1\",\"level\":\"info\",\"role\":\"r\",\"event\":\"e\"", "{\"time\":\"1\",\"level\":\"info\",\"role\":\"r\",\"event\":\"e\"}x",
		"{\"time\":\"1\",\"level\":\"info\",\"role\":\"r\",\"event\":\"e\",\"a\":{}}" };
	static struct logline l;
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (logline_parse(str_of(no[i]), &a, &l))
			fail_msg("taken for a line: %s", no[i]);
	assert_true(logline_parse(STR("2026 info smtp event=x\n"), &a, &l) && l.n == 0);
	arena_fini(&a);
}

static void
more_fields_than_fit(void **state)
{
	static struct logline l;
	struct buf line;
	struct arena a;

	(void)state;
	arena_init(&a);
	buf_init(&line, 1 << 16);
	buf_add_cstr(&line, "2026 info smtp event=x");
	for (int i = 0; i < LOGLINE_FIELDS_MAX + 9; i++)
		buf_addf(&line, " k%d=%d", i, i);
	assert_true(logline_parse(buf_str(&line), &a, &l));
	assert_int_equal(l.n, LOGLINE_FIELDS_MAX);
	check_value(&l, "k7", "7");
	buf_fini(&line);
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_full_pipe_holds_nobody_up, open_pipe, close_pipe),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(what_is_no_line),
		cmocka_unit_test(more_fields_than_fit),
	};

	return cmocka_run_group_tests_name("core_log", tests, NULL, NULL);
}
