/* search_text.c - looking for strings in header text and, streaming, in whole messages (RFC 9051 6.4.4, BODY and TEXT).
 *
 * BODY looks into the text parts, decoded and converted to UTF-8; TEXT into all headers as well. Both sides are folded
 * (charset_fold), so that comparing is looking for bytes. */
#include "search.h"

#include <postern/message/header.h>
#include <postern/message/param.h>
#include <postern/message/word.h>

bool
search_contains(struct str text, struct str needle)
{
	return needle.n == 0 || (text.n >= needle.n && memmem(text.p, text.n, needle.p, needle.n) != NULL);
}

void
search_fold_text(struct buf *out, struct str raw)
{
	struct buf utf8;

	buf_init(&utf8, SIZE_MAX);
	word_decode(&utf8, raw);
	charset_fold(out, buf_str(&utf8));
	buf_fini(&utf8);
}

static bool
is_text_key(const struct search_key *k)
{
	return str_eq(k->row->name, STR("TEXT"));
}

static bool
is_missing(const struct search_text *t, unsigned i)
{
	return !(t->found >> i & 1) && (!t->headers || is_text_key(t->keys[i]));
}

/* Nothing better can come. */
static bool
is_settled(const struct search_text *t, const struct fuzzy *f)
{
	return fuzzy_score(f) >= (t->scored ? FUZZY_BEST : 1);
}

static bool
finds(const struct search_text *t, const struct search_key *k, struct str text)
{
	if (k->fuzzy == NULL)
		return search_contains(text, k->needle);
	fuzzy_look(k->fuzzy, text);
	return is_settled(t, k->fuzzy);
}

static void
see_word(void *ctx, const uint32_t *letter, size_t n)
{
	struct search_text *t = ctx;

	for (unsigned i = 0; i < t->n; i++)
		if (t->keys[i]->fuzzy != NULL && is_missing(t, i))
			fuzzy_see_word(t->keys[i]->fuzzy, letter, n);
}

/* Looks for every needle that is still missing. fresh: where the text goes on from what was looked at before. */
static void
look(struct search_text *t, struct str text, size_t fresh, bool last)
{
	if (t->grams != NULL)
		t->enough = !gram_set_feed(t->grams, text);
	if (t->fuzzy)
		fuzzy_words_feed(&t->words, str_sub(text, fresh, text.n), see_word, t);
	if (t->fuzzy && last)
		fuzzy_words_end(&t->words, see_word, t);
	for (unsigned i = 0; i < t->n; i++)
		if (is_missing(t, i) && finds(t, t->keys[i], text))
			t->found |= (uint64_t)1 << i;
}

static bool
found_all(const struct search_text *t)
{
	if (t->grams != NULL)
		return t->enough;
	return t->found == (t->n == SEARCH_TEXTS_MAX ? UINT64_MAX : ((uint64_t)1 << t->n) - 1);
}

/* --- headers --- */

static void
look_into_field(struct search_text *t, const struct header_field *f)
{
	struct buf text;

	buf_init(&text, SIZE_MAX);
	charset_fold(&text, f->name);
	buf_add_cstr(&text, ": ");
	search_fold_text(&text, f->value);
	if (t->grams != NULL)
		gram_set_text(t->grams);
	look(t, buf_str(&text), 0, true);
	buf_fini(&text);
}

static bool
wants_headers(const struct search_text *t)
{
	if (t->grams != NULL)
		return true;
	for (unsigned i = 0; i < t->n; i++)
		if (is_text_key(t->keys[i]) && !(t->found >> i & 1))
			return true;
	return false;
}

