/* sorting.c - tests of what SORT and THREAD stand on: sorting in steps, texts that become numbers, hashes that do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "idmap.h"
#include "order.h"
#include "ranks.h"

enum { ITEMS = 5000, VALUES = 50 };

static const size_t sizes[] = { 0, 1, 2, 15, 16, 17, 31, 33, 100, 1000, 4096, ITEMS };
enum { SIZES = sizeof(sizes) / sizeof(*sizes) };

static int
by_value(const void *ctx, uint32_t a, uint32_t b)
{
	const uint32_t *v = ctx;

	return (v[a] > v[b]) - (v[a] < v[b]);
}

static uint32_t
rank_of(const void *ctx, uint32_t item)
{
	return ((const uint32_t *)ctx)[item];
}

static size_t
some(void)
{
	return 1 + (size_t)rand() % 100;
}

/* Values by chance, ascending, descending, and in two runs. */
static void
fill(uint32_t *values, size_t n, int kind)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t up = (uint32_t)(i * VALUES / ITEMS);

		values[i] = kind == 0 ? (uint32_t)rand() % VALUES : kind == 1 ? up : kind == 2 ? VALUES - 1 - up : up / 2;
	}
	if (kind == 3 && n > 1)
		values[n / 2] = 0;
}

static void
check_stable(const struct order *o, const uint32_t *values)
{
	for (size_t i = 1; i < o->n; i++) {
		int c = by_value(values, o->p[i - 1], o->p[i]);

		assert_true(c < 0 || (c == 0 && o->p[i - 1] < o->p[i]));
	}
}

static void
order_is_stable(void **state)
{
	uint32_t values[ITEMS];

	(void)state;
	srand(6);
	for (size_t k = 0; k < 4 * SIZES; k++) {
		struct order o;

		fill(values, sizes[k / 4], k % 4);
		order_init(&o, sizes[k / 4]);
		while (!order_step(&o, by_value, values, some()))
			;
		check_stable(&o, values);
		order_fini(&o);
		order_init(&o, sizes[k / 4]);
		while (!order_by_rank(&o, rank_of, VALUES, values, some()))
			;
		check_stable(&o, values);
		order_fini(&o);
	}
}

/* By the second, then by the first: as comparing both at once would. */
static void
one_after_another(void **state)
{
	uint32_t first[ITEMS], second[ITEMS];
	struct order o;

	(void)state;
	srand(7);
	fill(first, ITEMS, 0);
	fill(second, ITEMS, 0);
	order_init(&o, ITEMS);
	while (!order_step(&o, by_value, second, some()))
		;
	order_again(&o);
	while (!order_by_rank(&o, rank_of, VALUES, first, some()))
		;
	for (size_t i = 1; i < ITEMS; i++) {
		uint32_t a = o.p[i - 1], b = o.p[i];
		uint64_t x = (uint64_t)first[a] << 48 | (uint64_t)second[a] << 32 | a;
		uint64_t y = (uint64_t)first[b] << 48 | (uint64_t)second[b] << 32 | b;

		assert_true(x < y);
	}
	order_fini(&o);
}

static int
compare_texts(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Short and long ones, with common beginnings, NUL and octets above 0x7f. */
static void
ranks(void **state)
{
	enum { N = 2000 };
	static char octets[N][24];
	static struct str texts[N];
	static uint32_t number[N];
	struct ranks r;

	(void)state;
	srand(8);
	ranks_init(&r, SIZE_MAX);
	for (size_t i = 0; i < N; i++) {
		texts[i] = str_from(octets[i], (size_t)rand() % 24);
		for (size_t j = 0; j < texts[i].n; j++)
			octets[i][j] = "\0a\xff"[j < 17 ? 1 : rand() % 3];
		if (texts[i].n > 0 && rand() % 4 == 0)
			octets[i][0] = (char)rand();
		number[i] = ranks_add(&r, texts[i]);
		assert_int_equal(ranks_add(&r, texts[i]), number[i]);
	}
	while (!ranks_step(&r, some()))
		;
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < N; j += 7) {
			int want = compare_texts(&texts[i], &texts[j]);
			uint32_t x = r.rank[number[i]], y = r.rank[number[j]];

			assert_int_equal((want > 0) - (want < 0), (x > y) - (x < y));
		}
	ranks_fini(&r);
}

static void
ranks_of_nothing(void **state)
{
	struct ranks r;

	(void)state;
	ranks_init(&r, 10);
	assert_true(ranks_step(&r, 1));
	ranks_fini(&r);
	ranks_init(&r, 10);
	ranks_add(&r, STR("0123456789"));
	assert_false(r.octets.over);
	ranks_add(&r, STR("x"));
	assert_true(r.octets.over);
	ranks_fini(&r);
}

/* Hashes that differ in any half only, and numbers that change. */
static void
hashes(void **state)
{
	enum { N = 20000 };
	struct idmap m;

	(void)state;
	idmap_init(&m);
	assert_int_equal(idmap_get(&m, 0), 0);
	for (uint32_t i = 0; i < N; i++)
		idmap_put(&m, i % 2 == 0 ? i : (uint64_t)i << 40, i + 1);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(idmap_get(&m, i % 2 == 0 ? i : (uint64_t)i << 40), i + 1);
	assert_int_equal(idmap_get(&m, 1), 0);
	assert_int_equal(m.n, N);
	idmap_put(&m, 2, N + 5);
	assert_int_equal(idmap_get(&m, 2), N + 5);
	assert_int_equal(m.n, N);
	idmap_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_is_stable),
		cmocka_unit_test(one_after_another),
		cmocka_unit_test(ranks),
		cmocka_unit_test(ranks_of_nothing),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
