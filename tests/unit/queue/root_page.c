/* root_page.c - a commit that has no space for its root page leaves a database that LMDB neither reads nor writes any more: the process
 * begins anew, with all that was there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../src/queue/ledger_own.h"

static bool root_fails;
static char path[64];

/* In the place of the C library's: no space for LMDB's root pages, which are the small writes. The headers would make pwrite64 of
 * that name. */
ssize_t write_pages(int fd, const void *p, size_t n, off_t at) __asm__("pwrite");

ssize_t
write_pages(int fd, const void *p, size_t n, off_t at)
{
	if (root_fails && n < 4096) {
		errno = ENOSPC;
		return -1;
	}
	return (ssize_t)syscall(SYS_pwrite64, fd, p, n, at);
}

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

/* Ends with another status than 1 when it goes on. */
_Noreturn static void
live_through_it(void)
{
	struct ledger l;

	if (!open_it(&l) || !add_one(&l, 7))
		_exit(2);
	root_fails = true;
	if (add_one(&l, 8))
		_exit(3);
	root_fails = false;
	_exit(ledger_read(&l) == NULL ? 4 : 5);
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
	int status;
	pid_t pid;

	(void)state;
	snprintf(path, sizeof path, "/tmp/postern-root-page-%d.mdb", (int)getpid());
	pid = fork();
	if (pid == 0)
		live_through_it();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1); /* log_fatal */
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