/* The header of the part under way. */
static bool
look_into_header(struct search_text *t, struct letter *letter)
{
	size_t most = search_reach(t->n) < SEARCH_HEADER_MAX ? search_reach(t->n) : SEARCH_HEADER_MAX;
	uint64_t size = t->part->header_size < most ? t->part->header_size : most;
	struct header_walk w;
	struct header_field f;
	struct buf header;
	bool ok;

	if (size == 0 || !wants_headers(t))
		return true;
	buf_init(&header, SIZE_MAX);
	ok = letter_read(letter, t->part->header_at, (size_t)size, &header);
	w = header_begin(buf_str(&header));
	t->headers = true;
	while (header_next(&w, &f))
		look_into_field(t, &f);
	t->headers = false;
	buf_fini(&header);
	return ok;
}

/* --- bodies --- */

static void
end_body(struct search_text *t)
{
	charset_reader_free(t->charset);
	t->charset = NULL;
	t->in_body = false;
	buf_fini(&t->window);
}

static void
next_part(struct search_text *t)
{
	t->part = mime_next(t->part);
}

static void
begin_body(struct search_text *t)
{
	const struct param *charset = param_find(t->part->params, STR("charset"));

	decoder_init(&t->decoder, encoding_of(t->part->encoding));
	t->charset = charset_reader_new(charset != NULL ? charset->value : STR("us-ascii"));
	t->at = 0;
	t->in_body = true;
	buf_clear(&t->window);
	if (t->grams != NULL)
		gram_set_text(t->grams);
}

/* New decoded octets: they are looked at together with the end of what came before them. */
static void
look_into_piece(struct search_text *t, struct str decoded, bool last)
{
	size_t fresh = t->window.n;
	struct buf utf8;

	buf_init(&utf8, SIZE_MAX);
	charset_reader_feed(t->charset, decoded, &utf8);
	if (last)
		charset_reader_end(t->charset, &utf8);
	charset_fold(&t->window, buf_str(&utf8));
	buf_fini(&utf8);
	look(t, buf_str(&t->window), fresh, last);
	if (t->window.n > t->longest)
		buf_drop(&t->window, t->window.n - t->longest);
}

/* One piece of the text part under way. */
static bool
body_piece(struct search_text *t, struct letter *letter)
{
	uint64_t left = t->part->body_size - t->at;
	size_t n = left < SEARCH_PIECE ? (size_t)left : SEARCH_PIECE;
	struct buf raw;
	struct buf plain;
	bool ok;

	buf_init(&raw, SIZE_MAX);
	buf_init(&plain, SIZE_MAX);
	ok = letter_read(letter, t->part->body_at + t->at, n, &raw);
	t->at += n;
	decoder_feed(&t->decoder, buf_str(&raw), &plain);
	if (n == left)
		decoder_end(&t->decoder, &plain);
	look_into_piece(t, buf_str(&plain), n == left);
	buf_fini(&raw);
	buf_fini(&plain);
	if (n == left) {
		end_body(t);
		next_part(t);
	}
	return ok;
}

static bool
is_text_part(const struct mime_part *part)
{
	return part->kind == MIME_LEAF && str_eq(part->type, STR("text"));
}

void
search_text_begin(struct search_text *t, const struct mime *tree)
{
	if (t->charset != NULL)
		end_body(t);
	t->found = 0;
	t->words.n = 0;
	t->part = tree->root;
	for (unsigned i = 0; i < t->n; i++) {
		if (t->keys[i]->needle.n == 0)
			t->found |= (uint64_t)1 << i;
		if (t->keys[i]->fuzzy != NULL)
			fuzzy_begin(t->keys[i]->fuzzy);
		t->fuzzy |= t->keys[i]->fuzzy != NULL;
	}
}

enum step
search_text_step(struct search_text *t, struct letter *letter, bool *ok)
{
	if (t->part == NULL || found_all(t))
		return STEP_DONE;
	if (t->in_body) {
		*ok = body_piece(t, letter);
	} else {
		*ok = look_into_header(t, letter);
		if (is_text_part(t->part))
			begin_body(t);
		else
			next_part(t);
	}
	return *ok ? STEP_MORE : STEP_DONE;
}

void
search_text_fini(struct search_text *t)
{
	if (t->charset != NULL)
		end_body(t);
	buf_fini(&t->window);
}
