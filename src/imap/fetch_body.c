/* fetch_body.c - BODY[…] and its old names: a span of the message, or some fields of a header (RFC 9051 6.4.5.1).
 *
 * A span is announced as a literal and then streamed piece by piece. The announced octets have to come: a file that
 * turns out shorter in the middle ends the connection. */
#include "fetch.h"

#include <postern/message/crlf.h>

void
fetch_write_nil(struct imap_session *s)
{
	buf_add_cstr(&s->out, "NIL");
}

struct mime_span
fetch_clip(const struct fetch_item *i, struct mime_span span)
{
	if (!i->partial)
		return span;
	if (i->from >= span.size)
		return (struct mime_span){ span.at + span.size, 0 };
	span.at += i->from;
	span.size -= i->from;
	if (span.size > i->size)
		span.size = i->size;
	return span;
}

static void
write_literal_header(struct imap_session *s, uint64_t size)
{
	buf_add_char(&s->out, '{');
	buf_add_u64(&s->out, size);
	buf_add_cstr(&s->out, "}\r\n");
}

/* RFC 9051 9, CHAR8: no NUL in a literal. */
static enum step
stream_step(struct imap_session *s, struct fetch *f)
{
	struct fetch_stream *t = &f->stream;
	size_t n = t->left < FETCH_PIECE ? (size_t)t->left : FETCH_PIECE;
	size_t before = s->out.n;

	if (!letter_read(&f->letter, t->at, n, &s->out)) {
		session_abort(s, "a message file is shorter than it was");
		return STEP_WAIT;
	}
	crlf_mask_nul(s->out.p + before, n);
	t->at += n;
	t->left -= n;
	return t->left > 0 ? STEP_MORE : STEP_DONE;
}

static enum fetch_went
stream_span(struct imap_session *s, struct fetch *f, struct mime_span span)
{
	write_literal_header(s, span.size);
	if (span.size == 0)
		return FETCH_WRITTEN;
	f->stream = (struct fetch_stream){ .step = stream_step, .at = span.at, .left = span.size };
	return FETCH_STREAMS;
}

static void
write_clipped(struct imap_session *s, const struct fetch_item *i, struct buf *fields)
{
	struct mime_span span = fetch_clip(i, (struct mime_span){ 0, fields->n });

	crlf_mask_nul(fields->p, fields->n);
	write_literal_header(s, span.size);
	buf_add(&s->out, str_sub(buf_str(fields), span.at, span.at + span.size));
}

static void
write_kept_lines(struct imap_session *s, const struct headlines *lines, const struct fetch_item *i)
{
	struct buf fields;

	buf_init(&fields, SIZE_MAX);
	headlines_select(&fields, lines, i->lines);
	write_clipped(s, i, &fields);
	buf_fini(&fields);
}

/* The header is read at once; what lies beyond HEADLINES_HEADER_MAX is not looked at. */
static void
write_fields(struct imap_session *s, struct fetch *f, const struct fetch_item *i, struct mime_span span)
{
	struct buf header;
	struct buf fields;
	size_t n = span.size < HEADLINES_HEADER_MAX ? (size_t)span.size : HEADLINES_HEADER_MAX;

	buf_init(&header, SIZE_MAX);
	buf_init(&fields, SIZE_MAX);
	if (letter_read(&f->letter, span.at, n, &header)) {
		header_select(&fields, buf_str(&header), i->section.fields == FIELDS_ONLY ? HEADER_ONLY : HEADER_EXCEPT,
		    i->section.names, i->section.nnames);
		write_clipped(s, i, &fields);
	} else {
		f->failed = true;
		fetch_write_nil(s);
	}
	buf_fini(&header);
	buf_fini(&fields);
}

/* Where the section is; false: there is no such section. */
static bool
find_span(const struct fetch *f, const struct fetch_item *i, struct mime_span *span)
{
	const struct fetch_section *sec = &i->section;

	if (!(i->flags & (FETCH_TREE | FETCH_LINES))) {
		*span = (struct mime_span){ 0, f->letter.size };
		return true;
	}
	return mime_section(f->letter.tree, sec->number, sec->depth, sec->what, span);
}

enum fetch_went
fetch_write_body(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	struct mime_span span;

	if (i->flags & FETCH_LINES && letter_keeps(&f->letter, i->lines)) {
		write_kept_lines(s, &f->letter.row.lines, i);
		return FETCH_WRITTEN;
	}
	if (f->letter.fd == -1 || !find_span(f, i, &span)) {
		fetch_write_nil(s);
		return FETCH_WRITTEN;
	}
	if (!letter_holds(&f->letter, span.at, span.size)) {
		f->failed = true;
		fetch_write_nil(s);
		return FETCH_WRITTEN;
	}
	if (i->section.fields != FIELDS_ALL) {
		write_fields(s, f, i, span);
		return FETCH_WRITTEN;
	}
	return stream_span(s, f, fetch_clip(i, span));
}
