/* qresync.c - tests of match data against a plain loop over the pairs, and of its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "qresync.h"

static struct qresync
parse(struct lex *l, const struct buf *text, struct arena *arena)
{
	struct qresync q = { 0 };

	*l = lex_init(buf_str(text), arena);
	lex_qresync(l, &q);
	return q;
}

static void
add_random_view(struct view *v)
{
	uint32_t uid = 0;

	for (int i = 0; i < 8; i++) {
		uint32_t lo = uid + 1 + (uint32_t)rand() % 3;

		uid = lo + (uint32_t)rand() % 4;
		view_append(v, lo, uid);
	}
}

/* Ascending pairs near what the view has; the answer a plain loop gives. */
static uint32_t
add_pairs(const struct view *v, struct buf *seqs, struct buf *uids)
{
	uint32_t seq = 0;
	uint32_t uid = 0;
	uint32_t best = 0;

	for (int i = 0; i < 10; i++) {
		seq += 1 + (uint32_t)rand() % 3;
		if (view_uid(v, seq) > uid && rand() % 2)
			uid = view_uid(v, seq);
		else
			uid += 1 + (uint32_t)rand() % 3;
		buf_addf(seqs, "%s%u", i > 0 ? "," : "", seq);
		buf_addf(uids, "%s%u", i > 0 ? "," : "", uid);
		if (view_uid(v, seq) == uid)
			best = uid;
	}
	return best;
}

static void
match_is_the_highest_pair(void **state)
{
	(void)state;
	srand(3);
	for (int round = 0; round < 3000; round++) {
		struct view v = { 0 };
		struct arena arena;
		struct buf text, seqs, uids;
		struct qresync q;
		struct lex l;
		uint32_t want;

		arena_init(&arena);
		buf_init(&text, SIZE_MAX);
		buf_init(&seqs, SIZE_MAX);
		buf_init(&uids, SIZE_MAX);
		add_random_view(&v);
		want = add_pairs(&v, &seqs, &uids);
		buf_addf(&text, "(1 1 (%s %s))", buf_cstr(&seqs), buf_cstr(&uids));
		q = parse(&l, &text, &arena);
		assert_true(lex_end(&l));
		assert_int_equal(qresync_match(&v, &q), want);
		buf_fini(&text);
		buf_fini(&seqs);
		buf_fini(&uids);
		arena_fini(&arena);
		view_fini(&v);
	}
}

static uint32_t
match(const char *data)
{
	struct view v = { 0 };
	struct arena arena;
	struct buf text;
	struct qresync q;
	struct lex l;
	uint32_t got;

	arena_init(&arena);
	buf_init(&text, SIZE_MAX);
	buf_addf(&text, "(1 1 %s)", data);
	view_append(&v, 5, 9);
	view_append(&v, 4294967290u, 4294967295u);
	q = parse(&l, &text, &arena);
	assert_true(lex_end(&l));
	got = qresync_match(&v, &q);
	buf_fini(&text);
	arena_fini(&arena);
	view_fini(&v);
	return got;
}

/* The cost is that of the ranges, whatever they hold. */
static void
wide_ranges(void **state)
{
	(void)state;
	assert_int_equal(match("(1:4294967295 1:4294967295)"), 0);
	assert_int_equal(match("(1:4294967291 5:4294967295)"), 9);
	assert_int_equal(match("(6:11 4294967290:4294967295)"), 4294967295u);
	assert_int_equal(match("(11 4294967295)"), 4294967295u);
	assert_int_equal(match("(12 4294967295)"), 0);
	assert_int_equal(match("(1:3,5,7 5:7,9,4294967291)"), 4294967291u);
}

static void
goes_on_line_by_line(void **state)
{
	struct uidset uids;
	struct buf out;
	size_t at = 0;
	unsigned lines = 0;

	(void)state;
	uidset_init(&uids);
	buf_init(&out, SIZE_MAX);
	for (uint32_t i = 0; i < 1001; i++)
		uidset_add(&uids, 1 + 2 * i, 1 + 2 * i);
	for (; at < uids.n; lines++)
		qresync_write_vanished(&out, &uids, &at, VANISHED_EARLIER);
	assert_int_equal(lines, 3);
	assert_true(str_ends(buf_str(&out), STR("\r\n* VANISHED (EARLIER) 2001\r\n")));
	uidset_fini(&uids);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(match_is_the_highest_pair),
		cmocka_unit_test(wide_ranges),
		cmocka_unit_test(goes_on_line_by_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
