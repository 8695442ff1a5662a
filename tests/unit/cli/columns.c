/* columns.c - how answers look: aligned, without what is empty, and safe for a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "../../../src/cli/columns.h"

static void
check_table(const char *json, const struct cli_column *columns, const char *want)
{
	json_t *rows = json_loads(json, 0, NULL);
	struct buf out;

	assert_non_null(rows);
	buf_init(&out, SIZE_MAX);
	if (json_is_array(rows))
		cli_columns_write(rows, columns, &out);
	else
		cli_fields_write(rows, columns, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
	json_decref(rows);
}

static const struct cli_column columns[] = {
	{ "name", "NAME", AS_TEXT },
	{ "size", "SIZE", AS_SIZE },
	{ "off", "OFF", AS_YES },
	{ "to", "TO", AS_LIST },
	{ .key = NULL },
};

static void
tables_are_aligned(void **state)
{
	(void)state;
	check_table("[{\"name\": \"a\", \"size\": 5, \"off\": true, \"to\": [\"x\", \"y\"]}, {\"name\": \"bücher\", "
		    "\"size\": 2560, \"off\": "
		    "false, \"to\": []}]",
	    columns, "NAME    SIZE  OFF  TO\na          5  yes  x, y\nbücher  2.5K\n");
	check_table(
	    "[{\"name\": \"a\", \"size\": 5, \"off\": false, \"to\": []}]", columns, "NAME  SIZE\na        5\n");
}

static void
fields_are_aligned(void **state)
{
	(void)state;
	check_table("{\"size\": 1048576, \"name\": \"x\", \"to\": null, \"off\": false}", columns, "NAME  x\nSIZE  1M\n");
}

static void
values_are_told(void **state)
{
	static const struct {
		json_int_t n;
		struct cli_column column;
		const char *want;
	} rows[] = {
		{ 0, { .as = AS_SIZE }, "0" },
		{ 1023, { .as = AS_SIZE }, "1023" },
		{ 1024, { .as = AS_SIZE }, "1K" },
		{ 1536, { .as = AS_SIZE }, "1.5K" },
		{ 10 * 1024 + 512, { .as = AS_SIZE }, "10K" },
		{ 5LL << 30, { .as = AS_SIZE }, "5G" },
		{ 3000LL << 40, { .as = AS_SIZE }, "3000T" },
		{ 0, { .as = AS_QUOTA }, "none" },
		{ 0, { .as = AS_TIME }, "" },
		{ 86400, { .as = AS_TIME }, "1970-01-02 00:00:00" },
		{ 59999, { .as = AS_SPAN }, "59s" },
		{ 61000, { .as = AS_SPAN }, "1m1s" },
		{ 3661000, { .as = AS_SPAN }, "1h1m" },
		{ 90000000, { .as = AS_SPAN }, "1d1h" },
		{ -1, { .as = AS_NUMBER }, "-1" },
	};

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *value = json_integer(rows[i].n);
		struct buf out;

		buf_init(&out, SIZE_MAX);
		cli_value_write(value, &rows[i].column, &out);
		assert_string_equal(buf_cstr(&out), rows[i].want);
		buf_fini(&out);
		json_decref(value);
	}
}

/* What a stranger put into an address or a reason must not drive the terminal. */
static void
terminals_are_safe(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, SIZE_MAX);
	cli_text_write(STR("a\033[2Jb\nc\x7f\xc2\x9b" "d\xe2\x80\xae" "e\xff" "f"), ONE_LINE, &out);
	assert_string_equal(buf_cstr(&out), "a?[2Jb?c??d?e?f");
	buf_clear(&out);
	cli_text_write(STR("a\r\n\tb\033"), MANY_LINES, &out);
	assert_string_equal(buf_cstr(&out), "a\n\tb?");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_aligned),
		cmocka_unit_test(fields_are_aligned),
		cmocka_unit_test(values_are_told),
		cmocka_unit_test(terminals_are_safe),
	};

	return cmocka_run_group_tests_name("cli_columns", tests, NULL, NULL);
}
