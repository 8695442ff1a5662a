/* boxmem.c - tests of what is remembered of mailboxes: bounds, and what does not help. What is recalled is shown by transcripts
 * (select-gaps, select-unseen) and by imap_stress. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "boxmem.h"

enum { BOXES = 40, RUNS = 100000 };

static struct store_mailbox
box_of(unsigned n)
{
	struct store_mailbox box = { .number = n, .uidvalidity = 7, .highestmodseq = 10 };

	box.id.b[0] = (unsigned char)n;
	return box;
}

/* No view of the store is needed to find that nothing helps. */
static bool
recalls(const struct store_mailbox *box)
{
	struct view view = { 0 };
	uint32_t unseen;

	return boxmem_recall(NULL, box, &view, &unseen);
}

static void
nothing_that_helps(void **state)
{
	struct store_mailbox box = box_of(1);
	struct view view = { 0 };

	(void)state;
	assert_false(recalls(&box));
	boxmem_keep(&box, 11, &view, 0);
	assert_false(recalls(&box)); /* a later state than the mailbox has */
	boxmem_keep(&box, 10, &view, 0);
	box.uidvalidity = 8;
	assert_false(recalls(&box));
	boxmem_forget();
	box.uidvalidity = 7;
	assert_false(recalls(&box));
}

/* BOXMEM_BYTES_MAX: what was selected last stays. */
static void
bounded(void **state)
{
	struct view view = { 0 };

	(void)state;
	for (uint32_t i = 0; i < RUNS; i++)
		view_append(&view, 2 * i + 1, 2 * i + 1);
	for (unsigned n = 1; n <= BOXES; n++) {
		struct store_mailbox box = box_of(n);

		boxmem_keep(&box, 1, &view, 0);
		boxmem_keep(&box, 1, &view, 0);
		assert_in_range(boxmem_bytes(), RUNS * sizeof(struct view_run), BOXMEM_BYTES_MAX);
	}
	assert_true(boxmem_bytes() > BOXMEM_BYTES_MAX - 2 * RUNS * sizeof(struct view_run));
	boxmem_forget();
	assert_int_equal(boxmem_bytes(), 0);
	view_fini(&view);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_that_helps),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
