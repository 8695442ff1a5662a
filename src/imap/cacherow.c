/* cacherow.c - a version, the length of the preview in two octets, the preview, the structure. */
#include "cacherow.h"

#include <postern/core/utf8.h>
#include <postern/message/imapdata.h>

#include "preview.h"

enum { VERSION = 0xb1, HEAD = 3 };

void
cacherow_write(struct buf *out, const struct mime *tree, int fd, bool lf)
{
	struct buf preview;

	buf_init(&preview, SIZE_MAX);
	preview_make(&preview, tree, fd, lf);
	buf_add_char(out, (char)VERSION);
	buf_add_char(out, (char)(preview.n >> 8));
	buf_add_char(out, (char)preview.n);
	buf_add(out, buf_str(&preview));
	imapdata_write(out, tree);
	buf_fini(&preview);
}

bool
cacherow_read(struct str row, struct str *preview, struct str *data)
{
	size_t n;

	if (row.n < HEAD || (unsigned char)row.p[0] != VERSION)
		return false;
	n = (size_t)(unsigned char)row.p[1] << 8 | (unsigned char)row.p[2];
	*preview = str_sub(row, HEAD, HEAD + n);
	*data = str_sub(row, HEAD + n, row.n);
	return row.n >= HEAD + n && utf8_valid(*preview) && !str_has(*preview, '\0');
}
