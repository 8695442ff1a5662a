/* core.c - tests of the core module: bytes, cursors, clocks, log lines, maps, identifiers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <postern/core/arena.h>
#include <postern/core/base64.h>
#include <postern/core/buf.h>
#include <postern/core/clock.h>
#include <postern/core/cur.h>
#include <postern/core/err.h>
#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/loop.h>
#include <postern/core/map.h>
#include <postern/core/mem.h>
#include <postern/core/str.h>
#include <postern/core/utf8.h>

static void
str_cutting(void **state)
{
	struct str rest = STR("a,,b,");
	struct str item;

	(void)state;
	assert_true(str_cut(&rest, ',', &item) && str_eq(item, STR("a")));
	assert_true(str_cut(&rest, ',', &item) && item.n == 0);
	assert_true(str_cut(&rest, ',', &item) && str_eq(item, STR("b")));
	assert_false(str_cut(&rest, ',', &item));
	assert_true(str_eq(str_trim(STR(" \tx y\r\n")), STR("x y")));
	assert_true(str_eq(str_sub(STR("abc"), 2, 9), STR("c")));
	assert_int_equal(str_sub(STR("abc"), 5, 2).n, 0);
	assert_int_equal(str_search(STR("abcabd"), STR("abd")), 3);
	assert_int_equal(str_rfind(STR("a.b.c"), '.'), 3);
}

static void
str_comparing(void **state)
{
	(void)state;
	assert_true(str_eq_nocase(STR("MaIl"), STR("mAiL")));
	assert_false(str_eq_nocase(STR("\xc4"), STR("\xe4")));
	assert_true(str_cmp(STR("a"), STR("ab")) < 0);
	assert_true(str_cmp(STR("b"), STR("ab")) > 0);
	assert_int_equal(str_cmp(STR(""), STR("")), 0);
	assert_true(str_starts_nocase(STR("From:x"), STR("from:")));
	assert_true(str_ends(STR("a.test"), STR(".test")));
	assert_false(str_ends(STR("test"), STR(".test")));
}

static void
ascii_at_every_place(void **state)
{
	char bytes[20];

	(void)state;
	memset(bytes, 0x7f, sizeof(bytes));
	for (size_t n = 0; n <= sizeof(bytes); n++)
		assert_true(ascii_only(str_from(bytes, n)));
	for (size_t at = 0; at < sizeof(bytes); at++) {
		bytes[at] = (char)0x80;
		for (size_t n = 0; n <= sizeof(bytes); n++)
			assert_int_equal(ascii_only(str_from(bytes, n)), n <= at);
		bytes[at] = 0;
	}
}

static void
str_numbers(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_true(str_u64(STR("18446744073709551615"), UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
	assert_false(str_u64(STR("18446744073709551616"), UINT64_MAX, &v));
	assert_true(str_u64(STR("4294967295"), UINT32_MAX, &v));
	assert_false(str_u64(STR("4294967296"), UINT32_MAX, &v));
	assert_true(str_u64(STR("0007"), 7, &v));
	assert_false(str_u64(STR("8"), 7, &v));
	assert_false(str_u64(STR(""), 7, &v));
	assert_false(str_u64(STR("-1"), 7, &v));
	assert_false(str_u64(STR("1 "), 7, &v));
}

static void
buf_without_ceiling(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	buf_addf(&b, "%s", "some words");
	assert_false(b.over);
	assert_string_equal(buf_cstr(&b), "some words");
	buf_fini(&b);
}

static void
buf_ceiling(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	assert_string_equal(buf_cstr(&b), "");
	buf_add(&b, STR("abcde"));
	assert_false(b.over);
	assert_string_equal(buf_cstr(&b), "abcde");
	buf_add_char(&b, 'f');
	assert_true(b.over);
	assert_int_equal(b.n, 5);
	buf_clear(&b);
	buf_addf(&b, "%s", "123456");
	assert_true(b.over);
	assert_int_equal(b.n, 0);
	buf_clear(&b);
	buf_add_u64(&b, 12345);
	buf_drop(&b, 2);
	assert_true(str_eq(buf_str(&b), STR("345")));
	buf_cut(&b, 1);
	assert_true(str_eq(buf_str(&b), STR("3")));
	assert_null(buf_room(&b, 5));
	buf_fini(&b);
}

static void
arena_growth(void **state)
{
	struct arena a;
	char *big;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < 10000; i++) {
		uint64_t *v = ARENA_NEW(&a, uint64_t);

		assert_int_equal((uintptr_t)v % 16, 0);
		assert_true(*v == 0);
		*v = i;
	}
	big = arena_alloc(&a, 1 << 20);
	memset(big, 1, 1 << 20);
	assert_true(arena_used(&a) > 1 << 20);
	arena_reset(&a);
	assert_int_equal(arena_used(&a), 0);
	assert_true(str_eq(arena_strf(&a, "%s-%d", "x", 7), STR("x-7")));
	assert_true(str_eq(arena_lower(&a, STR("@AZ[az`\xc4\0Q")), STR("@az[az`\xc4\0q")));
	arena_fini(&a);
}

static void
cursor_sticks(void **state)
{
	struct cur c = cur_init(STR("MAIL from:<12>x"));

	(void)state;
	assert_true(cur_want(&c, "mail FROM:"));
	assert_true(cur_take_char(&c, '<'));
	assert_int_equal(cur_number(&c, 12), 12);
	assert_false(cur_want(&c, "]"));
	assert_false(cur_take(&c, ">"));
	assert_int_equal(cur_peek(&c), -1);
	assert_int_equal(cur_left(&c), 0);
	assert_int_equal(cur_bytes(&c, 1).n, 0);
	assert_false(cur_end(&c));
	assert_string_equal(c.why, "]");
	c = cur_init(STR("12x"));
	assert_int_equal(cur_number(&c, 11), 0);
	assert_false(cur_ok(&c));
	c = cur_init(STR("x"));
	assert_false(cur_end(&c));
}

static void
base64_strict(void **state)
{
	static const char *const good[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "/+8=" };
	static const char *const bad[] = { "=", "Zg=", "Zg", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm-v", "!!!!" };
	struct buf out;
	struct buf again;

	(void)state;
	buf_init(&out, 64);
	buf_init(&again, 64);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		buf_clear(&out);
		buf_clear(&again);
		assert_true(base64_decode(&out, str_of(good[i])));
		base64_add(&again, buf_str(&out));
		assert_true(str_eq(buf_str(&again), str_of(good[i])));
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		buf_clear(&out);
		assert_false(base64_decode(&out, str_of(bad[i])));
		assert_int_equal(out.n, 0);
	}
	assert_true(hex_decode(&out, STR("00fFa0")));
	buf_clear(&again);
	hex_add(&again, buf_str(&out));
	assert_true(str_eq(buf_str(&again), STR("00ffa0")));
	assert_false(hex_decode(&out, STR("0")));
	assert_false(hex_decode(&out, STR("0g")));
	buf_fini(&out);
	buf_fini(&again);
}

static void
utf8_strict(void **state)
{
	static const struct str bad[] = { STR_INIT("\x80"), STR_INIT("\xc0\x80"), STR_INIT("\xe0\x80\x80"),
		STR_INIT("\xed\xa0\x80"), STR_INIT("\xf4\x90\x80\x80"), STR_INIT("\xf5\x80\x80\x80"), STR_INIT("\xe2\x82"),
		STR_INIT("a\xff") };
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(utf8_valid(bad[i]));
	buf_init(&b, 16);
	utf8_add(&b, 0x24);
	utf8_add(&b, 0xa2);
	utf8_add(&b, 0x20ac);
	utf8_add(&b, 0x10348);
	assert_true(str_eq(buf_str(&b), STR("\x24\xc2\xa2\xe2\x82\xac\xf0\x90\x8d\x88")));
	assert_true(utf8_valid(buf_str(&b)));
	buf_fini(&b);
}

/* One character, whole or broken, at every place of texts of every length: the way in strides finds what the slow way finds. */
static void
utf8_anywhere(void **state)
{
	static const struct str put[] = { STR_INIT("\xc3\xa9"), STR_INIT("\xe2\x82\xac"), STR_INIT("\xf0\x9f\x93\xa7"),
		STR_INIT("\x80"), STR_INIT("\xc3"), STR_INIT("\xe2\x82"), STR_INIT("\xed\xa0\x80"), STR_INIT("\xff") };
	enum { WHOLE = 3, LONGEST = 40 };
	char text[LONGEST];

	(void)state;
	for (size_t n = 0; n <= LONGEST; n++) {
		memset(text, 'a', sizeof(text));
		assert_true(utf8_valid(str_from(text, n)));
		assert_true(ascii_only(str_from(text, n)));
		for (size_t i = 0; i < sizeof(put) / sizeof(*put); i++) {
			for (size_t at = 0; at + put[i].n <= n; at++) {
				memset(text, 'a', sizeof(text));
				memcpy(text + at, put[i].p, put[i].n);
				assert_int_equal(utf8_valid(str_from(text, n)), i < WHOLE);
				assert_false(ascii_only(str_from(text, n)));
			}
		}
	}
}

