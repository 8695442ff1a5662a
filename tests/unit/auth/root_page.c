/* root_page.c - a change of the directory that has no space for its root page leaves a database that LMDB does not read any more: the
 * process begins anew, with all that was there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "site.h"

static bool root_fails;
static struct site site;

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

/* Ends with another status than 1 when it goes on. */
_Noreturn static void
live_through_it(void)
{
	site_open_again();
	if (!add("alice@example.test"))
		_exit(2);
	root_fails = true;
	if (add("bob@example.test"))
		_exit(3);
	root_fails = false;
	_exit(look("alice@example.test") == DIRECTORY_FAILED ? 4 : 5);
}

static void
process_begins_anew(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	site_open(&site, "", "");
	directory_close(site.directory); /* a database does not go through a fork */
	pid = fork();
	if (pid == 0)
		live_through_it();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1); /* log_fatal */
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
