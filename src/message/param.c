/* param.c - media types, dispositions and their parameters. */
#include <postern/message/param.h>

#include <postern/message/charset.h>
#include <postern/message/word.h>

#include "lex.h"

/* A parameter as it stands in the field. */
struct raw {
	struct str base;  /* lower case, without sections and "*" */
	int section;      /* -1: whole */
	bool extended;    /* RFC 2231 text */
	bool done;
	struct str value;
};

struct raws {
	struct arena *a;
	struct raw list[PARAM_MAX];
	size_t n;
	struct param *first;
	struct param **tail;
};

static void
skip_to_semicolon(struct cur *c)
{
	int b;

	while ((b = cur_peek(c)) >= 0 && b != ';') {
		if (b == '"')
			lex_quoted(c, NULL);
		else if (b == '(')
			lex_comment(c, NULL);
		else
			c->p++;
	}
}

/* RFC 2231 7: base["*" section]["*"]. False: some other use of "*". */
static bool
split_name(struct str name, struct raw *r)
{
	struct str rest = str_sub(name, str_find(name, '*'), name.n);
	uint64_t section;

	r->base = str_sub(name, 0, name.n - rest.n);
	r->section = -1;
	r->extended = false;
	if (rest.n > 0 && rest.p[rest.n - 1] == '*') {
		r->extended = true;
		rest.n--;
	}
	if (rest.n == 0)
		return r->base.n > 0;
	if (!str_u64(str_sub(rest, 1, rest.n), PARAM_SECTION_MAX, &section))
		return false;
	r->section = (int)section;
	return r->base.n > 0;
}

/* Whether "name =" comes next: some mailers forget the semicolon. No look beyond blanks, lest it be done again and
 * again over the same long comment. */
static bool
at_parameter(struct cur c)
{
	struct str name = cur_while(&c, lex_is_token);

	cur_while(&c, lex_is_blank);
	return name.n > 0 && cur_peek(&c) == '=';
}

static bool
in_value(char c)
{
	return c != ';' && !lex_is_blank(c);
}

/* A value without quotes: up to the semicolon, blanks inside kept as one, a comment after a blank ends it. */
static void
bare_value(struct cur *c, struct buf *out)
{
	for (;;) {
		buf_add(out, cur_while(c, in_value));
		cur_while(c, lex_is_blank);
		if (cur_peek(c) < 0 || cur_peek(c) == ';' || cur_peek(c) == '(' || at_parameter(*c))
			return;
		buf_add_char(out, ' ');
	}
}

static struct str
take_value(struct arena *a, struct cur *c)
{
	struct buf b;
	struct str value;

	buf_init(&b, cur_left(c));
	lex_blank(c);
	if (cur_peek(c) == '"')
		lex_quoted(c, &b);
	else
		bare_value(c, &b);
	value = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return value;
}

/* One parameter, or what stands in its place up to the next semicolon. */
static void
take_one(struct raws *rs, struct cur *c)
{
	struct str name = cur_while(c, lex_is_token);
	struct raw r = { 0 };

	lex_blank(c);
	if (name.n == 0 || !cur_take_char(c, '=')) {
		skip_to_semicolon(c);
		return;
	}
	r.value = take_value(rs->a, c);
	if (split_name(arena_lower(rs->a, name), &r))
		rs->list[rs->n++] = r;
}

static void
take_all(struct raws *rs, struct cur *c)
{
	for (;;) {
		lex_blank(c);
		while (cur_take_char(c, ';'))
			lex_blank(c);
		if (cur_peek(c) < 0 || rs->n == PARAM_MAX)
			return;
		take_one(rs, c);
	}
}

static int
hex(char c)
{
	c = ascii_lower(c);
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
percent_decode(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		int high = i + 2 < s.n && s.p[i] == '%' ? hex(s.p[i + 1]) : -1;
		int low = high >= 0 ? hex(s.p[i + 2]) : -1;

		if (low >= 0) {
			buf_add_char(out, (char)(high << 4 | low));
			i += 2;
		} else {
			buf_add_char(out, s.p[i]);
		}
	}
}

static void
percent_encode(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (lex_is_token(c) && c != '*' && c != '\'' && c != '%')
			buf_add_char(out, c);
		else
			buf_addf(out, "%%%02X", (unsigned)(unsigned char)c);
	}
}

/* Takes charset'language' off an initial value; without the two quotes the value has neither. */
static struct str
take_charset(struct str value, struct str *charset, struct str *language)
{
	size_t first = str_find(value, '\'');
	struct str rest = str_sub(value, first + 1, value.n);
	size_t second = str_find(rest, '\'');

	*charset = *language = str_sub(value, 0, 0);
	if (first == value.n || second == rest.n)
		return value;
	*charset = str_sub(value, 0, first);
	*language = str_sub(rest, 0, second);
	return str_sub(rest, second + 1, rest.n);
}

static void
emit(struct raws *rs, struct str name, struct str value)
{
	struct param *p;

	for (p = rs->first; p != NULL; p = p->next)
		if (str_eq(p->name, name))
			return;
	p = ARENA_NEW(rs->a, struct param);
	p->name = name;
	p->value = value;
	*rs->tail = p;
	rs->tail = &p->next;
}