static void
map_against_plain(void **state)
{
	enum { N = 500 };
	static int values[N];
	bool there[N] = { false };
	struct map m;
	size_t live = 0;
	size_t seen = 0;
	size_t at = 0;
	struct str key;
	void *value;
	unsigned r = 1;

	(void)state;
	map_init(&m);
	assert_null(map_get(&m, STR("x")));
	for (int i = 0; i < 20000; i++) {
		char name[16];
		size_t k;

		r = r * 1103515245 + 12345;
		k = (r >> 8) % N;
		snprintf(name, sizeof name, "key%zu", k);
		if ((r >> 20) % 2 == 0) {
			assert_ptr_equal(map_put(&m, str_of(name), &values[k]), there[k] ? &values[k] : NULL);
			there[k] = true;
		} else {
			assert_ptr_equal(map_del(&m, str_of(name)), there[k] ? &values[k] : NULL);
			there[k] = false;
		}
	}
	for (size_t k = 0; k < N; k++)
		live += there[k];
	assert_int_equal(m.n, live);
	while (map_next(&m, &at, &key, &value)) {
		assert_true(there[(int *)value - values]);
		seen++;
	}
	assert_int_equal(seen, live);
	map_fini(&m);
}

static struct buf logged;

static void
keep_line(void *ctx, struct str line)
{
	(void)ctx;
	buf_clear(&logged);
	buf_add(&logged, line);
}

