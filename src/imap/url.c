/* url.c - the grammar of RFC 5092 11 that is left without a server: iabsolute-path and irelative-path that end in a UID,
 * with section and range.
 *
 *     [mailbox [";UIDVALIDITY=" nz] "/"] ";UID=" nz ["/;SECTION=" section] ["/;PARTIAL=" from ["." size]] */
#include "url.h"

#include <postern/core/cur.h>
#include <postern/core/utf8.h>

/* bchar, with "%" for pct-encoded. */
static bool
is_path(char c)
{
	return ascii_is_alnum(c) || (c != '\0' && strchr("-._~!$'()*+,%&=:@/", c) != NULL);
}

static int
hex(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded; fails on what is no UTF-8 or holds NUL. */
static struct str
decode(struct cur *c, struct str raw, struct arena *arena)
{
	char *to = arena_alloc(arena, raw.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] != '%') {
			to[n++] = raw.p[i];
			continue;
		}
		if (raw.n - i < 3 || hex(raw.p[i + 1]) < 0 || hex(raw.p[i + 2]) < 0) {
			cur_fail(c, "%XX");
			return STR("");
		}
		to[n++] = (char)(hex(raw.p[i + 1]) << 4 | hex(raw.p[i + 2]));
		i += 2;
	}
	if (!utf8_valid(str_from(to, n)) || str_has(str_from(to, n), '\0'))
		cur_fail(c, "UTF-8");
	return str_from(to, n);
}

static uint32_t
nz_number(struct cur *c)
{
	uint64_t n = cur_number(c, UINT32_MAX);

	if (n == 0)
		cur_fail(c, "a number above 0");
	return (uint32_t)n;
}

/* enc-mailbox [uidvalidity] "/": there is no ";" in a name, so that the first one ends it. */
static void
mailbox(struct cur *c, struct arena *arena, struct url *u)
{
	struct str raw = cur_while(c, is_path);
	bool slash = raw.n > 0 && raw.p[raw.n - 1] == '/';

	if (!u->absolute && str_find(raw, ':') < str_find(raw, '/'))
		cur_fail(c, "no scheme"); /* RFC 3986 4.2 */
	if (cur_take(c, ";UIDVALIDITY=")) {
		u->uidvalidity = nz_number(c);
		cur_want(c, "/");
	} else if (raw.n > 0 && slash) {
		raw.n--;
	} else if (raw.n > 0) {
		cur_fail(c, "a UID behind the mailbox");
	}
	u->mailbox = decode(c, raw, arena);
	if ((u->absolute || u->uidvalidity != 0) && u->mailbox.n == 0)
		cur_fail(c, "a mailbox");
}

static void
section(struct cur *c, struct arena *arena, struct url *u)
{
	struct str raw = cur_while(c, is_path);

	if (raw.n > 0 && raw.p[raw.n - 1] == '/') { /* of "/;PARTIAL=" */
		raw.n--;
		c->p--;
	}
	u->section = decode(c, raw, arena);
	if (u->section.n == 0)
		cur_fail(c, "a section");
}

static void
partial(struct cur *c, struct url *u)
{
	u->partial = true;
	u->from = cur_number(c, INT64_MAX);
	u->size = UINT64_MAX;
	if (cur_take(c, "."))
		u->size = cur_number(c, INT64_MAX);
	if (u->size == 0)
		cur_fail(c, "a size above 0");
}

bool
url_parse(struct str text, struct arena *arena, struct url *u)
{
	struct cur c = cur_init(text);

	*u = (struct url){ 0 };
	u->absolute = cur_take(&c, "/");
	mailbox(&c, arena, u);
	cur_want(&c, ";UID=");
	u->uid = nz_number(&c);
	if (cur_take(&c, "/;SECTION="))
		section(&c, arena, u);
	if (cur_take(&c, "/;PARTIAL="))
		partial(&c, u);
	return cur_end(&c);
}

/* url-resp-text of RFC 4469 5, in quotes. */
void
url_write(struct buf *out, struct str text)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		unsigned char b = (unsigned char)text.p[i];

		if (b <= ' ' || b >= 0x7f || b == '"' || b == '\\' || b == ']')
			buf_addf(out, "%%%02X", b);
		else
			buf_add_char(out, (char)b);
	}
	buf_add_char(out, '"');
}
