/* header.c - walking header blocks of every kind. */
#include "testing.h"

#include <postern/message/header.h>

/* "[name|unfolded value]" per field, then the rest. */
static struct str
shown(struct arena *a, struct str block)
{
	struct header_walk w = header_begin(block);
	struct header_field f;
	struct buf b;
	struct str out;

	buf_init(&b, SIZE_MAX / 16);
	while (header_next(&w, &f)) {
		buf_add_char(&b, '[');
		buf_add(&b, f.name);
		buf_add_char(&b, '|');
		header_unfold(&b, f.value);
		buf_add_char(&b, ']');
	}
	buf_add(&b, str_sub(block, w.at, block.n));
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static const struct {
	const char *text, *want;
	size_t fields, size; /* header_fields_size, header_size */
} rows[] = {
	{ "", "", 0, 0 },
	{ "\r\nbody", "\r\nbody", 0, 2 },
	{ "\nbody", "\nbody", 0, 1 },
	{ "A: b\r\n\r\nbody", "[A|b]\r\nbody", 6, 8 },
	{ "A: b\n\nbody", "[A|b]\nbody", 5, 6 },
	{ "A: b", "[A|b]", 4, 4 },
	{ "A: b\r\n", "[A|b]", 6, 6 },
	{ "A:b\r\n c\r\n\td\r\nB : e\r\n\r\n", "[A|b c\td][B|e]\r\n", 20, 22 },
	{ "A: b\n c\nB: d\n", "[A|b c][B|d]", 13, 13 },
	{ "A: b\r\n \r\n c\r\n\r\n", "[A|b  c]\r\n", 13, 15 }, /* a fold of blanks is no empty line */
	{ " leading\r\nA: b\r\n\r\n", "[|leading][A|b]\r\n", 16, 18 },
	{ "From bob Fri Jul  8 2011\nA: b\n\n", "[|From bob Fri Jul  8 2011][A|b]\n", 30, 31 },
	{ "no colon here\r\nA: b\r\n\r\n", "[|no colon here][A|b]\r\n", 21, 23 },
	{ ": no name\r\nA: b\r\n\r\n", "[|: no name][A|b]\r\n", 17, 19 },
	{ "A: lone\rCR\r\n\r\n", "[A|lone\rCR]\r\n", 12, 14 },
	{ "A: b\r\r\n\r\n", "[A|b]\r\n", 7, 9 },
	{ "\xc3\xb6: b\r\nA: \xf6\r\n\r\n", "[|\xc3\xb6: b][A|\xf6]\r\n", 13, 15 },
	{ "A:\r\n\r\n", "[A|]\r\n", 4, 6 },
	{ "A:\r\n b\r\n\r\n", "[A|b]\r\n", 8, 10 },
};

static void
blocks(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str text = str_of(rows[i].text);

		ASSERT_STR(shown(&a, text), str_of(rows[i].want), rows[i].text);
		assert_int_equal(header_fields_size(text), rows[i].fields);
		assert_int_equal(header_size(text), rows[i].size);
	}
	arena_fini(&a);
}

/* The spans of all fields, one after the other, are the block. */
static void
spans(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t n = 0; n <= strlen(rows[i].text); n++) {
			char *copy = mem_new(n);
			struct str block = str_from(copy, n);
			struct header_walk w = header_begin(block);
			struct header_field f;
			size_t at = 0;

			memcpy(copy, rows[i].text, n);
			while (header_next(&w, &f)) {
				assert_int_equal(f.at, at);
				assert_ptr_equal(f.whole.p, copy + at);
				at += f.whole.n;
			}
			assert_int_equal(at, header_fields_size(block));
			free(copy);
		}
	}
}

static void
finding(void **state)
{
	struct str block = STR("To: a\r\nFrom: b\r\nTO: c\r\nno colon\r\n\r\nTo: body\r\n");
	struct header_field f;
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_true(header_find(block, STR("to"), &f) && str_eq(header_unfold_in(&a, f.value), STR("a")));
	assert_true(header_find(block, STR("FROM"), &f) && f.at == 7);
	assert_false(header_find(block, STR("Fro"), &f));
	assert_false(header_find(block, STR(""), &f));
	assert_int_equal(header_count(block, STR("To")), 2);
	assert_int_equal(header_count(block, STR("")), 0);
	arena_fini(&a);
}

static void
selecting(void **state)
{
	struct str block = STR("A: 1\r\nB: 2\r\n 2\r\nno colon\r\na: 3\r\n\r\nbody");
	struct str names[] = { STR("a"), STR("x") };
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	header_select(&b, block, HEADER_ONLY, names, 2);
	ASSERT_STR(buf_str(&b), STR("A: 1\r\na: 3\r\n\r\n"), "only");
	buf_clear(&b);
	header_select(&b, block, HEADER_EXCEPT, names, 2);
	ASSERT_STR(buf_str(&b), STR("B: 2\r\n 2\r\nno colon\r\n\r\n"), "except");
	buf_clear(&b);
	header_select(&b, STR("A: 1"), HEADER_EXCEPT, names, 2); /* no blank line, no body */
	assert_int_equal(b.n, 0);
	buf_fini(&b);
}

static void
f01_linear(void **state)
{
	static const char *const units[] = { "A: b\r\n", " \r\n", "a", "\r", ":", "A:\n b\n" };
	double start = cpu_seconds();
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		shown(&a, repeated(&a, units[i], 1000000));
		arena_reset(&a);
	}
	arena_fini(&a);
	assert_true(cpu_seconds() - start < 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks),
		cmocka_unit_test(spans),
		cmocka_unit_test(finding),
		cmocka_unit_test(selecting),
		cmocka_unit_test(f01_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