static void
log_escapes(void **state)
{
	struct log_line l;

	(void)state;
	buf_init(&logged, LOG_LINE_MAX);
	log_setup(2, "smtp", LOG_TEXT, LEVEL_INFO);
	log_to(keep_line, NULL);
	log_begin(&l, LEVEL_INFO, "refuse");
	log_str(&l, "helo", STR("a\r\nMay 1 \x1b[2J\"\\%s\xff\0z"));
	log_str(&l, "plain", STR("<a@b>"));
	log_str(&l, "empty", STR(""));
	log_str(&l, "bidi", STR("a\xe2\x80\xae""b\xc3\xa4"));
	log_num(&l, "n", -5);
	log_end(&l);
	assert_non_null(strstr(buf_cstr(&logged),
	    " info smtp event=refuse helo=\"a\\x0d\\x0aMay 1 \\x1b[2J\\\"\\\\%s\\xff\\x00z\" plain=<a@b> empty=\"\" "
	    "bidi=\"a\\u202eb\xc3\xa4\" n=-5\n"));
	log_setup(2, "smtp", LOG_JSON, LEVEL_INFO);
	log_begin(&l, LEVEL_INFO, "x");
	log_str(&l, "v", STR("\x01\""));
	log_num(&l, "n", 1);
	log_end(&l);
	assert_non_null(strstr(buf_cstr(&logged), "\"event\":\"x\",\"v\":\"\\u0001\\\"\",\"n\":1}\n"));
	log_say(LEVEL_DEBUG, "quiet", "never seen");
	assert_null(strstr(buf_cstr(&logged), "quiet"));
	log_setup(2, "test", LOG_TEXT, LEVEL_INFO);
	log_to(NULL, NULL);
	buf_fini(&logged);
}

