/* cache.c - envelope and structure of a message file as a cache row. Runs in sync threads: no state. */
#include <postern/imap/cache.h>

#include <stdlib.h>

#include <postern/core/io.h>
#include <postern/core/mem.h>
#include <postern/message/mime.h>

#include "cacherow.h"

enum {
	PIECE = 64 * 1024,
};

static bool
feed_all(struct mime_parser *parser, int fd)
{
	char *piece = mem_new(PIECE);
	off_t at = 0;
	ssize_t n;

	while ((n = io_pread(fd, piece, PIECE, at)) > 0) {
		mime_parser_feed(parser, str_from(piece, (size_t)n));
		at += n;
	}
	free(piece);
	return n == 0;
}

const struct mime *
cacherow_parse(struct arena *arena, int fd, bool lf)
{
	struct mime_parser *parser = mime_parser_new(arena, lf ? MIME_LF : 0);
	bool ok = feed_all(parser, fd);
	const struct mime *tree = mime_parser_end(parser);

	mime_parser_free(parser);
	return ok ? tree : NULL;
}

bool
imap_make_cache(void *ctx, int fd, uint64_t size, bool lf, struct store_made *out)
{
	struct arena arena;
	const struct mime *tree;

	(void)ctx;
	(void)size;
	arena_init(&arena);
	tree = cacherow_parse(&arena, fd, lf);
	if (tree != NULL)
		cacherow_write(out, tree, fd, lf);
	arena_fini(&arena);
	return tree != NULL && !out->row.over && !out->keys.over;
}
