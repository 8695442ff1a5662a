/* penalty.c - tests of the ledger of failed logins, on a clock of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "site.h"

static const struct mono start = { 1000000000 };
static const struct str alice = STR_INIT("alice@example.test");
static const struct str bob = STR_INIT("bob@example.test");

static struct mono
after(int64_t ms)
{
	return mono_add_ms(start, ms);
}

static void
fail_times(struct penalty *p, const char *from, struct str account, int times, struct mono now)
{
	static uint64_t guess = 1;

	for (int i = 0; i < times; i++)
		penalty_failure(p, site_source(from), account, guess++, now);
}

/* Eleven failures in a minute: delay, then refusal, for that source alone; then forgiven. */
static void
one_source(void **state)
{
	struct penalty *p = penalty_new();
	struct penalty_answer a;
	int64_t last = 0;

	(void)state;
	for (int i = 0; i < 11; i++) {
		char name[64];

		snprintf(name, sizeof name, "user%d@example.test", i);
		a = penalty_ask(p, site_source("192.0.2.1"), str_of(name), after(i * 1000));
		assert_false(a.refuse);
		assert_true(a.delay_ms >= last);
		assert_true((a.delay_ms > 0) == (i > PENALTY_FREE));
		last = a.delay_ms;
		fail_times(p, "192.0.2.1", str_of(name), 1, after(i * 1000));
	}
	assert_int_equal(last, PENALTY_DELAY_MAX_MS);
	a = penalty_ask(p, site_source("192.0.2.1"), alice, after(11000));
	assert_true(a.refuse);
	assert_non_null(a.why);
	assert_true(penalty_closed(p, site_source("192.0.2.1"), after(11000)));
	a = penalty_ask(p, site_source("192.0.2.2"), alice, after(11000));
	assert_true(!a.refuse && a.delay_ms == 0);
	assert_false(penalty_ask(p, site_source("192.0.2.1"), alice, after(62000)).refuse);
	a = penalty_ask(p, site_source("192.0.2.1"), alice, after(11 * 60000 + 1000));
	assert_true(!a.refuse && a.delay_ms == 0);
	penalty_free(p);
}

static void
d07_one_ipv6_network(void **state)
{
	struct penalty *p = penalty_new();

	(void)state;
	for (int i = 0; i < 11; i++) {
		char from[64];

		snprintf(from, sizeof from, "2001:db8:0:1::%x", i + 1);
		fail_times(p, from, alice, 1, start);
	}
	assert_true(penalty_ask(p, site_source("2001:db8:0:1:ffff::1"), bob, start).refuse);
	assert_false(penalty_ask(p, site_source("2001:db8:0:2::1"), bob, start).refuse);
	assert_int_equal(penalty_sources(p), 1);
	penalty_free(p);
}

/* A thousand sources at one account: strangers are let through one by one, the owner at his usual place as ever. */
static void
d08_one_account(void **state)
{
	struct penalty *p = penalty_new();
	int served = 0;

	(void)state;
	penalty_success(p, site_source("198.51.100.7"), alice, start);
	for (int i = 0; i < 1000; i++) {
		char from[64];

		snprintf(from, sizeof from, "10.0.%d.%d", i / 250, i % 250);
		fail_times(p, from, alice, 1, start);
	}
	for (int i = 0; i < 60; i++)
		served += !penalty_ask(p, site_source("203.0.113.9"), alice, after(i * 1000)).refuse;
	assert_int_equal(served, 60 * 1000 / PENALTY_ACCOUNT_PACE_MS);
	for (int i = 0; i < 60; i++) {
		struct penalty_answer a = penalty_ask(p, site_source("198.51.100.7"), alice, after(i * 1000));

		assert_true(!a.refuse && a.delay_ms == 0);
	}
	assert_false(penalty_ask(p, site_source("203.0.113.9"), bob, start).refuse);
	assert_true(penalty_ask(p, site_source("203.0.113.9"), alice, after(31 * 60000)).delay_ms == 0);
	penalty_free(p);
}

/* A device with an old password makes the same guess again and again; it must not close the door for its house. */
static void
same_guess_counts_little(void **state)
{
	struct penalty *p = penalty_new();
	struct source home = site_source("192.0.2.1");

	(void)state;
	for (int i = 0; i < 30; i++)
		penalty_failure(p, home, alice, 42, start);
	assert_false(penalty_ask(p, home, alice, start).refuse);
	for (int i = 0; i < 200; i++)
		penalty_failure(p, home, alice, 42, start);
	assert_true(penalty_ask(p, home, alice, start).refuse);
	penalty_free(p);
}

/* What is remembered has a ceiling: the longest refusal ends some minutes after the last guess. */
static void
ceiling_of_memory(void **state)
{
	struct penalty *p = penalty_new();

	(void)state;
	fail_times(p, "192.0.2.1", alice, 100000, start);
	assert_true(penalty_ask(p, site_source("192.0.2.1"), alice, start).refuse);
	assert_false(
	    penalty_ask(p, site_source("192.0.2.1"), bob, after((PENALTY_COUNT_MAX - PENALTY_SOURCE_REFUSE) * 60000))
		.refuse);
	penalty_free(p);
}

static void
tables_are_bounded(void **state)
{
	struct penalty *p = penalty_new();

	(void)state;
	for (int i = 0; i < PENALTY_SOURCES_MAX + 1000; i++) {
		char from[64];
		char name[64];

		snprintf(from, sizeof from, "%d.%d.%d.1", 1 + i / 65536, i / 256 % 256, i % 256);
		snprintf(name, sizeof name, "user%d@example.test", i);
		fail_times(p, from, str_of(name), 1, start);
	}
	assert_int_equal(penalty_sources(p), PENALTY_SOURCES_MAX);
	assert_int_equal(penalty_accounts(p), PENALTY_ACCOUNTS_MAX);
	penalty_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_source),
		cmocka_unit_test(d07_one_ipv6_network),
		cmocka_unit_test(d08_one_account),
		cmocka_unit_test(same_guess_counts_little),
		cmocka_unit_test(ceiling_of_memory),
		cmocka_unit_test(tables_are_bounded),
	};

	return cmocka_run_group_tests_name("auth/penalty", tests, NULL, NULL);
}
