/* pattern.c - tests of LIST's wildcards, against a plain recursive definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "pattern.h"

/* RFC 9051 6.3.9 word for word; exponential, for short texts. */
static bool
by_definition(const char *p, const char *n)
{
	if (*p == '\0')
		return *n == '\0';
	if (*p == '*' || *p == '%')
		return by_definition(p + 1, n) || (*n != '\0' && (*p == '*' || *n != '/') && by_definition(p, n + 1));
	return *p == *n && by_definition(p + 1, n + 1);
}

static void
examples(void **state)
{
	(void)state;
	assert_true(pattern_match(STR("%"), STR("foo")));
	assert_false(pattern_match(STR("%"), STR("foo/bar")));
	assert_true(pattern_match(STR("*"), STR("foo/bar")));
	assert_true(pattern_match(STR("foo/%"), STR("foo/bar")));
	assert_true(pattern_match(STR("*2"), STR("foo2/bar2")));
	assert_true(pattern_match(STR("inbox"), STR("INBOX")));
	assert_true(pattern_match(STR("InB%"), STR("INBOX")));
	assert_true(pattern_match(STR("inbox/a"), STR("INBOX/a")));
	assert_false(pattern_match(STR("inbox/A"), STR("INBOX/a")));
	assert_false(pattern_match(STR("foo"), STR("FOO")));
	assert_false(pattern_match(STR(""), STR("x")));
}

static void
random_text(unsigned *seed, const char *letters, char *out, size_t max)
{
	size_t n = (size_t)rand_r(seed) % max;

	for (size_t i = 0; i < n; i++)
		out[i] = letters[(size_t)rand_r(seed) % strlen(letters)];
	out[n] = '\0';
}

static void
against_the_definition(void **state)
{
	unsigned seed = 7;
	char p[10];
	char n[12];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		random_text(&seed, "ab/%*", p, sizeof(p));
		random_text(&seed, "ab/", n, sizeof(n));
		assert_int_equal(pattern_match(str_of(p), str_of(n)), by_definition(p, n));
	}
}

/* Work is at most the product of both lengths, whatever the wildcards. */
static void
hostile_patterns(void **state)
{
	char p[2001];
	char n[401];
	clock_t begin = clock();

	(void)state;
	for (size_t i = 0; i < 2000; i += 2)
		memcpy(p + i, i % 4 == 0 ? "*a" : "%a", 2);
	memset(n, 'a', 400);
	assert_false(pattern_match(str_from(p, 2000), str_from(n, 400)));
	memcpy(p + 600, "b", 1);
	assert_false(pattern_match(str_from(p, 601), str_from(n, 400)));
	memcpy(p, "*%", 2); /* each place of the star tries all places of the percent */
	memset(p + 2, 'a', 200);
	p[202] = 'b';
	for (int i = 0; i < 100; i++)
		assert_false(pattern_match(str_from(p, 203), str_from(n, 400)));
	assert_true(clock() - begin < CLOCKS_PER_SEC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples),
		cmocka_unit_test(against_the_definition),
		cmocka_unit_test(hostile_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