static void
log_never_too_long(void **state)
{
	static char big[3 * LOG_LINE_MAX];
	struct log_line l;

	(void)state;
	buf_init(&logged, LOG_LINE_MAX);
	log_to(keep_line, NULL);
	for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
		log_setup(2, "test", (enum log_format)format, LEVEL_INFO);
		for (size_t n = LOG_LINE_MAX - 200; n < LOG_LINE_MAX + 20; n++) {
			memset(big, n % 2 ? 'a' : '\n', sizeof big);
			log_begin(&l, LEVEL_INFO, "long");
			log_str(&l, "v", str_from(big, n));
			log_str(&l, "w", STR("more"));
			log_str(&l, "x", str_from(big, 50));
			log_num(&l, "y", 7);
			log_end(&l);
			assert_true(logged.n > 0 && logged.n <= LOG_LINE_MAX);
			assert_int_equal(logged.p[logged.n - 1], '\n');
			assert_true(logged.p[logged.n - 2] == (format == LOG_JSON ? '}' : logged.p[logged.n - 2]));
		}
	}
	log_setup(2, "test", LOG_TEXT, LEVEL_INFO);
	log_to(NULL, NULL);
	buf_fini(&logged);
}

static void
clock_faked(void **state)
{
	char out[WALL_RFC3339_SIZE];

	(void)state;
	setenv("TZ", "UTC-2", 1);
	tzset();
	clock_fake((struct mono){ 5 }, wall_from_seconds(1777629600));
	clock_fake_step(123);
	assert_int_equal(mono_now().ns, 5 + 123000000);
	wall_rfc3339(wall_now(), out);
	assert_string_equal(out, "2026-05-01T12:00:00.123+02:00");
	clock_real();
	assert_int_equal(mono_ms_between((struct mono){ 1000001 }, (struct mono){ 0 }), 2);
	assert_int_equal(wall_seconds((struct wall){ -1 }), -1);
}

static void
id_round_trip(void **state)
{
	struct id a = id_new();
	struct id b;
	char text[ID_TEXT_SIZE];

	(void)state;
	id_text(a, text);
	assert_true(id_parse(str_of(text), &b));
	assert_true(id_eq(a, b));
	b = id_new();
	assert_false(id_eq(a, b));
	assert_false(id_parse(STR("short"), &b));
	assert_false(id_parse(STR("0000000000000000000000000w"), &b));
	assert_false(id_parse(STR("00000000000000000000000001"), &b));
}

static void
err_words(void **state)
{
	struct err e;

	(void)state;
	err_clear(&e);
	assert_false(err_temp(&e, SAY_LATER, "rename %s", "x"));
	assert_false(err_at(&e, "box %d", 7));
	assert_int_equal(e.class, ERR_TEMP);
	assert_string_equal(e.log, "box 7: rename x");
}

static int calls;

static void
count_call(void *ctx)
{
	calls++;
	if (ctx != NULL)
		loop_stop(ctx);
}

static void
loop_runs(void **state)
{
	struct loop *l = loop_new();
	struct loop_timer t;

	(void)state;
	calls = 0;
	loop_defer(l, count_call, NULL);
	loop_defer(l, count_call, NULL);
	loop_turn(l);
	assert_int_equal(calls, 2);
	loop_post(l, count_call, NULL);
	loop_timer_init(&t, l, count_call, l);
	loop_timer_start(&t, 5);
	loop_run(l);
	assert_int_equal(calls, 4);
	loop_timer_fini(&t);
	loop_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(str_cutting),
		cmocka_unit_test(str_comparing),
		cmocka_unit_test(str_numbers),
		cmocka_unit_test(ascii_at_every_place),
		cmocka_unit_test(buf_without_ceiling),
		cmocka_unit_test(buf_ceiling),
		cmocka_unit_test(arena_growth),
		cmocka_unit_test(cursor_sticks),
		cmocka_unit_test(base64_strict),
		cmocka_unit_test(utf8_strict),
		cmocka_unit_test(utf8_anywhere),
		cmocka_unit_test(map_against_plain),
		cmocka_unit_test(log_escapes),
		cmocka_unit_test(log_never_too_long),
		cmocka_unit_test(clock_faked),
		cmocka_unit_test(id_round_trip),
		cmocka_unit_test(err_words),
		cmocka_unit_test(loop_runs),
	};

	return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
