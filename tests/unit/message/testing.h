/* testing.h - what the tests of this folder share. */
#ifndef TESTS_UNIT_MESSAGE_TESTING_H
#define TESTS_UNIT_MESSAGE_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/mem.h>
#include <postern/core/str.h>

/* Says which row of a table failed, and with what. */
#define ASSERT_STR(got, want, row) assert_str_(got, want, row, __FILE__, __LINE__)

static inline void
assert_str_(struct str got, struct str want, const char *row, const char *file, int line)
{
	if (str_eq(got, want))
		return;
	print_error("%s:\n got \"%.*s\"\nwant \"%.*s\"\n", row, STR_ARG(got), STR_ARG(want));
	_fail(file, line);
}

/* CPU time of this process: unlike the clock on the wall it does not run faster on a busy machine. */
static inline double
cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

/* n times the text, in the arena. */
static inline struct str
repeated(struct arena *a, const char *text, size_t n)
{
	size_t size = strlen(text);
	char *p = arena_alloc(a, size * n + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(p + i * size, text, size);
	return str_from(p, size * n);
}

#endif
