/* preview.c - which part a preview is made of, and what of its text is shown (RFC 8970 3.2, 3.3). */
#include "preview.h"

#include <postern/core/utf8.h>
#include <postern/message/charset.h>
#include <postern/message/crlf.h>
#include <postern/message/encoding.h>

static bool
is_shown(const struct mime_part *part, struct str subtype)
{
	return part->kind == MIME_LEAF && str_eq(part->type, STR("text")) && str_eq(part->subtype, subtype)
	    && !str_eq(part->disposition, STR("attachment"));
}

static const struct mime_part *
find_text(const struct mime *tree, struct str subtype)
{
	for (const struct mime_part *p = tree->root; p != NULL; p = mime_next(p))
		if (is_shown(p, subtype))
			return p;
	return NULL;
}

/* The beginning of the part, decoded, in UTF-8. */
static void
read_text(struct buf *out, const struct mime_part *part, int fd, bool lf)
{
	const struct param *charset = param_find(part->params, STR("charset"));
	struct crlf_reader reader;
	struct decoder decoder;
	struct buf raw, plain;

	buf_init(&raw, SIZE_MAX);
	buf_init(&plain, SIZE_MAX);
	crlf_reader_init(&reader, fd, lf);
	decoder_init(&decoder, encoding_of(part->encoding));
	crlf_read(
	    &reader, part->body_at, part->body_size < PREVIEW_READ ? (size_t)part->body_size : PREVIEW_READ, &raw);
	decoder_feed(&decoder, buf_str(&raw), &plain);
	decoder_end(&decoder, &plain);
	charset_to_utf8(out, charset != NULL ? charset->value : STR("us-ascii"), buf_str(&plain));
	buf_fini(&raw);
	buf_fini(&plain);
}

/* --- characters --- */

struct shown {
	struct buf *out;
	unsigned characters;
	bool space; /* one is due before the next character */
};

static bool
is_blank(struct str character)
{
	static const struct str others[] = { STR_INIT("\xc2\xa0"), STR_INIT("\xe2\x80\x8b"), STR_INIT("\xef\xbb\xbf") };

	if (character.n == 1)
		return (unsigned char)character.p[0] <= ' ' || character.p[0] == 0x7f;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (str_eq(character, others[i]))
			return true;
	return false;
}

/* The first character of valid UTF-8. */
static struct str
first_character(struct str s)
{
	size_t n = 1;

	while (n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n++;
	return str_sub(s, 0, n);
}

static void
show(struct shown *w, struct str text)
{
	while (text.n > 0 && w->characters < PREVIEW_CHARACTERS) {
		struct str c = first_character(text);

		text = str_sub(text, c.n, text.n);
		if (is_blank(c)) {
			w->space = w->out->n > 0;
			continue;
		}
		if (w->space && ++w->characters < PREVIEW_CHARACTERS)
			buf_add_char(w->out, ' ');
		w->space = false;
		if (w->characters++ < PREVIEW_CHARACTERS)
			buf_add(w->out, c);
	}
}

/* Line by line: what others wrote and the signature (RFC 3676 4.3) say nothing about this message. */
static void
show_lines(struct shown *w, struct str text)
{
	struct str line;

	while (str_cut(&text, '\n', &line)) {
		if (str_ends(line, STR("\r")))
			line.n--;
		if (str_eq(line, STR("-- ")))
			return;
		if (!str_starts(line, STR(">")))
			show(w, line);
		w->space = w->out->n > 0;
	}
}

static void
make_from(struct shown *w, const struct mime_part *part, int fd, bool lf)
{
	struct buf text, stripped;

	buf_init(&text, SIZE_MAX);
	buf_init(&stripped, SIZE_MAX);
	read_text(&text, part, fd, lf);
	if (str_eq(part->subtype, STR("html"))) {
		preview_strip_html(&stripped, buf_str(&text));
		show(w, buf_str(&stripped));
	} else {
		show_lines(w, buf_str(&text));
	}
	buf_fini(&text);
	buf_fini(&stripped);
}

void
preview_make(struct buf *out, const struct mime *tree, int fd, bool lf)
{
	static const struct str subtypes[] = { STR_INIT("plain"), STR_INIT("html") };
	struct buf text;
	struct shown w = { .out = &text };

	buf_init(&text, SIZE_MAX);
	for (size_t i = 0; i < sizeof(subtypes) / sizeof(*subtypes) && text.n == 0; i++) {
		const struct mime_part *part = find_text(tree, subtypes[i]);

		if (part != NULL)
			make_from(&w, part, fd, lf);
	}
	buf_add(out, buf_str(&text));
	buf_fini(&text);
}
