/* gramlist.c - sets and lists of grams: what is written is read again, what is damaged is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../../src/store/gramlist.h"

enum { TURNS = 3000 };

static unsigned
roll(unsigned n)
{
	return (unsigned)rand() % n;
}

static uint32_t
gram_of(const char *text)
{
	struct store_needle n;

	store_needle_init(&n, str_of(text));
	assert_int_equal(n.n, 1);
	return n.grams[0];
}

static struct gram_bits
random_bits(unsigned of)
{
	struct gram_bits b = { { 0 } };

	for (unsigned i = 0; i < STORE_GRAM_BLOCK; i++)
		if (roll(1000) < of)
			gram_bits_add(&b, i);
	return b;
}

static void
numbers(void **state)
{
	static const uint32_t values[] = { 0, 1, 127, 128, 16383, 16384, GRAM_END - 1, GRAM_END };
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		const uint8_t *p;
		uint32_t n;

		buf_clear(&out);
		gram_number_write(&out, values[i]);
		p = (const uint8_t *)out.p;
		assert_true(gram_number_read(&p, p + out.n, &n));
		assert_int_equal(n, values[i]);
		for (size_t cut = 0; cut < out.n; cut++) {
			p = (const uint8_t *)out.p;
			assert_false(gram_number_read(&p, p + cut, &n));
		}
	}
	buf_clear(&out);
	gram_number_write(&out, GRAM_END + 1);
	const uint8_t *p = (const uint8_t *)out.p;
	uint32_t n;

	assert_false(gram_number_read(&p, p + out.n, &n));
	buf_fini(&out);
}

static void
sets(void **state)
{
	static const char *const expected[] = { "ABC", "ABX", "BCA", "CAB", "XYZ" };
	struct gram_set g;
	struct gram_walk w;
	struct buf row;
	uint32_t gram;
	size_t n = 0;

	(void)state;
	gram_set_init(&g);
	gram_set_clear(&g);
	gram_set_feed(&g, STR("ABCA"));
	gram_set_feed(&g, STR("")); /* pieces may be cut anywhere */
	gram_set_feed(&g, STR("B"));
	gram_set_feed(&g, STR("X"));
	gram_set_text(&g); /* not BXX */
	gram_set_feed(&g, STR("XYZ"));
	buf_init(&row, 1000);
	gram_set_write(&g, &row);
	w = gram_walk_begin(buf_str(&row));
	while (gram_walk_next(&w, &gram))
		assert_int_equal(gram, gram_of(expected[n++]));
	assert_int_equal(n, 5);
	assert_false(w.bad);
	gram_set_clear(&g);
	buf_clear(&row);
	gram_set_write(&g, &row);
	assert_int_equal(row.n, 0);
	buf_fini(&row);
	gram_set_fini(&g);
}

/* Any text goes in; who has too many grams, or too much text, may hold anything. */
static void
set_limits(void **state)
{
	struct gram_set g;
	uint8_t bytes[3];
	uint32_t gram = 0;
	char *text = calloc(1, STORE_GRAM_TEXT_MAX);

	(void)state;
	gram_set_init(&g);
	gram_set_clear(&g);
	while (!g.full) {
		for (int i = 0; i < 3; i++)
			bytes[i] = (uint8_t)(gram >> 8 * (2 - i));
		gram_set_text(&g);
		gram_set_feed(&g, str_from((const char *)bytes, 3));
		gram++;
	}
	assert_int_equal(gram, STORE_GRAMS_OF_MESSAGE + 1);
	gram_set_clear(&g);
	assert_true(gram_set_feed(&g, str_from(text, STORE_GRAM_TEXT_MAX)));
	assert_int_equal(g.n, 1);
	assert_false(gram_set_feed(&g, STR("x")));
	assert_true(g.full);
	free(text);
	gram_set_fini(&g);
}

static void
needles(void **state)
{
	struct store_needle n;
	char longest[200];

	(void)state;
	store_needle_init(&n, STR(""));
	assert_int_equal(n.n, 0);
	store_needle_init(&n, STR("AB"));
	assert_int_equal(n.n, 0);
	store_needle_init(&n, STR("ABCD"));
	assert_int_equal(n.n, 2);
	assert_int_equal(n.grams[1], gram_of("BCD"));
	memset(longest, 'x', sizeof longest);
	store_needle_init(&n, str_from(longest, sizeof longest));
	assert_int_equal(n.n, STORE_GRAMS_OF_NEEDLE);
}

