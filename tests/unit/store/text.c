/* text.c - tests of UID sets and modified UTF-7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include <postern/store/mutf7.h>
#include <postern/store/uidset.h>

enum { UIDS = 64 };

static void
check_set(const struct uidset *s, const bool *model)
{
	uint64_t n = 0;
	uint32_t walked = 0;

	for (uint32_t uid = 1; uid < UIDS; uid++) {
		assert_int_equal(uidset_has(s, uid), model[uid]);
		n += model[uid];
	}
	assert_int_equal(uidset_count(s), n);
	for (size_t i = 0; i < s->n; i++) {
		assert_true(s->p[i].first <= s->p[i].last);
		assert_true(i == 0 || s->p[i].first > s->p[i - 1].last + 1);
	}
	for (uint32_t uid = uidset_next(s, 1); uid != 0; uid = uidset_next(s, uid + 1))
		walked += model[uid];
	assert_int_equal(walked, n);
}

static void
uidset_against_bitmap(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 200; round++) {
		struct uidset s;
		bool model[UIDS] = { false };

		uidset_init(&s);
		for (int step = 0; step < 30; step++) {
			uint32_t a = 1 + (uint32_t)rand() % (UIDS - 1), b = 1 + (uint32_t)rand() % (UIDS - 1);
			bool add = rand() % 3 > 0;

			if (add)
				uidset_add(&s, a, b);
			else
				uidset_remove(&s, a, b);
			for (uint32_t uid = a < b ? a : b; uid <= (a < b ? b : a); uid++)
				model[uid] = add;
			check_set(&s, model);
		}
		uidset_fini(&s);
	}
}

static void
random_set(struct uidset *s, bool model[UIDS])
{
	memset(model, 0, UIDS * sizeof *model);
	uidset_init(s);
	for (int i = rand() % 12; i > 0; i--) {
		uint32_t a = 1 + (uint32_t)rand() % (UIDS - 1), b = a + (uint32_t)rand() % 4;

		if (b >= UIDS)
			b = UIDS - 1;
		uidset_add(s, a, b);
		for (uint32_t uid = a; uid <= b; uid++)
			model[uid] = true;
	}
}

static bool
add(bool a, bool b)
{
	return a || b;
}

static bool
without(bool a, bool b)
{
	return a && !b;
}

static bool
keep(bool a, bool b)
{
	return a && b;
}

/* Ranges in any order, overlapping and touching, as many rows together hold them. */
static void
uidset_collected(void **state)
{
	(void)state;
	srand(4);
	for (int round = 0; round < 1000; round++) {
		struct uidset s;
		bool model[UIDS] = { false };

		uidset_init(&s);
		for (int i = rand() % 30; i > 0; i--) {
			uint32_t a = 1 + (uint32_t)rand() % (UIDS - 1);
			uint32_t b = a + (uint32_t)rand() % (UIDS - a);

			uidset_collect(&s, a, b);
			for (uint32_t uid = a; uid <= b; uid++)
				model[uid] = true;
		}
		uidset_sort(&s);
		check_set(&s, model);
		uidset_fini(&s);
	}
}

/* Two halves that fit between each other: no time at all, however they come. */
static void
uidset_interleaved(void **state)
{
	enum { MANY = 400000 };
	struct uidset s, other;

	(void)state;
	uidset_init(&s);
	uidset_init(&other);
	for (uint32_t i = 0; i < MANY; i++)
		uidset_collect(&s, 4 * i + 1, 4 * i + 1);
	for (uint32_t i = 0; i < MANY; i++)
		uidset_collect(&s, 4 * i + 3, 4 * i + 3);
	uidset_sort(&s);
	assert_int_equal(s.n, 2 * MANY);
	for (uint32_t i = 0; i < MANY; i++)
		uidset_add(&other, 4 * i + 2, 4 * i + 2);
	uidset_add_set(&s, &other);
	assert_int_equal(s.n, MANY);
	uidset_keep_set(&s, &other);
	uidset_remove_set(&s, &other);
	assert_true(uidset_empty(&s));
	uidset_fini(&s);
	uidset_fini(&other);
}

