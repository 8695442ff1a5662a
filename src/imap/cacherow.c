/* cacherow.c - making and reading the row of a message. */
#include "cacherow.h"

#include <string.h>

#include <postern/core/utf8.h>
#include <postern/message/crlf.h>
#include <postern/message/imapdata.h>

#include "mailkeys.h"
#include "preview.h"

enum { VERSION = 0xb3 };

struct head {
	uint8_t version;
	uint16_t preview;
	uint32_t lines;
};
enum { HEAD = 7 }; /* octets of it */

static void
add_head(struct buf *out, size_t preview, size_t lines)
{
	struct head h = { VERSION, (uint16_t)preview, (uint32_t)lines };

	buf_add(out, str_from(&h.version, sizeof(h.version)));
	buf_add(out, str_from(&h.preview, sizeof(h.preview)));
	buf_add(out, str_from(&h.lines, sizeof(h.lines)));
}

static bool
read_head(struct str row, struct head *h)
{
	if (row.n < HEAD)
		return false;
	memcpy(&h->version, row.p, sizeof(h->version));
	memcpy(&h->preview, row.p + 1, sizeof(h->preview));
	memcpy(&h->lines, row.p + 3, sizeof(h->lines));
	return h->version == VERSION && row.n - HEAD >= (size_t)h->preview + h->lines;
}

/* As IMAP shows it. A file that cannot be read any more has no lines; the next reader will find that out. */
static void
add_lines(struct buf *out, const struct mime *tree, int fd, bool lf)
{
	uint64_t size = tree->root->header_size;
	struct crlf_reader reader;
	struct buf header;

	buf_init(&header, HEADLINES_HEADER_MAX);
	crlf_reader_init(&reader, fd, lf);
	crlf_read(&reader, 0, size < HEADLINES_HEADER_MAX ? (size_t)size : HEADLINES_HEADER_MAX, &header);
	headlines_write(out, buf_str(&header));
	buf_fini(&header);
}

void
cacherow_write(struct store_made *made, const struct mime *tree, int fd, bool lf)
{
	struct buf preview, lines;
	struct headlines h;

	buf_init(&preview, SIZE_MAX);
	buf_init(&lines, SIZE_MAX);
	preview_make(&preview, tree, fd, lf);
	add_lines(&lines, tree, fd, lf);
	headlines_read(buf_str(&lines), &h);
	add_head(&made->row, preview.n, lines.n);
	buf_add(&made->row, buf_str(&preview));
	buf_add(&made->row, buf_str(&lines));
	imapdata_write(&made->row, tree, h.items);
	mailkeys_write(&made->keys, tree->root->envelope);
	buf_fini(&preview);
	buf_fini(&lines);
}

bool
cacherow_read(struct str row, struct cacherow *r)
{
	struct head h;

	if (!read_head(row, &h))
		return false;
	row = str_sub(row, HEAD, row.n);
	r->preview = str_sub(row, 0, h.preview);
	r->data = str_sub(row, (size_t)h.preview + h.lines, row.n);
	return headlines_read(str_sub(row, h.preview, (size_t)h.preview + h.lines), &r->lines) && utf8_valid(r->preview)
	    && !str_has(r->preview, '\0');
}

const struct mime *
cacherow_tree(struct arena *a, const struct cacherow *r)
{
	return imapdata_read(a, r->data, r->lines.items);
}

const struct mime_envelope *
cacherow_envelope(struct arena *a, const struct cacherow *r)
{
	return imapdata_read_envelope(a, r->data, r->lines.items);
}
