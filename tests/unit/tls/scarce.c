/* scarce.c - each allocation of OpenSSL's fails once, from a session's making to the end of its handshake: the process ends with words, or
 * the handshake fails or succeeds. It never goes on with what it has not got. */
#include "site.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PLACES_MAX = 20000, FATAL = 1, DONE = 0, REFUSED = 3, OVER = 4 };

static int left; /* allocations until the one that fails; 0: none does */

static bool
fails(void)
{
	return left > 0 && --left == 0;
}

static void *
take(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : malloc(n);
}

static void *
resize(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : realloc(p, n);
}

static void
give(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

/* In a process of its own; its status. */
static int
shake(struct site *s, int n)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct link l;
		bool ok;

		signal(SIGSEGV, SIG_DFL); /* the sanitizer's ends with the status of an end with words */
		link_open(&l, s);
		left = n;
		link_secure(&l, s->server);
		link_name(&l, "mail.example.test");
		ok = link_shake(&l);
		_exit(left > 0 ? OVER : ok ? DONE : REFUSED);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status))
		fail_msg("allocation %d: signal %d", n, WTERMSIG(status));
	return WEXITSTATUS(status);
}

static void
handshake(void **state)
{
	struct site s;
	int status = DONE, met[OVER] = { 0 }, n;

	(void)state;
	site_open(&s, TLS_IMAPS);
	for (n = 1; n < PLACES_MAX && (status = shake(&s, n)) != OVER; n += 1 + n / 40) {
		assert_in_range(status, DONE, REFUSED);
		met[status]++;
	}
	assert_int_equal(status, OVER);
	assert_true(met[FATAL] > 0 && met[REFUSED] > 0);
	site_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake),
	};

	if (CRYPTO_set_mem_functions(take, resize, give) != 1)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
