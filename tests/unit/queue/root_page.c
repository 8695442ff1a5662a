/* root_page.c - a commit that has no space for its root page leaves a database that LMDB neither reads nor writes any more: the process
 * begins anew, with all that was there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../src/queue/ledger_own.h"
#include "../root_page.h"

static char path[64];

static bool
add_one(struct ledger *l, uint64_t number)
{
	MDB_txn *t;

	return mdb_txn_begin(l->env, NULL, 0, &t) == 0 && ledger_set_number(l, t, "bytes", number) == 0 && mdb_txn_commit(t) == 0;
}

static bool
open_it(struct ledger *l)
{
	struct err e;

	return ledger_open(l, path, 1 << 20, &e);
}

/* It has to end before it returns. */
static int
live_through_it(void)
{
	struct ledger l;

	if (!open_it(&l) || !add_one(&l, 7))
		return 2;
	root_page_fails = true;
	if (add_one(&l, 8))
		return 3;
	root_page_fails = false;
	return ledger_read(&l) == NULL ? 4 : 5;
}

static void
what_was_there_is_there(void)
{
	struct ledger l;
	uint64_t bytes;
	MDB_txn *t;

	assert_true(open_it(&l));
	t = ledger_read(&l);
	assert_non_null(t);
	assert_int_equal(ledger_get_bytes(&l, t, &bytes), 0);
	assert_int_equal(bytes, 7);
	mdb_txn_abort(t);
	ledger_close(&l);
}

static void
process_begins_anew(void **state)
{
	(void)state;
	snprintf(path, sizeof path, "/tmp/postern-root-page-%d.mdb", (int)getpid());
	root_page_expect_end(live_through_it);
	what_was_there_is_there();
	unlink(path);
	strcat(path, "-lock");
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(process_begins_anew) };

	return cmocka_run_group_tests_name("queue_root_page", tests, NULL, NULL);
}
