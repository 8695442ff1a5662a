/* share_limits.c - what one account can make the table of shares and the lists of rights hold, for everybody's memory and time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include <postern/store/rights.h>

#include "site.h"

static int
setup_shares(void **state)
{
	struct site *t;

	site_setup(state);
	t = *state;
	t->config.shares = true;
	site_reopen(t);
	return 0;
}

#define WITH_SHARES(f) cmocka_unit_test_setup_teardown(f, setup_shares, site_teardown)

/* What SETACL gives to the n-th guest. */
static enum store_code
give(struct site *t, uint32_t mailbox, unsigned guest, unsigned rights)
{
	char who[64];
	struct store_ace ace = { .rights = rights };

	snprintf(who, sizeof who, "guest%u@example.test", guest);
	ace.identifier = str_of(who);
	store_set_rights(t->u, mailbox, &ace, STORE_RIGHTS_REPLACE, site_done(t));
	site_wait(t);
	return t->code;
}

static bool
is_guest(struct site *t, unsigned guest)
{
	char who[64];

	snprintf(who, sizeof who, "guest%u@example.test", guest);
	return store_is_shared(t->store, STR(USER), str_of(who));
}

static uint32_t
make(struct site *t, const char *name)
{
	store_create(t->u, str_of(name), STORE_USE_NONE, site_done(t));
	site_wait(t);
	return t->code == STORE_OK ? t->mailbox : 0;
}

static void
fill_list(struct site *t, uint32_t mailbox, unsigned first)
{
	for (unsigned i = 0; i < STORE_ACL_MAX; i++)
		assert_int_equal(give(t, mailbox, first + i, STORE_RIGHT_LOOKUP), STORE_OK);
}

/* Who was refused rights is nobody's guest: else the table grows with each refusal. */
static void
who_is_refused_is_no_guest(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");

	fill_list(t, inbox, 0);
	for (unsigned i = 500; i < 520; i++) {
		assert_int_equal(give(t, inbox, i, STORE_RIGHT_LOOKUP), STORE_LIMIT);
		assert_false(is_guest(t, i));
	}
	assert_int_equal(give(t, 4711, 500, STORE_RIGHT_LOOKUP), STORE_NONEXISTENT);
	assert_false(is_guest(t, 500));
	assert_true(is_guest(t, 0));
}

static void
an_owner_has_so_many_guests(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	char name[16];

	for (unsigned i = 0; i < STORE_GUESTS_MAX; i += STORE_ACL_MAX) {
		snprintf(name, sizeof name, "m%u", i);
		fill_list(t, make(t, name), i);
	}
	assert_int_equal(give(t, inbox, STORE_GUESTS_MAX, STORE_RIGHT_LOOKUP), STORE_LIMIT);
	assert_false(is_guest(t, STORE_GUESTS_MAX));
	assert_int_equal(give(t, inbox, 7, STORE_RIGHT_LOOKUP), STORE_OK); /* who is one already */
	assert_int_equal(give(t, site_find(t, "m0"), 8, 0), STORE_OK);
	assert_int_equal(give(t, inbox, STORE_GUESTS_MAX, STORE_RIGHT_LOOKUP), STORE_OK);
	assert_true(is_guest(t, STORE_GUESTS_MAX));
}

/* All lists of an account together are looked through for a guest's LIST. */
static void
an_account_has_so_many_rows(void **state)
{
	struct site *t = *state;
	uint32_t parent = make(t, "p"), last = 0;
	char name[16];

	fill_list(t, parent, 0);
	for (unsigned i = 1; i < STORE_RIGHTS_ROWS_MAX / STORE_ACL_MAX; i++) {
		snprintf(name, sizeof name, "p/%u", i);
		last = make(t, name);
		assert_int_not_equal(last, 0);
	}
	assert_int_equal(make(t, "p/more"), 0);
	assert_int_equal(t->code, STORE_LIMIT);
	assert_int_equal(give(t, site_find(t, "INBOX"), 0, STORE_RIGHT_LOOKUP), STORE_LIMIT);
	assert_int_equal(give(t, last, 0, STORE_RIGHT_READ), STORE_OK);
	assert_int_equal(give(t, last, 0, 0), STORE_OK);
	assert_int_equal(give(t, site_find(t, "INBOX"), 0, STORE_RIGHT_LOOKUP), STORE_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SHARES(who_is_refused_is_no_guest),
		WITH_SHARES(an_owner_has_so_many_guests),
		WITH_SITE(an_account_has_so_many_rows),
	};

	return cmocka_run_group_tests_name("store/share_limits", tests, NULL, NULL);
}
