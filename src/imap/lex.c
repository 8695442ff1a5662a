/* lex.c - atoms, strings, numbers, flags and dates as the grammar of RFC 9051 9 has them. */
#include "lex.h"

#include <postern/core/utf8.h>

bool
lex_fail(struct lex *l, const char *why)
{
	return cur_fail(&l->c, why);
}

/* ATOM-CHAR: no specials, no controls, no 8-bit bytes. */
bool
lex_is_atom(char c)
{
	return ascii_is_print(c) && c != ' ' && strchr("(){%*\"\\]", c) == NULL;
}

static bool
is_astring(char c)
{
	return lex_is_atom(c) || c == ']';
}

/* list-char (RFC 9051 9) */
static bool
is_list(char c)
{
	return is_astring(c) || c == '%' || c == '*';
}

static bool
is_tag(char c)
{
	return is_astring(c) && c != '+';
}

/* FETCH items end where their section or partial begins. */
static bool
is_item(char c)
{
	return lex_is_atom(c) && c != '[' && c != '<';
}

bool
lex_take(struct lex *l, char c)
{
	return cur_take_char(&l->c, c);
}

bool
lex_want(struct lex *l, char c)
{
	static const char *const words[] = { ['('] = "expected (", [')'] = "expected )", [' '] = "expected space",
		['['] = "expected [", [']'] = "expected ]", ['.'] = "expected .", ['>'] = "expected >" };
	size_t at = (unsigned char)c;

	if (lex_take(l, c))
		return true;
	return lex_fail(l, at < sizeof(words) / sizeof(*words) && words[at] != NULL ? words[at] : "syntax error");
}

void
lex_keep(struct lex *l)
{
	if (lex_ok(l))
		l->c = cur_init(arena_str(l->arena, cur_rest(&l->c)));
}

bool
lex_sp(struct lex *l)
{
	return lex_want(l, ' ');
}

bool
lex_end(struct lex *l)
{
	if (lex_ok(l) && !cur_at_end(&l->c))
		lex_fail(l, "unexpected text at the end");
	return lex_ok(l);
}

bool
lex_word(struct lex *l, const char *word)
{
	struct cur before = l->c;

	if (!cur_take(&l->c, word))
		return false;
	if (cur_at_end(&l->c) || !lex_is_atom((char)cur_peek(&l->c)))
		return true;
	l->c = before;
	return false;
}

struct str
lex_tag(struct lex *l)
{
	return cur_want_while(&l->c, is_tag, LEX_TAG_MAX, "bad tag");
}

struct str
lex_atom(struct lex *l)
{
	return cur_want_while(&l->c, lex_is_atom, LEX_ATOM_MAX, "expected a word");
}

struct str
lex_item(struct lex *l)
{
	return cur_want_while(&l->c, is_item, LEX_ATOM_MAX, "expected a data item");
}

struct str
lex_flag(struct lex *l)
{
	const char *begin = l->c.p;
	bool system = lex_take(l, '\\');
	struct str name = cur_want_while(&l->c, lex_is_atom, LEX_KEYWORD_MAX, "bad flag");

	return lex_ok(l) ? str_from(begin, name.n + system) : (struct str){ 0 };
}

static uint64_t
number(struct lex *l, uint64_t min, uint64_t max, const char *why)
{
	struct str digits = cur_while(&l->c, ascii_is_digit);
	uint64_t n = 0;

	if (lex_ok(l) && (!str_u64(digits, max, &n) || n < min))
		lex_fail(l, why);
	return lex_ok(l) ? n : 0;
}

/* A quoted string with escapes is rewritten; 8-bit bytes must be UTF-8 (RFC 9051 QUOTED-CHAR). */
static struct str
unescape(struct lex *l, struct str raw)
{
	char *out = arena_alloc(l->arena, raw.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] == '\\')
			i++;
		out[n++] = raw.p[i];
	}
	return str_from(out, n);
}

