/* pattern.c - wildcard matching without recursion: where a match fails, the last "%" takes one character more, and
 * when it must not, the last "*". Earlier wildcards need not be tried again: what a later one of the same kind can
 * reach from an earlier start holds all it can reach from a later one. */
#include "pattern.h"

struct retry {
	size_t pattern; /* behind the wildcard; 0: there is none */
	size_t name;
};

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

/* Lets a wildcard take one more character. */
static bool
step_back(struct retry *percent, struct retry *star, struct str name, size_t *p, size_t *n)
{
	struct retry *r = percent->pattern != 0 && percent->name < name.n && name.p[percent->name] != '/' ? percent : star;

	if (r->pattern == 0 || r->name >= name.n)
		return false;
	if (r == star)
		percent->pattern = 0;
	*p = r->pattern;
	*n = ++r->name;
	return true;
}

bool
pattern_match(struct str pattern, struct str name)
{
	struct retry percent = { 0 };
	struct retry star = { 0 };
	size_t fold = inbox_size(name);
	size_t p = 0;
	size_t n = 0;

	while (p < pattern.n || n < name.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = (struct retry){ ++p, n };
			percent.pattern = 0;
		} else if (p < pattern.n && pattern.p[p] == '%') {
			percent = (struct retry){ ++p, n };
		} else if (p < pattern.n && n < name.n && same(name, n, pattern.p[p], fold)) {
			p++;
			n++;
		} else if (!step_back(&percent, &star, name, &p, &n)) {
			return false;
		}
	}
	return true;
}
