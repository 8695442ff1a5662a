/* status.c - enhanced status codes. */
#include "testing.h"

#include <postern/message/status.h>

static const char *const codes[] = { "2.0.0", "4.3.0", "5.7.28", "5.999.999", "2.1.15" };
static const char *const others[] = { "", "5", "5.", "5.7", "5.7.", "5..1", ".7.1", "55.7.1", "5.7000.1", "5.7.1000", "5.7.1.", "5.7.1 ",
	" 5.7.1", "5.7.1a", "5.-7.1", "5,7,1", "a.7.1" };

static void
whole_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		assert_true(status_is_of(str_of(codes[i]), codes[i][0]));
		assert_false(status_is_of(str_of(codes[i]), '3'));
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		for (char class = '2'; class <= '5'; class++)
			assert_false(status_is_of(str_of(others[i]), class));
}

static void
every_beginning(void **state)
{
	struct str whole = STR("5.12.345");

	(void)state;
	for (size_t n = 0; n < whole.n; n++)
		assert_int_equal(status_is_of(str_sub(whole, 0, n), '5'), n > strlen("5.12."));
}

static void
from_a_line(void **state)
{
	struct cur c = cur_init(STR("5.7.1 no"));
	struct cur none = cur_init(STR("5.7 no"));

	(void)state;
	assert_true(str_eq(status_take(&c), STR("5.7.1")));
	assert_true(cur_take(&c, " no") && cur_end(&c));
	assert_int_equal(status_take(&none).n, 0);
	assert_false(cur_ok(&none));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_texts),
		cmocka_unit_test(every_beginning),
		cmocka_unit_test(from_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