static struct str
quoted(struct lex *l)
{
	struct str rest = cur_rest(&l->c);
	bool escapes = false;
	size_t n = 0;

	while (n < rest.n && rest.p[n] != '"') {
		if (rest.p[n] == '\\') {
			escapes = true;
			n++;
			if (n == rest.n || (rest.p[n] != '"' && rest.p[n] != '\\'))
				break;
		}
		if (rest.p[n] == '\0' || rest.p[n] == '\r' || rest.p[n] == '\n')
			break;
		n++;
	}
	if (n >= rest.n || rest.p[n] != '"' || !utf8_valid(str_sub(rest, 0, n))) {
		lex_fail(l, "bad quoted string");
		return (struct str){ 0 };
	}
	cur_bytes(&l->c, n + 1);
	return escapes ? unescape(l, str_sub(rest, 0, n)) : str_sub(rest, 0, n);
}

bool
lex_literal_header(struct lex *l, uint64_t *size, bool *binary)
{
	*binary = lex_take(l, '~');
	if (!lex_take(l, '{'))
		return lex_fail(l, "expected a literal");
	*size = number(l, 0, INT64_MAX, "bad literal");
	lex_take(l, '+');
	return cur_take(&l->c, "}\r\n") || lex_fail(l, "bad literal");
}

/* After the frame (frame.h) the bytes of a literal are all there. */
static struct str
any_literal(struct lex *l, bool *binary)
{
	uint64_t size = 0;

	if (!lex_literal_header(l, &size, binary))
		return (struct str){ 0 };
	if (cur_left(&l->c) < size)
		lex_fail(l, "the literal is not complete");
	return cur_bytes(&l->c, size);
}

static struct str
literal(struct lex *l)
{
	bool binary = false;
	struct str s = any_literal(l, &binary);

	if (binary || str_has(s, '\0')) {
		lex_fail(l, "binary data is not allowed here");
		return (struct str){ 0 };
	}
	return s;
}

struct str
lex_string(struct lex *l)
{
	return lex_take(l, '"') ? quoted(l) : literal(l);
}

/* Only a literal8 may hold NUL (RFC 9051 9). */
struct str
lex_string8(struct lex *l)
{
	bool binary = false;

	return cur_peek(&l->c) == '~' ? any_literal(l, &binary) : lex_string(l);
}

struct str
lex_astring(struct lex *l)
{
	if (cur_peek(&l->c) == '"' || cur_peek(&l->c) == '{')
		return lex_string(l);
	return cur_want_while(&l->c, is_astring, SIZE_MAX, "expected a string");
}

struct str
lex_pattern(struct lex *l)
{
	if (cur_peek(&l->c) == '"' || cur_peek(&l->c) == '{')
		return lex_string(l);
	return cur_want_while(&l->c, is_list, SIZE_MAX, "expected a mailbox pattern");
}

uint32_t
lex_nz_number(struct lex *l)
{
	return (uint32_t)number(l, 1, UINT32_MAX, "expected a number from 1 to 4294967295");
}

uint64_t
lex_number64(struct lex *l)
{
	return number(l, 0, INT64_MAX, "expected a number");
}

/* date-text is taken as a whole and checked by message/date.h; the quotes are optional (RFC 9051 9, date). */
static bool
is_date(char c)
{
	return ascii_is_alnum(c) || c == '-';
}

int64_t
lex_date(struct lex *l)
{
	bool quotes = lex_take(l, '"');
	struct str text = cur_while(&l->c, is_date);
	int64_t day = 0;

	if (quotes)
		lex_want(l, '"');
	if (lex_ok(l) && !date_parse_day(text, &day))
		lex_fail(l, "bad date");
	return day;
}

struct date
lex_date_time(struct lex *l)
{
	struct str text = lex_string(l);
	struct date date = { 0 };

	if (lex_ok(l) && !date_parse_imap(text, &date))
		lex_fail(l, "bad date-time");
	return date;
}
