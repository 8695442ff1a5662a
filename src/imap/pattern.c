/* pattern.c - wildcard matching: for each character of the name, the set of places in the pattern that are reached. No
 * way is tried twice, so that the work is the product of both lengths, whatever the wildcards. */
#include "pattern.h"

#include <stdlib.h>

#include <postern/core/mem.h>

static bool
is_wildcard(char c)
{
	return c == '*' || c == '%';
}

static bool
same(struct str name, size_t at, char want, size_t fold)
{
	return name.p[at] == want || (at < fold && ascii_lower(name.p[at]) == ascii_lower(want));
}

/* How much of the name is compared without case. */
static size_t
inbox_size(struct str name)
{
	size_t first = str_find(name, '/');

	return str_eq_nocase(str_sub(name, 0, first), STR("INBOX")) ? first : 0;
}

/* A wildcard may also match nothing: who stands before it stands behind it. */
static void
skip_wildcards(bool *reached, struct str pattern)
{
	for (size_t p = 0; p < pattern.n; p++)
		if (reached[p] && is_wildcard(pattern.p[p]))
			reached[p + 1] = true;
}

/* From the highest place down, so that each is read before it is written for the next character. */
static bool
take_character(bool *reached, struct str pattern, struct str name, size_t at, size_t fold)
{
	bool any = false;

	reached[pattern.n] = false;
	for (size_t p = pattern.n; p-- > 0;) {
		char c = pattern.p[p];
		bool was = reached[p];

		reached[p] = was && (c == '*' || (c == '%' && name.p[at] != '/'));
		if (was && !is_wildcard(c) && same(name, at, c, fold))
			reached[p + 1] = true;
		any = any || was;
	}
	skip_wildcards(reached, pattern);
	return any;
}

bool
pattern_match(struct str pattern, struct str name)
{
	bool *reached = mem_array(pattern.n + 1, sizeof *reached);
	size_t fold = inbox_size(name);
	bool any = true;
	bool matches;

	reached[0] = true;
	skip_wildcards(reached, pattern);
	for (size_t n = 0; n < name.n && any; n++)
		any = take_character(reached, pattern, name, n, fold);
	matches = any && reached[pattern.n];
	free(reached);
	return matches;
}
