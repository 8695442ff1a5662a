/* sort_bytes.c - what a message is sorted by, as bytes: results of contexts are compared without their messages, which may be
 * gone (context.h). */
#include "sort.h"

enum { SIGN_BIT = 0x80 };

/* The sign first, then the largest digit. */
static void
write_number(struct buf *out, int64_t value)
{
	uint64_t u = (uint64_t)value;
	char bytes[sizeof(u)];

	for (size_t i = 0; i < sizeof(u); i++)
		bytes[i] = (char)(u >> (8 * (sizeof(u) - 1 - i)) & 0xff);
	bytes[0] = (char)(bytes[0] ^ SIGN_BIT);
	buf_add(out, str_from(bytes, sizeof(bytes)));
}

/* The end is less than any octet of a longer text: NUL NUL, and a NUL in the text is NUL 0xff. */
static void
write_text(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		buf_add_char(out, text.p[i]);
		if (text.p[i] == '\0')
			buf_add_char(out, '\xff');
	}
	buf_add_char(out, '\0');
	buf_add_char(out, '\0');
}

static void
write_value(struct buf *out, const struct sort *o, const struct sort_row *row, const struct store_message *m,
    const struct mailkeys *k)
{
	if (row->number != NULL)
		write_number(out, row->number(o, m, k));
	else
		write_text(out, k->text[row->text]);
}

void
sort_write_key(const struct sort *o, const struct store_message *m, const struct mailkeys *k, struct buf *out)
{
	for (size_t i = 0; i < o->nby; i++) {
		size_t from = out->n;

		write_value(out, o, o->by[i].row, m, k);
		for (size_t at = from; o->by[i].reverse && at < out->n; at++)
			out->p[at] = (char)~out->p[at];
	}
}
