/* out_body.c - a message's bytes as they go over the wire. */
#include "out_body.h"

void
out_body_begin(struct out_body *b, enum out_body_form form)
{
	*b = (struct out_body){ .form = form };
}

static void
end_line(struct out_body *b, struct buf *out)
{
	buf_add(out, STR("\r\n"));
	b->inside = false;
}

/* The CR that was held back: half a line end, or a bare one. Takes the LF. */
static void
resolve_cr(struct out_body *b, struct buf *out, struct str *bytes)
{
	b->cr = false;
	if (bytes->n > 0 && bytes->p[0] == '\n') {
		*bytes = str_sub(*bytes, 1, bytes->n);
		end_line(b, out);
		return;
	}
	buf_add_char(out, ' ');
	b->inside = true;
}

/* Bytes without CR and LF. */
static void
add_text(struct out_body *b, struct buf *out, struct str text)
{
	if (text.n == 0)
		return;
	if (!b->inside && b->form == OUT_BODY_DATA && text.p[0] == '.')
		buf_add_char(out, '.');
	buf_add(out, text);
	b->inside = true;
}

/* Up to and with the next CR or LF. */
static void
add_some(struct out_body *b, struct buf *out, struct str *bytes)
{
	size_t lf = str_find(*bytes, '\n');
	size_t cr = str_find(str_sub(*bytes, 0, lf), '\r');

	add_text(b, out, str_sub(*bytes, 0, cr));
	if (cr < lf)
		b->cr = true;
	else if (lf < bytes->n)
		end_line(b, out);
	*bytes = str_sub(*bytes, cr + 1, bytes->n);
}

void
out_body_add(struct out_body *b, struct buf *out, struct str bytes)
{
	if (b->form == OUT_BODY_RAW) {
		buf_add(out, bytes);
		return;
	}
	while (bytes.n > 0) {
		if (b->cr)
			resolve_cr(b, out, &bytes);
		if (bytes.n > 0)
			add_some(b, out, &bytes);
	}
}

void
out_body_end(struct out_body *b, struct buf *out)
{
	struct str nothing = { 0 };

	if (b->form == OUT_BODY_RAW)
		return;
	if (b->cr)
		resolve_cr(b, out, &nothing);
	if (b->inside)
		end_line(b, out);
	if (b->form == OUT_BODY_DATA)
		buf_add(out, STR(".\r\n"));
}
