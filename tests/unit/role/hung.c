/* hung.c - tests of when a process that does not answer is given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hung.h"

/* Looks until it is given up; per: processor time used between two. */
static int
looks_until_killed(uint64_t per)
{
	struct hung h = { .asked = true };
	uint64_t used = per;
	int n = 1;

	while (!hung_look(&h, used)) {
		used += per;
		n++;
		assert_true(n < 1000);
	}
	return n;
}

static void
who_does_nothing_has_the_limit(void **state)
{
	(void)state;
	assert_int_equal(looks_until_killed(0), HUNG_LOOKS);
}

static void
who_computes_has_longer(void **state)
{
	(void)state;
	assert_int_equal(looks_until_killed(1), HUNG_LOOKS * HUNG_BUSY_FACTOR);
}

static void
who_answers_is_never_given_up(void **state)
{
	struct hung h = { .asked = false };

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_false(hung_look(&h, 7));
		h.asked = true;
		if (i % HUNG_LOOKS == HUNG_LOOKS - 1)
			hung_answered(&h);
	}
}

static void
work_in_between_does_not_save_who_stopped(void **state)
{
	struct hung h = { .asked = true };

	(void)state;
	for (uint64_t used = 1; used <= 10; used++)
		assert_false(hung_look(&h, used));
	for (int i = 1; i < HUNG_LOOKS; i++)
		assert_false(hung_look(&h, 10));
	assert_true(hung_look(&h, 10));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_does_nothing_has_the_limit),
		cmocka_unit_test(who_computes_has_longer),
		cmocka_unit_test(who_answers_is_never_given_up),
		cmocka_unit_test(work_in_between_does_not_save_who_stopped),
	};

	return cmocka_run_group_tests_name("role_hung", tests, NULL, NULL);
}