static void
lists(void **state)
{
	static const unsigned parts[] = { 0, 1, 5, 30, 200, 500, 800, 970, 999, 1000 };
	struct buf out;

	(void)state;
	buf_init(&out, GRAM_LIST_MAX);
	for (int turn = 0; turn < TURNS; turn++) {
		struct gram_bits b = random_bits(parts[roll(10)]), care = random_bits(parts[roll(10)]), read;

		buf_clear(&out);
		gram_list_write(&out, &b, &care);
		assert_false(out.over);
		assert_true(gram_list_read(buf_str(&out), &read));
		for (size_t i = 0; i < GRAM_WORDS; i++)
			assert_true((read.w[i] & care.w[i]) == (b.w[i] & care.w[i]));
	}
	buf_fini(&out);
}

/* What all have, and what nobody has, costs next to nothing. */
static void
lists_are_short(void **state)
{
	struct gram_bits all = random_bits(1000), none = random_bits(0), one = none, tenth = random_bits(100);
	struct buf out;

	(void)state;
	buf_init(&out, GRAM_LIST_MAX);
	gram_list_write(&out, &all, &all);
	assert_int_equal(out.n, 1);
	buf_clear(&out);
	gram_bits_add(&one, 4095);
	gram_list_write(&out, &one, &all);
	assert_int_equal(out.n, 3);
	buf_clear(&out);
	gram_list_write(&out, &tenth, &all);
	assert_true(out.n < gram_bits_count(&tenth) * 6 / 8);
	buf_fini(&out);
}

static void
damage(void **state)
{
	struct gram_bits all = random_bits(1000), b;
	struct buf out;

	(void)state;
	buf_init(&out, GRAM_LIST_MAX);
	for (int turn = 0; turn < TURNS; turn++) {
		struct gram_bits some = random_bits(roll(1001));
		char *copy;
		size_t n;

		buf_clear(&out);
		gram_list_write(&out, &some, &all);
		n = roll((unsigned)out.n + 1);
		copy = malloc(n > 0 ? n : 1); /* its own memory: reading beyond it shows */
		memcpy(copy, out.p, n);
		if (n > 0)
			copy[roll((unsigned)n)] = (char)roll(256);
		gram_list_read(str_from(copy, n), &b);
		free(copy);
	}
	assert_false(gram_list_read(STR(""), &b));
	assert_false(gram_list_read(STR("\x04"), &b)); /* one message, which is missing */
	buf_fini(&out);
}

static void
chunks(void **state)
{
	static const struct gram_entry entries[] = { { 0, STR_INIT("a") }, { 1, STR_INIT("") }, { 70000, STR_INIT("bcd") },
		{ GRAM_END - 1, STR_INIT("e") } };
	struct gram_chunk c;
	struct gram_entry e;
	struct buf out;
	uint32_t next = 0;

	(void)state;
	buf_init(&out, GRAM_CHUNK_MAX);
	for (size_t i = 0; i < 4; i++) {
		gram_chunk_add(&out, next, &entries[i]);
		next = entries[i].gram + 1;
	}
	c = gram_chunk_begin(buf_str(&out));
	for (size_t i = 0; i < 4; i++) {
		assert_true(gram_chunk_next(&c, &e));
		assert_int_equal(e.gram, entries[i].gram);
		assert_true(str_eq(e.list, entries[i].list));
	}
	assert_false(gram_chunk_next(&c, &e));
	assert_false(c.bad);
	for (size_t cut = 0; cut < out.n; cut++) {
		c = gram_chunk_begin(str_from(out.p, cut));
		while (gram_chunk_next(&c, &e))
			;
	}
	c = gram_chunk_begin(str_from(out.p, out.n - 1));
	while (gram_chunk_next(&c, &e))
		;
	assert_true(c.bad);
	gram_chunk_add(&out, 0, &entries[2]); /* beyond the last gram */
	c = gram_chunk_begin(buf_str(&out));
	while (gram_chunk_next(&c, &e))
		;
	assert_true(c.bad);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(sets),
		cmocka_unit_test(set_limits),
		cmocka_unit_test(needles),
		cmocka_unit_test(lists),
		cmocka_unit_test(lists_are_short),
		cmocka_unit_test(damage),
		cmocka_unit_test(chunks),
	};

	srand(1);
	return cmocka_run_group_tests_name("store_gramlist", tests, NULL, NULL);
}
