/* trace.c - tests of the record of past messages: its files, their limits, looking back through what may stand in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/io.h>

#include "trace.h"

static char dir[] = "/tmp/postern-trace-XXXXXX";
static struct trace_store t;

enum { NOON = 1777636800, DAY = 86400 }; /* 2026-05-01T12:00:00Z */

static int
set_up(void **state)
{
	struct err e;

	(void)state;
	strcpy(strrchr(dir, '-'), "-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	clock_fake((struct mono){ 1 }, wall_from_seconds(NOON));
	if (!trace_open(&t, dir, &e))
		return -1;
	trace_limit(&t, 7, 256 << 20);
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int
tear_down(void **state)
{
	(void)state;
	trace_close(&t);
	clock_real();
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* "event=EVENT REST" as it is logged now. */
static void
put(const char *event, const char *rest)
{
	struct logline_head h;
	enum trace_kind kind;
	char line[LOG_LINE_MAX + 2];
	char now[WALL_RFC3339_SIZE];

	wall_rfc3339(wall_now(), now);
	snprintf(line, sizeof line, "%s info smtp event=%s %s\n", now, event, rest);
	assert_true(logline_head_parse(str_of(line), &h));
	if (trace_wants(str_of(line), &h, &kind))
		trace_add(&t, kind, str_of(line));
	trace_flush(&t);
}

/* Who can write lines that count as mail pushes out those of others. */
static void
words_of_strangers_are_no_queue_id(void **state)
{
	static const struct {
		const char *rest;
		bool wanted;
	} rows[] = {
		{ "info smtp event=accept qid=06F1 from=a@b.test", true },
		{ "info smtp event=deliver to=\"a b\\\" c@d.test\" qid=06F1", true },
		{ "info smtp event=login user=\"a qid=06F1\" why=no", false },
		{ "info smtp event=login user=\"a\\\" qid=06F1\" why=no", false },
		{ "info smtp event=login user=\"a\\\\\" why=\" qid=06F1\"", false },
		{ "info smtp event=refuse user=\"a qid=06F1\"", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char line[256], now[WALL_RFC3339_SIZE];
		struct logline_head h;
		enum trace_kind kind;

		wall_rfc3339(wall_now(), now);
		snprintf(line, sizeof line, "%s %s\n", now, rows[i].rest);
		assert_true(logline_head_parse(str_of(line), &h));
		assert_int_equal(trace_wants(str_of(line), &h, &kind), rows[i].wanted);
	}
}

static void
write_file(const char *name, struct str text)
{
	int fd = openat(t.dir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd != -1 && io_write_all(fd, text));
	close(fd);
}

struct seen {
	char text[4096];
	size_t lines;
	size_t enough; /* lines of a page; 0: any number */
	size_t page;
};

static bool
see(void *ctx, const struct logline *l)
{
	struct seen *s = ctx;
	struct str n = logline_get(l, "n");
	size_t used = strlen(s->text);

	if (s->enough > 0 && s->page == s->enough)
		return false;
	s->page++;
	s->lines++;
	snprintf(s->text + used, sizeof s->text - used, "%.*s ", STR_ARG(n));
	return true;
}

static size_t
look(const char *word, int64_t since, size_t enough, struct seen *s)
{
	struct str w = str_of(word);
	struct trace_query q = { .words = &w, .nwords = 1, .kinds = ~0u, .since = wall_from_seconds(since), .found = see, .ctx = s };
	struct trace_place at = { 0 };
	size_t turns = 0;

	*s = (struct seen){ .enough = enough };
	do {
		s->page = 0;
		assert_true(++turns < 100000);
	} while (trace_search(t.dir, &q, &at));
	return s->lines;
}

static void
check(const char *word, const char *numbers)
{
	struct seen s;

	for (size_t enough = 0; enough < 4; enough++) {
		look(word, 0, enough, &s);
		assert_string_equal(s.text, numbers);
	}
}

static void
names_are_times(void **state)
{
	static const char *const no[] = { "", "a", "20260501T120000000", "20260501T120000000.", "20260501T120000000.mailx", "20260501T120000000.mail~",
		"20260501T12000000.mail", "20261301T120000000.mail", "20260501T120000000.mail/x", "-0260501T120000000.mail", "20260501T120000+00.mail" };
	struct trace_file f;

	(void)state;
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (trace_name_parse(no[i], &f))
			fail_msg("taken for one of ours: %s", no[i]);
	assert_true(trace_name_parse("20260501T120000007.refused", &f));
	assert_int_equal(f.kind, TRACE_REFUSED);
	assert_int_equal(f.begin.us, (int64_t)NOON * 1000000 + 7000);
}

static void
what_is_kept_and_found(void **state)
{
	(void)state;
	put("accept", "n=1 sid=s1 qid=q1 from=A@Remote.test msgid=<x@y> auth=\"\"");
	put("deliver", "n=2 sid=s1 qid=q1 from=A@Remote.test to=bob@example.test orig_to=info@example.test");
	put("refuse", "n=3 sid=s2 from=\"\" to=bob@example.test code=550");
	put("login", "n=4 sid=s2 user=bob@example.test");
	put("defer", "n=5 qid=q2 from=bob@example.test to=c@other.test");
	put("accept", "n=6 qid=q3 helo=\"bob@example.test\" to=\"x bob@example.test\"");
	check("q1", "2 1 ");
	check("X@Y", "1 ");
	check("<x@y>", "1 ");
	check("a@remote.test", "2 1 ");
	check("@remote.test", "2 1 ");
	check("bob@example.test", "3 5 2 "); /* kinds are searched by file, and the refusals' file began later */
	check("info@example.test", "2 ");
	check("ob@example.test", "");
	check("s1", "2 1 ");
	check("", "");
	check("\"\"", "");
}

static void
a_day_has_its_own_file(void **state)
{
	struct trace_file *files;
	struct seen s;
	size_t n;

	(void)state;
	for (int i = 0; i < 12; i++) {
		char rest[40];

		snprintf(rest, sizeof rest, "n=%d qid=q", i);
		put("accept", rest);
		clock_fake_step(DAY * 1000LL);
	}
	/* eleven days and noon: 7 days before today, today's not begun */
	trace_trim(&t);
	assert_true(trace_list(t.dir, &files, &n));
	free(files);
	assert_int_equal(n, 7);
	assert_int_equal(look("q", 0, 0, &s), 7);
	assert_string_equal(s.text, "11 10 9 8 7 6 5 ");
	look("q", NOON + 8 * DAY + 1, 0, &s);
	assert_string_equal(s.text, "11 10 9 ");
	look("q", NOON + 8 * DAY, 0, &s);
	assert_string_equal(s.text, "11 10 9 8 ");
}

static uint64_t
bytes_of(enum trace_kind kind)
{
	struct trace_file *files;
	uint64_t sum = 0;
	size_t n;

	assert_true(trace_list(t.dir, &files, &n));
	for (size_t i = 0; i < n; i++)
		sum += files[i].kind == kind ? files[i].size : 0;
	free(files);
	return sum;
}

static void
no_more_than_it_may(void **state)
{
	char rest[1000];
	struct seen s;

	(void)state;
	trace_limit(&t, 7, 1 << 20);
	put("accept", "n=1 qid=first");
	for (int i = 0; i < 5000; i++) {
		snprintf(rest, sizeof rest, "n=%d sid=s to=%0500d@example.test", i, i);
		put("refuse", rest);
		clock_fake_step(1);
	}
	/* strangers' refusals push out their own, not what is known of mail */
	assert_in_range(bytes_of(TRACE_REFUSED), 100000, (1 << 20) / 4);
	look("first", 0, 0, &s);
	assert_string_equal(s.text, "1 ");
	for (int i = 0; i < 5000; i++) {
		snprintf(rest, sizeof rest, "n=%d qid=%0500d", i, i);
		put("accept", rest);
	}
	assert_in_range(bytes_of(TRACE_MAIL), 400000, (1 << 20) * 3 / 4);
	assert_int_equal(look("first", 0, 0, &s), 0);
	snprintf(rest, sizeof rest, "%0500d", 4999);
	assert_int_equal(look(rest, 0, 0, &s), 1);
	assert_int_equal(t.failed, 0);
}

/* However much comes at once. */
static void
no_file_is_too_long(void **state)
{
	struct str line = STR("2026-05-01T12:00:00.000+00:00 info smtp event=refuse n=1 to=bob@example.test why=01234567890123456789\n");
	struct trace_file *files;
	struct seen s;
	size_t n;

	(void)state;
	trace_limit(&t, 7, 1 << 20);
	for (int turn = 0; turn < 20; turn++) {
		for (int i = 0; i < 3000; i++)
			trace_add(&t, TRACE_REFUSED, line);
		trace_flush(&t);
		assert_true(bytes_of(TRACE_REFUSED) <= (1 << 20) / 4);
	}
	assert_true(trace_list(t.dir, &files, &n));
	for (size_t i = 0; i < n; i++)
		assert_in_range(files[i].size, 1, 64 * 1024);
	free(files);
	assert_in_range(look("bob@example.test", 0, 0, &s), 1500, 2600);
}

static void
a_new_life_goes_on(void **state)
{
	struct trace_file *files;
	struct err e;
	size_t n;

	(void)state;
	put("accept", "n=1 qid=q");
	trace_close(&t);
	assert_true(trace_open(&t, dir, &e));
	trace_limit(&t, 7, 256 << 20);
	put("accept", "n=2 qid=q");
	/* torn by a power cut: the next line is not behind it */
	assert_true(trace_list(t.dir, &files, &n));
	assert_int_equal(n, 1);
	write_file(files[0].name, STR("2026-05-01T12:00:00.000+00:00 info smtp event=accept n=9 qi"));
	trace_close(&t);
	assert_true(trace_open(&t, dir, &e));
	trace_limit(&t, 7, 256 << 20);
	check("q", "2 1 ");
	put("accept", "n=3 qid=q");
	check("q", "3 2 1 ");
	free(files);
	/* the clock was set back: names still sort */
	clock_fake_step(-3600 * 1000LL);
	trace_close(&t);
	assert_true(trace_open(&t, dir, &e));
	trace_limit(&t, 7, 1 << 20);
	for (int i = 0; i < 300; i++) {
		char rest[600];

		snprintf(rest, sizeof rest, "n=x qid=%0500d", i);
		put("accept", rest);
	}
	put("accept", "n=4 qid=q");
	check("q", "4 3 2 1 ");
}

static void
anything_may_stand_there(void **state)
{
	struct str line = STR("2026-05-01T12:00:00.000+00:00 info smtp event=accept n=5 qid=q\n");
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 22);
	put("accept", "n=1 qid=q");
	trace_close(&t);
	/* zeros of a power cut, one endless line of more than a block, lines of the greatest length, binary, no newline at the end */
	memset(buf_room(&b, 5000), 0, 5000);
	b.n += 5000;
	buf_add_char(&b, '\n');
	buf_add(&b, line);
	memset(buf_room(&b, 400000), 'x', 400000);
	b.n += 400000;
	buf_add_char(&b, '\n');
	for (int i = 0; i < 200; i++) {
		size_t begin = b.n;

		buf_add_cstr(&b, "2026-05-01T12:00:00.000+00:00 info smtp event=accept n=6 qid=other why=");
		while (b.n - begin < LOG_LINE_MAX - 1 - (size_t)(i % 2))
			buf_add_char(&b, 'y');
		buf_add_char(&b, '\n');
	}
	for (int i = 0; i < 70000; i++)
		buf_add_char(&b, (char)(i * 7));
	buf_add_char(&b, '\n');
	buf_add_cstr(&b, "{\"time\":\"2026-05-01T12:00:00.000Z\",\"level\":\"info\",\"role\":\"smtp\",\"event\":\"accept\",\"n\":7,\"qid\":\"q\"}\n");
	buf_add_cstr(&b, "2026-05-01T12:00:00.000+00:00 info smtp event=accept n=8 qid=q");
	assert_int_equal(trace_open(&t, dir, &(struct err){ 0 }), true);
	write_file("20260501T120000000.mail", buf_str(&b));
	write_file("notes.txt", STR("mine"));
	assert_int_equal(mkdirat(t.dir, "20260501T120000001.mail", 0700), 0);
	trace_limit(&t, 7, 256 << 20);
	check("q", "7 5 1 ");
	struct seen s;
	assert_int_equal(look("other", 0, 0, &s), 200);
	/* every beginning of the file can be read */
	for (size_t n = b.n; n > b.n - 3000; n -= 13) {
		assert_int_equal(truncate(strcat(strcpy((char[80]){ 0 }, dir), "/20260501T120000000.mail"), (off_t)n), 0);
		look("q", 0, 0, &s);
		assert_in_range(s.lines, 1, 3);
	}
	trace_limit(&t, 1, 1 << 20);
	clock_fake_step(30LL * DAY * 1000);
	trace_trim(&t);
	assert_int_equal(faccessat(t.dir, "notes.txt", F_OK, 0), 0);
	assert_int_equal(faccessat(t.dir, "20260501T120000000.mail", F_OK, 0), -1);
	buf_fini(&b);
}

static void
a_full_disk_is_told_once(void **state)
{
	(void)state;
	if (geteuid() == 0 && access("/dev/full", W_OK) == 0) {
		put("accept", "n=1 qid=q");
		assert_int_equal(t.failed, 0);
		close(t.tape[TRACE_MAIL].fd);
		t.tape[TRACE_MAIL].fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
		put("accept", "n=2 qid=q");
		put("accept", "n=3 qid=q");
		assert_int_equal(t.failed, 2);
		assert_true(t.told);
		close(t.tape[TRACE_MAIL].fd);
		t.tape[TRACE_MAIL].fd = -1;
		put("accept", "n=4 qid=q");
		assert_false(t.told);
		check("q", "4 1 ");
	} else {
		skip();
	}
}

static void
times_are_read(void **state)
{
	struct wall w;

	(void)state;
	assert_true(logline_time(STR("2026-05-01T14:00:00.007+02:00"), &w));
	assert_int_equal(w.us, (int64_t)NOON * 1000000 + 7000);
	assert_true(logline_time(STR("2026-05-01T07:30:00.000-04:30"), &w));
	assert_int_equal(w.us, (int64_t)NOON * 1000000);
	assert_true(logline_time(STR("2026-05-01T12:00:00.000Z"), &w));
	assert_false(logline_time(STR("2026-05-01T12:00:00.000"), &w));
	assert_false(logline_time(STR("2026-05-01 12:00:00.000Z"), &w));
	assert_false(logline_time(STR("2026-05-01T12:00:00.000Zx"), &w));
	assert_false(logline_time(STR("x"), &w));
	assert_false(logline_time(STR(""), &w));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_of_strangers_are_no_queue_id),
		cmocka_unit_test(names_are_times),
		cmocka_unit_test(times_are_read),
		TEST(what_is_kept_and_found),
		TEST(a_day_has_its_own_file),
		TEST(no_more_than_it_may),
		TEST(no_file_is_too_long),
		TEST(a_new_life_goes_on),
		TEST(anything_may_stand_there),
		TEST(a_full_disk_is_told_once),
	};

	setenv("TZ", "Europe/Berlin", 1);
	log_setup(open("/dev/null", O_WRONLY | O_CLOEXEC), "test", LOG_TEXT, LEVEL_INFO);
	return cmocka_run_group_tests_name("role_trace", tests, NULL, NULL);
}
