/* word.c - encoded words: RFC 2047. */
#include <postern/message/word.h>

#include <postern/core/base64.h>
#include <postern/core/utf8.h>
#include <postern/message/charset.h>
#include <postern/message/encoding.h>
#include <postern/message/header.h>

#include "lex.h"

enum {
	CHARSET_MAX = 64,  /* octets of a charset name with its language */
	TEXT_MAX = 48,     /* octets of encoded text we make: a word stays far below 75, for the field name before it */
};

/* One encoded word as found. */
struct word {
	struct str charset;
	char encoding; /* 'b' or 'q' */
	struct str text;
	size_t size;   /* from "=?" to "?=" */
};

/* Where a text comes next: looked for at most once per byte, so that decoding stays linear. */
struct next {
	struct str what;
	size_t at;
	bool known;
};

struct decoding {
	struct str in;       /* unfolded */
	struct next end;     /* "?=" */
	struct next begin;   /* " =?" */
	struct buf *out;
	struct buf bytes;    /* of adjacent words in one charset, not yet converted */
	struct str charset;
};

static bool
is_charset(char c)
{
	return ascii_is_print(c) && c != ' ' && c != '?' && c != '=';
}

static size_t
find_next(const struct decoding *d, struct next *x, size_t from)
{
	if (!x->known || x->at < from)
		x->at = from + str_search(str_sub(d->in, from, d->in.n), x->what);
	x->known = true;
	return x->at;
}

static bool
parse_word(struct decoding *d, size_t at, struct word *w)
{
	struct cur c = cur_init(str_sub(d->in, at, d->in.n));
	size_t from, end;

	if (!cur_take(&c, "=?"))
		return false;
	w->charset = cur_want_while(&c, is_charset, CHARSET_MAX, "charset");
	cur_want(&c, "?");
	w->encoding = cur_ok(&c) && cur_left(&c) > 0 ? ascii_lower(*c.p) : 0;
	cur_bytes(&c, 1);
	cur_want(&c, "?");
	if (!cur_ok(&c) || (w->encoding != 'b' && w->encoding != 'q'))
		return false;
	from = (size_t)(c.p - d->in.p);
	end = find_next(d, &d->end, from);
	w->text = str_sub(d->in, from, end);
	w->size = end + 2 - at;
	return end < d->in.n && find_next(d, &d->begin, from) > end;
}

static void
decode_q(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		bool escape = text.p[i] == '=' && hex_decode(out, str_sub(text, i + 1, i + 3)) && i + 2 < text.n;

		if (escape)
			i += 2;
		else if (text.p[i] != '=' || i + 1 < text.n)
			buf_add_char(out, text.p[i] == '_' ? ' ' : text.p[i]);
	}
}

static void
decode_b(struct buf *out, struct str text)
{
	struct decoder d;

	decoder_init(&d, ENCODING_BASE64);
	decoder_feed(&d, text, out);
	decoder_end(&d, out);
}

static void
give_bytes(struct decoding *d)
{
	if (d->bytes.n > 0)
		charset_to_utf8(d->out, d->charset, buf_str(&d->bytes));
	buf_clear(&d->bytes);
}

static void
take_word(struct decoding *d, const struct word *w)
{
	if (!str_eq_nocase(w->charset, d->charset))
		give_bytes(d);
	d->charset = w->charset;
	if (w->encoding == 'b')
		decode_b(&d->bytes, w->text);
	else
		decode_q(&d->bytes, w->text);
}

/* Text between words; only blanks between two words are dropped. */
static void
give_text(struct decoding *d, struct str text, bool between)
{
	if (between && str_trim(text).n == 0)
		return;
	give_bytes(d);
	charset_to_utf8(d->out, STR(""), text);
}

static void
decode_all(struct decoding *d)
{
	size_t at = 0;
	size_t text_from = 0;
	bool after_word = false;
	struct word w;

	for (;;) {
		at += str_search(str_sub(d->in, at, d->in.n), STR("=?"));
		if (at >= d->in.n)
			break;
		if (!parse_word(d, at, &w)) {
			at += 2;
			continue;
		}
		give_text(d, str_sub(d->in, text_from, at), after_word);
		take_word(d, &w);
		after_word = true;
		at += w.size;
		text_from = at;
	}
	give_text(d, str_sub(d->in, text_from, d->in.n), false);
}

static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_print(s.p[i]))
			return false;
	return str_search(s, STR("=?")) == s.n;
}

void
word_decode(struct buf *out, struct str raw)
{
	struct decoding d = { .out = out, .end = { .what = STR("?=") }, .begin = { .what = STR(" =?") } };
	struct buf unfolded;

	if (is_plain(raw)) {
		buf_add(out, str_trim(raw)); /* as header_unfold does: most fields need no more */
		return;
	}
	buf_init(&unfolded, raw.n);
	buf_init(&d.bytes, raw.n);
	header_unfold(&unfolded, raw);
	d.in = buf_str(&unfolded);
	decode_all(&d);
	give_bytes(&d);
	buf_fini(&d.bytes);
	buf_fini(&unfolded);
}

static bool
is_phrase_char(char c)
{
	return ascii_is_alnum(c) || strchr(" !#$%&'*+-/=?^_`{|}~", c) != NULL;
}

static void
add_plain(struct buf *out, struct str s, enum word_place where)
{
	for (size_t i = 0; where == WORD_PHRASE && i < s.n; i++) {
		if (!is_phrase_char(s.p[i])) {
			buf_add_quoted(out, s);
			return;
		}
	}
	buf_add(out, s);
}

/* RFC 2047 5 (3): what may stand for itself in Q, in a phrase too. */
static bool
is_q_char(char c)
{
	return ascii_is_alnum(c) || strchr("!*+-/", c) != NULL;
}

static void
add_q(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == ' ')
			buf_add_char(out, '_');
		else if (c != '\0' && is_q_char(c))
			buf_add_char(out, c);
		else
			buf_addf(out, "=%02X", (unsigned)(unsigned char)c);
	}
}

static size_t
q_size(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == ' ' || (s.p[i] != '\0' && is_q_char(s.p[i])) ? 1 : 3;
	return n;
}

static size_t
b_size(struct str s)
{
	return (s.n + 2) / 3 * 4;
}

/* As many whole characters as fit into one word. */
static size_t
fitting(struct str s, size_t (*size)(struct str))
{
	size_t n = 0;
	size_t used;
	uint32_t code;

	while (utf8_next(str_sub(s, n, s.n), &code, &used)) {
		if (n > 0 && size(str_sub(s, 0, n + used)) > TEXT_MAX)
			break;
		n += used;
	}
	return n;
}

static void
add_words(struct buf *out, struct str s)
{
	bool q = q_size(s) <= b_size(s);

	while (s.n > 0) {
		size_t n = fitting(s, q ? q_size : b_size);

		buf_add(out, q ? STR("=?utf-8?q?") : STR("=?utf-8?b?"));
		if (q)
			add_q(out, str_sub(s, 0, n));
		else
			base64_add(out, str_sub(s, 0, n));
		buf_add(out, STR("?="));
		s = str_sub(s, n, s.n);
		if (s.n > 0)
			buf_add(out, STR("\r\n "));
	}
}

void
word_encode(struct buf *out, struct str utf8, enum word_place where)
{
	struct buf valid;

	if (is_plain(utf8)) {
		add_plain(out, utf8, where);
		return;
	}
	buf_init(&valid, utf8.n * 3);
	charset_to_utf8(&valid, STR("utf-8"), utf8);
	add_words(out, buf_str(&valid));
	buf_fini(&valid);
}
