/* fetch_binary.c - BINARY[…] and BINARY.SIZE[…]: a part without its transfer encoding (RFC 3516 4, RFC 9051 6.4.5).
 *
 * The size has to be announced before the bytes, so the part is decoded twice: once to count, once to write, both in
 * steps. Without a NUL the answer is a literal, with one a literal8. */
#include "fetch.h"

static bool
is_text(const struct mime_part *part)
{
	const struct param *charset = param_find(part->params, STR("charset"));

	if (!str_eq(part->type, STR("text")))
		return false;
	return charset == NULL || !(str_starts_nocase(charset->value, STR("utf-16"))
		|| str_starts_nocase(charset->value, STR("utf-32")) || str_starts_nocase(charset->value, STR("ucs")));
}

/* Text lines end in CRLF whatever was encoded (RFC 3516 4.3). */
static void
add_with_crlf(struct fetch_stream *t, struct str in, struct buf *out)
{
	for (size_t n = 0; n < in.n; n++) {
		if (in.p[n] == '\n' && !t->after_cr)
			buf_add_char(out, '\r');
		buf_add_char(out, in.p[n]);
		t->after_cr = in.p[n] == '\r';
	}
}

/* The next decoded octets; false when the file cannot be read. */
static bool
decode_piece(struct fetch *f, struct buf *out)
{
	struct fetch_stream *t = &f->stream;
	uint64_t left = t->span.at + t->span.size - t->at;
	size_t n = left < FETCH_PIECE ? (size_t)left : FETCH_PIECE;
	struct buf raw;
	struct buf plain;
	bool ok;

	buf_init(&raw, SIZE_MAX);
	buf_init(&plain, SIZE_MAX);
	ok = letter_read(&f->letter, t->at, n, &raw);
	decoder_feed(&t->decoder, buf_str(&raw), &plain);
	t->at += n;
	if (n == left) {
		decoder_end(&t->decoder, &plain);
		t->ended = true;
	}
	if (t->to_crlf)
		add_with_crlf(t, buf_str(&plain), out);
	else
		buf_add(out, buf_str(&plain));
	buf_fini(&raw);
	buf_fini(&plain);
	return ok;
}

static void
rewind_part(struct fetch_stream *t)
{
	decoder_init(&t->decoder, t->decoder.encoding);
	t->at = t->span.at;
	t->after_cr = false;
	t->ended = false;
}

/* The wanted octets of one decoded piece. */
static void
write_piece(struct imap_session *s, struct fetch_stream *t, struct str piece)
{
	size_t skip = t->skip < piece.n ? (size_t)t->skip : piece.n;
	struct str wanted = str_sub(piece, skip, piece.n);

	t->skip -= skip;
	if (wanted.n > t->left)
		wanted.n = (size_t)t->left;
	buf_add(&s->out, wanted);
	t->left -= wanted.n;
}

static enum step
write_step(struct imap_session *s, struct fetch *f)
{
	struct buf piece;
	bool ok;

	buf_init(&piece, SIZE_MAX);
	ok = decode_piece(f, &piece);
	write_piece(s, &f->stream, buf_str(&piece));
	buf_fini(&piece);
	if (!ok || (f->stream.ended && f->stream.left > 0)) {
		session_abort(s, "a message file changed while it was read");
		return STEP_WAIT;
	}
	return f->stream.left > 0 ? STEP_MORE : STEP_DONE;
}

/* All is counted: announce the literal. */
static enum step
announce(struct imap_session *s, struct fetch *f)
{
	struct fetch_stream *t = &f->stream;
	struct mime_span wanted = fetch_clip(&f->items[f->item - 1], (struct mime_span){ 0, t->decoded });

	buf_add_cstr(&s->out, t->has_nul ? "~{" : "{");
	buf_add_u64(&s->out, wanted.size);
	buf_add_cstr(&s->out, "}\r\n");
	t->skip = wanted.at;
	t->left = wanted.size;
	t->step = write_step;
	rewind_part(t);
	return t->left > 0 ? STEP_MORE : STEP_DONE;
}

/* Counts one piece; DONE when the part is at its end. */
static enum step
count_piece(struct fetch *f)
{
	struct buf piece;
	bool ok;

	buf_init(&piece, SIZE_MAX);
	ok = decode_piece(f, &piece);
	f->stream.decoded += piece.n;
	f->stream.has_nul = f->stream.has_nul || str_has(buf_str(&piece), '\0');
	buf_fini(&piece);
	if (!ok)
		f->failed = true;
	return ok && !f->stream.ended ? STEP_MORE : STEP_DONE;
}

static enum step
count_step(struct imap_session *s, struct fetch *f)
{
	if (count_piece(f) == STEP_MORE)
		return STEP_MORE;
	if (!f->failed)
		return announce(s, f);
	fetch_write_nil(s);
	return STEP_DONE;
}

static enum step
size_step(struct imap_session *s, struct fetch *f)
{
	if (count_piece(f) == STEP_MORE)
		return STEP_MORE;
	buf_add_u64(&s->out, f->stream.decoded);
	return STEP_DONE;
}

/* The part and how it is encoded. False: no such part, or an encoding nobody knows. */
static bool
begin_part(struct fetch *f, const struct fetch_item *i)
{
	struct fetch_stream *t = &f->stream;
	const struct mime_part *part = mime_find(f->letter.tree, i->section.number, i->section.depth);
	enum encoding encoding = ENCODING_BINARY;

	if (part == NULL || f->letter.fd == -1)
		return false;
	*t = (struct fetch_stream){ .span = { part->body_at, part->body_size } };
	if (i->section.depth == 0) {
		t->span = (struct mime_span){ 0, f->letter.size };
	} else if (part->kind != MIME_MULTIPART) {
		encoding = encoding_of(part->encoding);
		t->to_crlf = is_text(part) && encoding != ENCODING_UNKNOWN;
	}
	f->unknown_cte = f->unknown_cte || encoding == ENCODING_UNKNOWN;
	if (!letter_holds(&f->letter, t->span.at, t->span.size))
		f->failed = true;
	if (encoding == ENCODING_UNKNOWN || !letter_holds(&f->letter, t->span.at, t->span.size))
		return false;
	t->decoder.encoding = encoding;
	rewind_part(t);
	return true;
}

enum fetch_went
fetch_write_binary(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	if (!begin_part(f, i)) {
		fetch_write_nil(s);
		return FETCH_WRITTEN;
	}
	f->stream.step = count_step;
	return FETCH_STREAMS;
}

enum fetch_went
fetch_write_binary_size(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	if (!begin_part(f, i)) {
		buf_add_char(&s->out, '0');
		return FETCH_WRITTEN;
	}
	f->stream.step = size_step;
	return FETCH_STREAMS;
}