/* The bytes of the sections in the charset of the first, as RFC 2231 text in UTF-8. */
static void
emit_extended(struct raws *rs, struct raw *const *parts, size_t n)
{
	struct str charset, language;
	struct str value = take_charset(parts[0]->value, &charset, &language);
	struct buf bytes, utf8, text;

	buf_init(&bytes, SIZE_MAX / 16);
	buf_init(&utf8, SIZE_MAX / 16);
	buf_init(&text, SIZE_MAX / 16);
	for (size_t i = 0; i < n; i++) {
		if (parts[i]->extended)
			percent_decode(&bytes, i == 0 ? value : parts[i]->value);
		else
			buf_add(&bytes, parts[i]->value);
	}
	charset_to_utf8(&utf8, charset, buf_str(&bytes));
	buf_add(&text, STR("utf-8'"));
	percent_encode(&text, language);
	buf_add_char(&text, '\'');
	percent_encode(&text, buf_str(&utf8));
	emit(rs, arena_strf(rs->a, "%.*s*", STR_ARG(parts[0]->base)), arena_str(rs->a, buf_str(&text)));
	buf_fini(&bytes);
	buf_fini(&utf8);
	buf_fini(&text);
}

static void
emit_joined(struct raws *rs, struct raw *const *parts, size_t n)
{
	struct buf b;

	buf_init(&b, SIZE_MAX / 16);
	for (size_t i = 0; i < n; i++)
		buf_add(&b, parts[i]->value);
	emit(rs, parts[0]->base, arena_str(rs->a, buf_str(&b)));
	buf_fini(&b);
}

static struct raw *
find_section(struct raws *rs, struct str base, int section)
{
	for (size_t i = 0; i < rs->n; i++)
		if (rs->list[i].section == section && str_eq(rs->list[i].base, base))
			return &rs->list[i];
	return NULL;
}

/* All sections of a continuation, in the order of their numbers; what follows a gap is lost (RFC 2231 3). */
static void
emit_sections(struct raws *rs, struct str base)
{
	struct raw *parts[PARAM_MAX];
	struct raw *r;
	size_t n = 0;
	bool extended = false;

	while (n < PARAM_MAX && (r = find_section(rs, base, (int)n)) != NULL) {
		extended = extended || r->extended;
		parts[n++] = r;
	}
	for (size_t i = 0; i < rs->n; i++)
		if (rs->list[i].section >= 0 && str_eq(rs->list[i].base, base))
			rs->list[i].done = true;
	if (n == 0)
		return;
	if (extended)
		emit_extended(rs, parts, n);
	else
		emit_joined(rs, parts, n);
}

static struct param *
take_params(struct arena *a, struct cur *c)
{
	struct raws rs = { .a = a };

	rs.tail = &rs.first;
	take_all(&rs, c);
	for (size_t i = 0; i < rs.n; i++) {
		struct raw *r = &rs.list[i];

		if (r->done)
			continue;
		if (r->section >= 0)
			emit_sections(&rs, r->base);
		else if (r->extended)
			emit_extended(&rs, &r, 1);
		else
			emit(&rs, r->base, r->value);
	}
	return rs.first;
}

bool
param_parse_type(struct arena *a, struct str value, struct str *type, struct str *subtype,
    const struct param **params)
{
	struct cur c = cur_init(value);
	struct str main, sub;

	lex_blank(&c);
	main = cur_while(&c, lex_is_token);
	lex_blank(&c);
	if (main.n == 0 || !cur_take_char(&c, '/'))
		return false;
	lex_blank(&c);
	sub = cur_while(&c, lex_is_token);
	if (sub.n == 0)
		return false;
	*type = arena_lower(a, main);
	*subtype = arena_lower(a, sub);
	*params = take_params(a, &c);
	return true;
}

bool
param_parse_token(struct arena *a, struct str value, struct str *token, const struct param **params)
{
	struct cur c = cur_init(value);
	struct str t;

	lex_blank(&c);
	t = cur_while(&c, lex_is_token);
	if (t.n == 0)
		return false;
	*token = arena_lower(a, t);
	*params = take_params(a, &c);
	return true;
}

const struct param *
param_find(const struct param *list, struct str name)
{
	const struct param *plain = NULL;

	for (; list != NULL; list = list->next) {
		if (list->name.n == name.n + 1 && list->name.p[name.n] == '*' && str_starts(list->name, name))
			return list;
		if (plain == NULL && str_eq(list->name, name))
			plain = list;
	}
	return plain;
}

void
param_decode(struct buf *out, const struct param *p)
{
	struct str charset, language, value;
	struct buf bytes;

	if (p->name.n == 0 || p->name.p[p->name.n - 1] != '*') {
		word_decode(out, p->value);
		return;
	}
	value = take_charset(p->value, &charset, &language);
	buf_init(&bytes, p->value.n);
	percent_decode(&bytes, value);
	charset_to_utf8(out, charset, buf_str(&bytes));
	buf_fini(&bytes);
}
