/* store_cache.c - the cache record of a message: read once, in pieces, by a sync thread. */
#include "store_cache.h"

#include <errno.h>
#include <unistd.h>

#include <postern/message/imapdata.h>
#include <postern/message/mime.h>

enum { PIECE = 64 * 1024 };

static bool
feed_file(struct mime_parser *p, int fd, uint64_t size)
{
	char piece[PIECE];
	uint64_t at = 0;

	while (at < size) {
		ssize_t n = pread(fd, piece, sizeof piece, (off_t)at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		mime_parser_feed(p, str_from(piece, (size_t)n));
		at += (uint64_t)n;
	}
	return true;
}

bool
store_make_cache(void *ctx, int fd, uint64_t size, bool lf, struct buf *out)
{
	struct arena a;
	struct mime_parser *p;
	bool ok;

	(void)ctx;
	arena_init(&a);
	p = mime_parser_new(&a, lf ? MIME_LF : 0);
	ok = feed_file(p, fd, size);
	if (ok)
		imapdata_write(out, mime_parser_end(p));
	mime_parser_free(p);
	arena_fini(&a);
	return ok && !out->over;
}
