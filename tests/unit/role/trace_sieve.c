/* trace_sieve.c - tests of the sieve against looking for each word at each place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "trace_sieve.h"

static void
never_one_too_few(void **state)
{
	static char text[600 + SIEVE_BYTES_MAX];
	char store[8][12];
	struct str words[8];

	(void)state;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		size_t n = (size_t)(1 + rand() % 8);
		struct trace_sieve s;
		size_t place = 600;
		size_t hits = 0;

		for (size_t i = 0; i < sizeof text; i++)
			text[i] = (char)('a' + rand() % 3);
		for (size_t i = 0; i < n; i++) {
			words[i] = str_from(store[i], (size_t)(1 + rand() % 11));
			for (size_t k = 0; k < words[i].n; k++)
				store[i][k] = (char)('a' + rand() % 3);
		}
		trace_sieve_init(&s, words, n);
		while ((place = trace_sieve_last(&s, text, place)) != SIZE_MAX)
			hits++;
		for (size_t i = 0; i < n; i++)
			for (size_t at = words[i].n - s.bytes; at + s.bytes <= 600; at++)
				if (memcmp(text + at - (words[i].n - s.bytes), words[i].p, words[i].n) == 0)
					assert_int_equal(trace_sieve_last(&s, text, at + 1), at);
		assert_true(n > 1 || words[0].n < 8 || hits < 20); /* and not everything */
	}
}

static void
parts_that_may_be_escaped(void **state)
{
	static const char line[] = "why=\"a \\\"quoted\\\" b\\x0ac\xc3\xa4 end\"        ";
	static const char *const words[] = { "a \"quoted\" b", "b\nc", "c\xc3\xa4 end", "\"", "\\", "" };

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct str w = str_of(words[i]);
		struct trace_sieve s;

		trace_sieve_init(&s, &w, 1);
		assert_true(trace_sieve_last(&s, line, sizeof line - 1 - SIEVE_BYTES_MAX) != SIZE_MAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_one_too_few),
		cmocka_unit_test(parts_that_may_be_escaped),
	};

	return cmocka_run_group_tests_name("role_trace_sieve", tests, NULL, NULL);
}
