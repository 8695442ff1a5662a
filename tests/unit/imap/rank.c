/* rank.c - results with positions, and results in buckets: both against a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "marks.h"
#include "rank.h"

enum { ROUNDS = 20000, RESULTS = 400 };

static unsigned seed = 7;

static unsigned
roll(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

struct item {
	uint32_t uid;
	char key; /* many are equal: UIDs decide */
};

struct list {
	struct item p[RESULTS];
	size_t n;
};

static size_t
place(const struct list *l, struct item it)
{
	size_t i = 0;

	while (i < l->n && (l->p[i].key < it.key || (l->p[i].key == it.key && l->p[i].uid < it.uid)))
		i++;
	return i;
}

static void
list_add(struct list *l, struct item it)
{
	size_t at = place(l, it);

	memmove(l->p + at + 1, l->p + at, (l->n - at) * sizeof(*l->p));
	l->p[at] = it;
	l->n++;
}

static void
list_remove(struct list *l, uint32_t uid)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->p[i].uid == uid) {
			l->n--;
			memmove(l->p + i, l->p + i + 1, (l->n - i) * sizeof(*l->p));
			return;
		}
}

static void
check_all(const struct rank *r, const struct list *l)
{
	assert_int_equal(r->n, l->n);
	for (size_t i = 0; i < l->n; i++)
		assert_int_equal(rank_position(r, l->p[i].uid), i + 1);
}

static void
test_rank(void **state)
{
	struct rank r = { 0 };
	struct list l = { 0 };

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct item it = { 1 + roll(2 * RESULTS), (char)('a' + roll(5)) };

		if (rank_position(&r, it.uid) == 0 && l.n < RESULTS && roll(2) == 0) {
			rank_add(&r, it.uid, str_from(&it.key, 1));
			list_add(&l, it);
		} else {
			rank_remove(&r, it.uid);
			list_remove(&l, it.uid);
		}
		assert_int_equal(rank_position(&r, 2 * RESULTS + 1), 0);
		if (i % 100 == 0)
			check_all(&r, &l);
	}
	check_all(&r, &l);
	rank_fini(&r);
}

static void
test_rank_twice(void **state)
{
	struct rank r = { 0 };

	(void)state;
	rank_remove(&r, 7);
	assert_int_equal(rank_position(&r, 7), 0);
	rank_add(&r, 7, STR("b"));
	rank_add(&r, 7, STR("z"));
	rank_add(&r, UINT32_MAX, STR("c"));
	assert_int_equal(r.n, 2);
	assert_int_equal(rank_position(&r, 7), 1);
	rank_remove(&r, 7);
	assert_int_equal(rank_position(&r, UINT32_MAX), 1);
	rank_remove(&r, UINT32_MAX);
	assert_int_equal(r.n, 0);
	rank_fini(&r);
}

/* In the order of keys already: a tree without luck would be a list. */
static void
test_rank_many(void **state)
{
	enum { MANY = 200 * 1000 };
	struct rank r = { 0 };
	size_t bytes;

	(void)state;
	for (uint32_t uid = 1; uid <= MANY; uid++) {
		char key[8];

		snprintf(key, sizeof(key), "%07u", uid);
		rank_add(&r, uid, str_from(key, 7));
	}
	bytes = r.bytes;
	assert_true(bytes / MANY < 100);
	assert_int_equal(rank_position(&r, MANY), MANY);
	for (uint32_t uid = 1; uid < MANY; uid++)
		rank_remove(&r, uid);
	assert_int_equal(rank_position(&r, MANY), 1);
	assert_true(r.bytes < bytes);
	rank_fini(&r);
}

/* --- marks --- */

static struct uid_range
random_range(void)
{
	uint32_t first = 1 + roll(200000);

	return (struct uid_range){ first, first + (roll(4) == 0 ? roll(60000) : roll(20)) };
}

static void
same(const struct marks *m, const struct uidset *set)
{
	uint32_t uid = 1;
	struct uidset all;

	uidset_init(&all);
	for (size_t i = 0; i < m->n; i++) {
		assert_false(uidset_empty(&m->bucket[i].set));
		uidset_add_set(&all, &m->bucket[i].set);
	}
	assert_int_equal(all.n, set->n);
	for (size_t i = 0; i < set->n; i++) {
		assert_int_equal(all.p[i].first, set->p[i].first);
		assert_int_equal(all.p[i].last, set->p[i].last);
		assert_int_equal(marks_next(m, uid), set->p[i].first);
		assert_true(marks_has(m, set->p[i].last));
		uid = set->p[i].last + 1;
	}
	assert_int_equal(marks_next(m, uid), 0);
	uidset_fini(&all);
}

static void
random_set(struct uidset *set)
{
	uidset_clear(set);
	for (unsigned n = roll(5) + 1; n > 0; n--) {
		struct uid_range r = random_range();

		uidset_add(set, r.first, r.last);
	}
}

static void
test_marks(void **state)
{
	struct marks m = { 0 };
	struct uidset plain, set, common, expected;

	(void)state;
	uidset_init(&plain);
	uidset_init(&set);
	uidset_init(&common);
	uidset_init(&expected);
	for (unsigned i = 0; i < 2000; i++) {
		random_set(&set);
		uidset_clear(&common);
		marks_common(&m, &set, &common);
		uidset_copy(&expected, &plain);
		uidset_keep_set(&expected, &set);
		assert_int_equal(common.n, expected.n);
		for (size_t j = 0; j < common.n; j++)
			assert_int_equal(common.p[j].first + (uint64_t)common.p[j].last,
			    expected.p[j].first + (uint64_t)expected.p[j].last);
		if (roll(2)) {
			marks_add_set(&m, &set);
			uidset_add_set(&plain, &set);
		} else {
			marks_remove_set(&m, &set);
			uidset_remove_set(&plain, &set);
		}
		same(&m, &plain);
	}
	uidset_fini(&plain);
	uidset_fini(&set);
	uidset_fini(&common);
	uidset_fini(&expected);
	marks_fini(&m);
}

static void
test_marks_edges(void **state)
{
	struct marks m = { 0 };
	struct uidset all = { 0 };

	(void)state;
	uidset_add(&all, UINT32_MAX - 1, UINT32_MAX);
	uidset_add(&all, 16383, 16384);
	marks_add_set(&m, &all);
	assert_true(marks_has(&m, UINT32_MAX));
	assert_true(marks_has(&m, 16383) && marks_has(&m, 16384) && !marks_has(&m, 16385));
	assert_int_equal(marks_next(&m, 16385), UINT32_MAX - 1);
	uidset_add(&all, 1, UINT32_MAX);
	marks_remove_set(&m, &all);
	assert_int_equal(m.n, 0);
	uidset_fini(&all);
	marks_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rank),
		cmocka_unit_test(test_rank_twice),
		cmocka_unit_test(test_rank_many),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_marks_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
