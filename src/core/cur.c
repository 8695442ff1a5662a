/* cur.c - the sticky-error cursor. */
#include <postern/core/cur.h>

bool
cur_fail(struct cur *c, const char *why)
{
	if (c->why == NULL)
		c->why = why;
	return false;
}

int
cur_peek(const struct cur *c)
{
	return cur_left(c) > 0 ? (unsigned char)*c->p : -1;
}

size_t
cur_left(const struct cur *c)
{
	return c->why == NULL ? (size_t)(c->end - c->p) : 0;
}

struct str
cur_rest(const struct cur *c)
{
	return str_from(c->p, cur_left(c));
}

bool
cur_at_end(const struct cur *c)
{
	return c->why == NULL && c->p == c->end;
}

bool
cur_take(struct cur *c, const char *literal)
{
	struct str want = str_of(literal);

	if (!str_starts_nocase(cur_rest(c), want))
		return false;
	if (c->why != NULL)
		return false;
	c->p += want.n;
	return true;
}

bool
cur_take_char(struct cur *c, char byte)
{
	if (cur_peek(c) != (unsigned char)byte)
		return false;
	c->p++;
	return true;
}

bool
cur_want(struct cur *c, const char *literal)
{
	return cur_take(c, literal) || cur_fail(c, literal);
}

struct str
cur_while(struct cur *c, bool (*is)(char))
{
	struct str rest = cur_rest(c);
	size_t n = 0;

	while (n < rest.n && is(rest.p[n]))
		n++;
	if (n > 0)
		c->p += n;
	return str_from(rest.p, n);
}

struct str
cur_want_while(struct cur *c, bool (*is)(char), size_t max, const char *why)
{
	struct str s = cur_while(c, is);

	if (s.n == 0 || s.n > max) {
		cur_fail(c, why);
		return (struct str){ 0 };
	}
	return s;
}

struct str
cur_bytes(struct cur *c, size_t n)
{
	struct str s = str_from(c->p, n);

	if (cur_left(c) < n) {
		cur_fail(c, "more bytes");
		return (struct str){ 0 };
	}
	if (n > 0)
		c->p += n;
	return s;
}

uint64_t
cur_number(struct cur *c, uint64_t max)
{
	uint64_t value = 0;
	struct str digits = cur_while(c, ascii_is_digit);

	if (!str_u64(digits, max, &value)) {
		cur_fail(c, "number");
		return 0;
	}
	return value;
}

bool
cur_end(struct cur *c)
{
	if (c->why == NULL && c->p != c->end)
		cur_fail(c, "end");
	return c->why == NULL;
}
