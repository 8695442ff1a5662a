/* root_page.c - a change of the directory that has no space for its root page leaves a database that LMDB does not read any more: the
 * process begins anew, with all that was there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "../root_page.h"
#include "site.h"

static struct site site;

static enum directory_found
look(const char *address)
{
	enum directory_found found;
	struct arena a;
	struct user u;
	struct err e;

	arena_init(&a);
	found = directory_user(site.directory, str_of(address), &a, &u, &e);
	arena_fini(&a);
	return found;
}

static bool
add(const char *address)
{
	struct user u = { .address = str_of(address), .quota = QUOTA_DEFAULT };
	struct err e;

	snprintf(u.verifier.hash, sizeof u.verifier.hash, "$6$x$y");
	return directory_user_add(site.directory, &u, &e);
}

static void
site_open_again(void)
{
	struct err e;

	site.directory = directory_open(site.dir, &e);
	assert_non_null(site.directory);
}

/* It has to end before it returns. */
static int
live_through_it(void)
{
	site_open_again();
	if (!add("alice@example.test"))
		return 2;
	root_page_fails = true;
	if (add("bob@example.test"))
		return 3;
	root_page_fails = false;
	return look("alice@example.test") == DIRECTORY_FAILED ? 4 : 5;
}

static void
process_begins_anew(void **state)
{
	(void)state;
	site_open(&site, "", "");
	directory_close(site.directory); /* a database does not go through a fork */
	root_page_expect_end(live_through_it);
	site_open_again();
	assert_int_equal(look("alice@example.test"), DIRECTORY_FOUND);
	assert_int_equal(look("bob@example.test"), DIRECTORY_MISSING);
	site_close(&site);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(process_begins_anew) };

	return cmocka_run_group_tests_name("auth_root_page", tests, NULL, NULL);
}
