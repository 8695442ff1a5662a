/* talk_text.c - the small notations inside a transcript's lines: escapes and patterns. */
#include "talk.h"

#include <postern/core/cur.h>

static int
hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower((char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool expand(struct buf *out, struct cur *c, uint64_t count, int until);

/* \{3:text} : the text is expanded afresh each time, for \# counts. */
static bool
expand_repeat(struct buf *out, struct cur *c)
{
	uint64_t times = cur_number(c, 10 * 1000 * 1000);
	struct cur start;
	bool ok = true;

	cur_want(c, ":");
	start = *c;
	for (uint64_t i = 0; ok && i < times; i++) {
		*c = start;
		ok = expand(out, c, i + 1, '}');
	}
	return ok && cur_ok(c) && times > 0;
}

static bool
expand_hex(struct buf *out, struct cur *c)
{
	struct str pair = cur_bytes(c, 2);
	int high = pair.n == 2 ? hex_digit(pair.p[0]) : -1;
	int low = pair.n == 2 ? hex_digit(pair.p[1]) : -1;

	if (high < 0 || low < 0)
		return false;
	buf_add_char(out, (char)(unsigned char)(high * 16 + low));
	return true;
}

static bool
expand_escape(struct buf *out, struct cur *c, uint64_t count)
{
	static const char names[] = "rnt0\\ ";
	static const char bytes[] = "\r\n\t\0\\ ";
	int b = cur_peek(c);
	const char *at = b > 0 ? memchr(names, b, sizeof(names) - 1) : NULL;

	cur_bytes(c, 1);
	if (at != NULL)
		buf_add_char(out, bytes[at - names]);
	else if (b == 'x')
		return expand_hex(out, c);
	else if (b == '{')
		return expand_repeat(out, c);
	else if (b == '#')
		buf_add_u64(out, count);
	else
		return false;
	return true;
}

/* Up to the byte `until`, which is taken, or (-1) to the end. */
static bool
expand(struct buf *out, struct cur *c, uint64_t count, int until)
{
	int b;

	while ((b = cur_peek(c)) >= 0) {
		cur_bytes(c, 1);
		if (b == until)
			return true;
		if (b != '\\')
			buf_add_char(out, (char)b);
		else if (!expand_escape(out, c, count))
			return false;
	}
	return until < 0 && cur_ok(c);
}

bool
talk_expand(struct buf *out, struct str text)
{
	struct cur c = cur_init(text);

	return expand(out, &c, 0, -1);
}

bool
talk_match(struct str pattern, struct str text)
{
	size_t p = 0, t = 0;
	size_t star = SIZE_MAX, star_t = 0; /* the last star and where its text ends for now */

	while (t < text.n) {
		size_t q = p < pattern.n && pattern.p[p] == '\\' ? p + 1 : p;

		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			star_t = t;
		} else if (q < pattern.n && pattern.p[q] == text.p[t]) {
			p = q + 1;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++star_t;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}
