/* preview_html.c - the words of an HTML text, for a preview: no parser, but never fooled into showing markup as text for
 * long, and linear. */
#include "preview.h"

/* Elements whose content is no text. */
static const struct str hidden[] = { STR_INIT("script"), STR_INIT("style"), STR_INIT("head"), STR_INIT("title") };

static const struct {
	struct str name;
	const char *text;
} entities[] = {
	{ STR_INIT("amp"), "&" },
	{ STR_INIT("lt"), "<" },
	{ STR_INIT("gt"), ">" },
	{ STR_INIT("quot"), "\"" },
	{ STR_INIT("apos"), "'" },
	{ STR_INIT("nbsp"), " " },
	{ STR_INIT("zwnj"), "" },
	{ STR_INIT("shy"), "" },
	{ STR_INIT("auml"), "ä" },
	{ STR_INIT("ouml"), "ö" },
	{ STR_INIT("uuml"), "ü" },
	{ STR_INIT("Auml"), "Ä" },
	{ STR_INIT("Ouml"), "Ö" },
	{ STR_INIT("Uuml"), "Ü" },
	{ STR_INIT("szlig"), "ß" },
	{ STR_INIT("eacute"), "é" },
	{ STR_INIT("egrave"), "è" },
	{ STR_INIT("ecirc"), "ê" },
	{ STR_INIT("agrave"), "à" },
	{ STR_INIT("acirc"), "â" },
	{ STR_INIT("ccedil"), "ç" },
	{ STR_INIT("ocirc"), "ô" },
	{ STR_INIT("iacute"), "í" },
	{ STR_INIT("oacute"), "ó" },
	{ STR_INIT("aacute"), "á" },
	{ STR_INIT("ntilde"), "ñ" },
	{ STR_INIT("hellip"), "…" },
	{ STR_INIT("ndash"), "–" },
	{ STR_INIT("mdash"), "—" },
	{ STR_INIT("lsquo"), "‘" },
	{ STR_INIT("rsquo"), "’" },
	{ STR_INIT("ldquo"), "“" },
	{ STR_INIT("rdquo"), "”" },
	{ STR_INIT("bdquo"), "„" },
	{ STR_INIT("euro"), "€" },
	{ STR_INIT("pound"), "£" },
	{ STR_INIT("copy"), "©" },
	{ STR_INIT("reg"), "®" },
	{ STR_INIT("bull"), "•" },
	{ STR_INIT("middot"), "·" },
};

/* Elements within a word. */
static const struct str inline_names[] = { STR_INIT("a"), STR_INIT("b"), STR_INIT("i"), STR_INIT("u"), STR_INIT("em"),
	STR_INIT("strong"), STR_INIT("span"), STR_INIT("font"), STR_INIT("small"), STR_INIT("big"), STR_INIT("sub"),
	STR_INIT("sup"), STR_INIT("code"), STR_INIT("tt"), STR_INIT("s"), STR_INIT("wbr") };

static void
add_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_add_char(out, (char)c);
		return;
	}
	if (c >= 0x10000) {
		buf_add_char(out, (char)(0xf0 | c >> 18));
		buf_add_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
	} else if (c >= 0x800) {
		buf_add_char(out, (char)(0xe0 | c >> 12));
	}
	buf_add_char(out, (char)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6));
	buf_add_char(out, (char)(0x80 | (c & 0x3f)));
}

static bool
is_character(uint64_t c)
{
	return c >= 0x20 && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

static uint64_t
hex(struct str s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s.n && n <= 0x10ffff; i++) {
		char c = ascii_lower(s.p[i]);

		if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
			return 0;
		n = n * 16 + (uint64_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
	}
	return n;
}

/* "#8217", "#x2019" or a name. False: none that is known. */
static bool
add_entity(struct buf *out, struct str name)
{
	uint64_t c = 0;

	if (str_starts(name, STR("#"))) {
		struct str digits = str_sub(name, 1, name.n);

		if (str_starts_nocase(digits, STR("x")))
			c = hex(str_sub(digits, 1, digits.n));
		else if (!str_u64(digits, 0x10ffff, &c))
			c = 0;
		if (is_character(c))
			add_utf8(out, (uint32_t)c);
		return is_character(c);
	}
	for (size_t i = 0; i < sizeof(entities) / sizeof(*entities); i++) {
		if (str_eq(entities[i].name, name)) {
			buf_add_cstr(out, entities[i].text);
			return true;
		}
	}
	return false;
}

/* At "&": how much was taken. */
static size_t
entity(struct buf *out, struct str s)
{
	size_t end = str_find(str_sub(s, 0, 12), ';');

	if (end < s.n && end < 12 && add_entity(out, str_sub(s, 1, end)))
		return end + 1;
	buf_add_char(out, '&');
	return 1;
}

/* Behind the closing tag of the element, or the end. */
static size_t
skip_element(struct str s, struct str name)
{
	for (size_t i = 0; i + 2 + name.n <= s.n; i++)
		if (s.p[i] == '<' && s.p[i + 1] == '/' && str_starts_nocase(str_sub(s, i + 2, s.n), name))
			return i;
	return s.n;
}

/* At "<": how much is markup. */
static size_t
tag(struct str s)
{
	size_t end = str_find(s, '>');

	if (str_starts(s, STR("<!--"))) {
		end = str_search(s, STR("-->"));
		return end < s.n ? end + 3 : s.n;
	}
	end = end < s.n ? end + 1 : s.n;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++) {
		struct str rest = str_sub(s, 1, s.n);

		if (str_starts_nocase(rest, hidden[i]) && rest.n > hidden[i].n && !ascii_is_alnum(rest.p[hidden[i].n]))
			return end + skip_element(str_sub(s, end, s.n), hidden[i]);
	}
	return end;
}

static bool
is_inline(struct str s)
{
	struct str name = str_sub(s, s.n > 1 && s.p[1] == '/' ? 2 : 1, s.n);
	size_t n = 0;

	while (n < name.n && ascii_is_alnum(name.p[n]))
		n++;
	for (size_t i = 0; i < sizeof(inline_names) / sizeof(*inline_names); i++)
		if (str_eq_nocase(str_sub(name, 0, n), inline_names[i]))
			return true;
	return false;
}

void
preview_strip_html(struct buf *out, struct str html)
{
	while (html.n > 0) {
		size_t n = 1;

		if (html.p[0] == '<' && html.n > 1 &&
		    (ascii_is_alpha(html.p[1]) || html.p[1] == '/' || html.p[1] == '!')) {
			n = tag(html);
			if (!is_inline(html))
				buf_add_char(out, ' ');
		} else if (html.p[0] == '&') {
			n = entity(out, html);
		} else {
			buf_add_char(out, html.p[0]);
		}
		html = str_sub(html, n, html.n);
	}
}
