/* view.c - tests of the session's view of a mailbox, against a plain array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "lex.h"
#include "view.h"

static void
apply_is(const struct view *v, struct str text, enum seq_kind kind, const char *want)
{
	struct arena arena;
	struct lex l;
	struct seq_set set;
	struct uidset saved;
	struct uidset seqs;
	struct buf out;
	bool ok;

	arena_init(&arena);
	uidset_init(&saved);
	uidset_add(&saved, 12, 12);
	uidset_init(&seqs);
	buf_init(&out, SIZE_MAX);
	l = lex_init(text, &arena);
	set = lex_seq_set(&l);
	assert_true(lex_end(&l));
	ok = view_apply(v, &set, kind, &saved, &seqs);
	if (ok)
		uidset_write(&seqs, &out);
	else
		buf_add_cstr(&out, "BAD");
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
	uidset_fini(&seqs);
	uidset_fini(&saved);
	arena_fini(&arena);
}

static void
sets_apply(void **state)
{
	struct view v = { 0 };

	(void)state;
	view_append(&v, 5, 7);
	view_append(&v, 10, 12);
	apply_is(&v, STR("1:*"), SEQ_NUMBERS, "1:6");
	apply_is(&v, STR("*:1"), SEQ_NUMBERS, "1:6");
	apply_is(&v, STR("*"), SEQ_NUMBERS, "6");
	apply_is(&v, STR("6,2:3,1"), SEQ_NUMBERS, "1:3,6");
	apply_is(&v, STR("7"), SEQ_NUMBERS, "BAD");
	apply_is(&v, STR("1:4294967295"), SEQ_NUMBERS, "BAD");
	apply_is(&v, STR("5:9"), SEQ_NUMBERS_THERE, "5:6");
	apply_is(&v, STR("1:4294967295"), SEQ_UIDS, "1:6");
	apply_is(&v, STR("559:*"), SEQ_UIDS, "6");
	apply_is(&v, STR("8:9"), SEQ_UIDS, "");
	apply_is(&v, STR("6:10"), SEQ_UIDS, "2:4");
	apply_is(&v, STR("$"), SEQ_UIDS, "6");
	apply_is(&v, STR("$"), SEQ_NUMBERS, "6");
	apply_is(&v, STR("1,$"), SEQ_NUMBERS, "1,6");
	view_fini(&v);
	apply_is(&v, STR("1:*"), SEQ_NUMBERS, "BAD");
	apply_is(&v, STR("*"), SEQ_UIDS, "");
}

/* A million messages without gaps are one run; every second of them gone is bounded, too. */
static void
dense_is_small(void **state)
{
	struct view v = { 0 };

	(void)state;
	for (uint32_t uid = 1; uid <= 1000000; uid++)
		view_append(&v, uid, uid);
	assert_int_equal(v.n, 1);
	assert_true(v.cap * sizeof(*v.run) < 100 * 1024);
	assert_int_equal(view_uid(&v, 777777), 777777);
	view_fini(&v);
}

static void
check(const struct view *v, const bool *there, uint32_t max)
{
	uint32_t seq = 0;

	for (uint32_t uid = 1; uid <= max; uid++) {
		if (!there[uid]) {
			assert_int_equal(view_seq(v, uid), 0);
			continue;
		}
		seq++;
		assert_int_equal(view_seq(v, uid), seq);
		assert_int_equal(view_uid(v, seq), uid);
	}
	assert_int_equal(v->count, seq);
	assert_int_equal(view_uid(v, seq + 1), 0);
	assert_int_equal(view_uid(v, 0), 0);
}

static void
against_an_array(void **state)
{
	enum { MAX = 300 };
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 50; round++) {
		bool there[MAX + 1] = { false };
		struct view v = { 0 };
		uint32_t uid = 0;

		while ((uid += 1 + (unsigned)rand_r(&seed) % 3) <= MAX) {
			there[uid] = true;
			view_append(&v, uid, uid);
		}
		for (int k = 0; k < 5; k++) {
			struct uidset gone;
			struct uidset seqs;

			uidset_init(&gone);
			uidset_init(&seqs);
			for (int i = 0; i < 20; i++) {
				uint32_t g = 1 + (unsigned)rand_r(&seed) % MAX;

				uidset_add(&gone, g, g);
				there[g] = false;
			}
			view_remove(&v, &gone, &seqs);
			check(&v, there, MAX);
			uidset_fini(&gone);
			uidset_fini(&seqs);
		}
		view_fini(&v);
	}
}

static void
removal_tells_numbers(void **state)
{
	struct view v = { 0 };
	struct uidset gone;
	struct uidset seqs;

	(void)state;
	uidset_init(&gone);
	uidset_init(&seqs);
	view_append(&v, 10, 20);
	uidset_add(&gone, 1, 10);
	uidset_add(&gone, 15, 16);
	uidset_add(&gone, 20, 99);
	view_remove(&v, &gone, &seqs);
	assert_int_equal(uidset_count(&seqs), 4);
	assert_true(uidset_has(&seqs, 1) && uidset_has(&seqs, 6) && uidset_has(&seqs, 7) && uidset_has(&seqs, 11));
	assert_int_equal(v.count, 7);
	assert_int_equal(view_last_uid(&v), 19);
	uidset_fini(&gone);
	uidset_fini(&seqs);
	view_fini(&v);
}

/* The highest UID there is: nothing wraps. */
static void
highest_uid(void **state)
{
	struct view v = { 0 };

	(void)state;
	view_append(&v, 4294967290u, 4294967295u);
	assert_int_equal(view_next_uid(&v), 0);
	assert_int_equal(view_seq(&v, 4294967295u), 6);
	assert_int_equal(view_seq_from(&v, 4294967295u), 6);
	apply_is(&v, STR("4294967295"), SEQ_UIDS, "6");
	apply_is(&v, STR("1:4294967295"), SEQ_UIDS, "1:6");
	apply_is(&v, STR("4294967295:*"), SEQ_UIDS, "6");
	view_fini(&v);
	assert_int_equal(view_next_uid(&v), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_apply),
		cmocka_unit_test(dense_is_small),
		cmocka_unit_test(against_an_array),
		cmocka_unit_test(removal_tells_numbers),
		cmocka_unit_test(highest_uid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
