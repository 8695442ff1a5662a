/* ticket.c - tests of login tickets: once, for one user, for 30 seconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <postern/auth/ticket.h>

static const struct mono start = { 1000000000 };

static void
good_once(void **state)
{
	struct ticket_table *t = ticket_table_new();
	struct id a = ticket_new();
	struct id b = ticket_new();
	uint64_t quota = 0;

	(void)state;
	assert_false(id_eq(a, b));
	ticket_table_add(t, a, STR("alice@example.test"), 77, start);
	assert_false(ticket_table_take(t, b, STR("alice@example.test"), &quota, start));
	assert_true(ticket_table_take(t, a, STR("alice@example.test"), &quota, start));
	assert_int_equal(quota, 77);
	assert_false(ticket_table_take(t, a, STR("alice@example.test"), &quota, start));
	ticket_table_free(t);
}

static void
wrong_user_ends_it(void **state)
{
	struct ticket_table *t = ticket_table_new();
	struct id a = ticket_new();
	uint64_t quota;

	(void)state;
	ticket_table_add(t, a, STR("alice@example.test"), 0, start);
	assert_false(ticket_table_take(t, a, STR("bob@example.test"), &quota, start));
	assert_false(ticket_table_take(t, a, STR("alice@example.test"), &quota, start));
	ticket_table_free(t);
}

static void
time_ends_it(void **state)
{
	struct ticket_table *t = ticket_table_new();
	struct id a = ticket_new();
	struct id b = ticket_new();
	uint64_t quota;

	(void)state;
	ticket_table_add(t, a, STR("alice@example.test"), 0, start);
	ticket_table_add(t, b, STR("alice@example.test"), 0, start);
	assert_true(ticket_table_take(t, a, STR("alice@example.test"), &quota, mono_add_ms(start, TICKET_MS - 1)));
	assert_false(ticket_table_take(t, b, STR("alice@example.test"), &quota, mono_add_ms(start, TICKET_MS)));
	ticket_table_free(t);
}

static void
oldest_go_first(void **state)
{
	struct ticket_table *t = ticket_table_new();
	struct id first = ticket_new();
	struct id last = first;
	uint64_t quota;

	(void)state;
	ticket_table_add(t, first, STR("alice@example.test"), 0, start);
	for (int i = 0; i < TICKET_MAX; i++) {
		last = ticket_new();
		ticket_table_add(t, last, STR("bob@example.test"), 0, start);
	}
	assert_false(ticket_table_take(t, first, STR("alice@example.test"), &quota, start));
	assert_true(ticket_table_take(t, last, STR("bob@example.test"), &quota, start));
	ticket_table_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_once),
		cmocka_unit_test(wrong_user_ends_it),
		cmocka_unit_test(time_ends_it),
		cmocka_unit_test(oldest_go_first),
	};

	return cmocka_run_group_tests_name("auth/ticket", tests, NULL, NULL);
}
