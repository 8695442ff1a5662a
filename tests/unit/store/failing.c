/* failing.c - every opening of a file or directory, one after the other, fails once: what was delivered is a message whole, and when
 * all goes well again nothing is left to mend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "site.h"

enum { OPENS_MAX = 1000 };

static int opens_left; /* until the one that fails; 0: none does */

/* In the place of the C library's, which the store calls for openat2. */
long
syscall(long number, ...)
{
	static long (*real)(long, ...);
	va_list args;
	long a[6];

	if (real == NULL)
		real = (long (*)(long, ...))(uintptr_t)dlsym(RTLD_NEXT, "syscall");
	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_openat2 && opens_left > 0 && --opens_left == 0) {
		errno = EMFILE;
		return -1;
	}
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void
look(struct site *t, uint32_t mailbox)
{
	store_refresh(t->u, mailbox, site_done(t));
	site_wait(t);
}

/* One delivery during which the n-th opening fails; did it come to that? */
static bool
deliver_with(struct site *t, uint32_t inbox, int n, uint32_t *delivered)
{
	opens_left = n;
	site_deliver(t, id_new(), USER, "Subject: a\r\n\r\nbody\r\n");
	*delivered += t->states[0] == STORE_STORED;
	look(t, inbox);
	n = opens_left;
	opens_left = 0;
	return n == 0;
}

static void
k09_each_opening_fails_once(void **state)
{
	struct site *t = *state;
	uint32_t inbox = site_find(t, "INBOX");
	uint32_t delivered = 0;
	int n = 1;

	for (; deliver_with(t, inbox, n, &delivered); n++) {
		assert_true(n < OPENS_MAX);
		site_refresh(t, inbox);
		assert_int_equal(site_mailbox(t, inbox).messages, delivered);
		store_settle(t->store);
		assert_int_equal(site_count(t, "Maildir/new"), 0);
		site_check(t);
	}
	assert_true(n > 4);
	assert_true(delivered > 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { WITH_SITE(k09_each_opening_fails_once) };

	return cmocka_run_group_tests_name("store_failing", tests, NULL, NULL);
}