static void
uidset_with_sets(void **state)
{
	static const struct {
		void (*set)(struct uidset *s, const struct uidset *other);
		bool (*model)(bool a, bool b);
	} ops[] = { { uidset_add_set, add }, { uidset_remove_set, without }, { uidset_keep_set, keep } };

	(void)state;
	srand(2);
	for (int round = 0; round < 3000; round++) {
		struct uidset s, other;
		bool a[UIDS], b[UIDS];

		random_set(&s, a);
		random_set(&other, b);
		ops[round % 3].set(&s, &other);
		for (uint32_t uid = 1; uid < UIDS; uid++)
			a[uid] = ops[round % 3].model(a[uid], b[uid]);
		check_set(&s, a);
		uidset_copy(&s, &other);
		check_set(&s, b);
		uidset_fini(&s);
		uidset_fini(&other);
	}
}

static void
uidset_at_the_edges(void **state)
{
	struct uidset s;

	(void)state;
	uidset_init(&s);
	uidset_add(&s, 0, 0);
	assert_true(uidset_empty(&s));
	assert_int_equal(uidset_next(&s, 1), 0);
	uidset_add(&s, UINT32_MAX, UINT32_MAX);
	uidset_add(&s, 0, 2);
	assert_int_equal(uidset_first(&s), 1);
	assert_int_equal(uidset_last(&s), UINT32_MAX);
	assert_int_equal(uidset_next(&s, 3), UINT32_MAX);
	assert_int_equal(uidset_next(&s, uidset_last(&s) + 1), 0);
	uidset_add(&s, 3, UINT32_MAX - 1);
	assert_int_equal(s.n, 1);
	assert_int_equal(uidset_count(&s), UINT32_MAX);
	uidset_remove(&s, 1, UINT32_MAX);
	assert_true(uidset_empty(&s));
	uidset_fini(&s);
}

static void
uidset_text(void **state)
{
	static const char *const bad[] = { "", ",", "1,", "1,,2", "0", "1:0", "*", "1:*", "1:2:3", "x", "4294967296", "1 " };
	struct uidset s;
	struct buf b;

	(void)state;
	uidset_init(&s);
	buf_init(&b, 100);
	assert_true(uidset_parse(&s, STR("7,5:3,9:8,4294967295"), 4));
	uidset_write(&s, &b);
	assert_string_equal(buf_cstr(&b), "3:5,7:9,4294967295");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(uidset_parse(&s, str_of(bad[i]), 100));
	assert_false(uidset_parse(&s, STR("1,2,3"), 2));
	assert_int_equal(uidset_count(&s), 7);
	uidset_fini(&s);
	buf_fini(&b);
}

static void
mutf7_both_ways(void **state)
{
	/* RFC 3501 5.1.3 and its neighbours */
	static const char *const pairs[][2] = {
		{ "", "" },
		{ "INBOX", "INBOX" },
		{ "a&b", "a&-b" },
		{ "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "~peter/mail/&U,BTFw-/&ZeVnLIqe-" },
		{ "Entw\xc3\xbcrfe", "Entw&APw-rfe" },
		{ "\xf0\x9f\x93\xa7", "&2D3c5w-" },
		{ "\xc3\xa9&\xc3\xa9", "&AOk-&-&AOk-" },
		{ "tab\there", "tab&AAk-here" },
	};
	static const char *const bad[] = { "&", "a&b", "&AOk", "&U,BT", "&AGE-", "&2D0-", "&3Oc-", "&U,BTFw-&ZeVnLIqe-", "&AAA-",
		"\xc3\xa9", "&AO-", "&AOl-", "&AOkA-", "&====-", "\x01", "&AC8-" };
	struct buf b;

	(void)state;
	buf_init(&b, 200);
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		buf_clear(&b);
		assert_true(mutf7_encode(&b, str_of(pairs[i][0])));
		assert_string_equal(buf_cstr(&b), pairs[i][1]);
		buf_clear(&b);
		assert_true(mutf7_decode(&b, str_of(pairs[i][1])));
		assert_string_equal(buf_cstr(&b), pairs[i][0]);
	}
	buf_clear(&b);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(mutf7_decode(&b, str_of(bad[i])));
		assert_int_equal(b.n, 0);
	}
	assert_false(mutf7_encode(&b, STR("\xff")));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uidset_against_bitmap),
		cmocka_unit_test(uidset_with_sets),
		cmocka_unit_test(uidset_collected),
		cmocka_unit_test(uidset_interleaved),
		cmocka_unit_test(uidset_at_the_edges),
		cmocka_unit_test(uidset_text),
		cmocka_unit_test(mutf7_both_ways),
	};

	return cmocka_run_group_tests_name("store_text", tests, NULL, NULL);
}
