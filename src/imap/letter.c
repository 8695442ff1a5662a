/* letter.c - reading one message for FETCH and SEARCH. */
#include "letter.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

enum {
	PIECE = 64 * 1024,
};

void
letter_init(struct letter *t)
{
	*t = (struct letter){ .fd = -1 };
	arena_init(&t->arena);
}

void
letter_close(struct letter *t)
{
	if (t->parser != NULL)
		mime_parser_free(t->parser);
	t->parser = NULL;
	t->tree = NULL;
	t->has_row = false;
	t->fed = 0;
	io_close(&t->fd);
	arena_reset(&t->arena);
}

void
letter_fini(struct letter *t)
{
	letter_close(t);
	arena_fini(&t->arena);
}

void
letter_begin(struct letter *t, struct store_user *user, uint32_t mailbox, const struct store_message *m)
{
	letter_close(t);
	t->user = user;
	t->mailbox = mailbox;
	t->uid = m->uid;
	t->size = m->size;
}

/* The row is copied: it outlives the view. */
bool
letter_take_row(struct letter *t, struct str row)
{
	if (!t->has_row)
		t->has_row = cacherow_read(arena_str(&t->arena, row), &t->row);
	return t->has_row;
}

bool
letter_take_tree(struct letter *t)
{
	if (t->tree == NULL && t->has_row)
		t->tree = cacherow_tree(&t->arena, &t->row);
	return t->tree != NULL;
}

bool
letter_keeps(const struct letter *t, uint64_t lines)
{
	return t->has_row && !(t->row.lines.left_out & lines);
}

bool
letter_cached(struct letter *t, struct store_view *v)
{
	struct str row;

	return store_cache(v, t->mailbox, t->uid, &row) && letter_take_row(t, row) && letter_take_tree(t);
}

static void
log_failure(const struct letter *t, struct imap_session *s, const char *why)
{
	struct log_line l;

	log_begin(&l, LEVEL_WARN, "store");
	log_str(&l, "sid", buf_str(&s->sid));
	log_str(&l, "user", store_user_address(s->setup.user));
	log_num(&l, "uid", t->uid);
	log_cstr(&l, "why", why);
	log_end(&l);
}

bool
letter_open(struct letter *t, struct imap_session *s, struct store_view *v)
{
	struct err e;

	if (t->fd != -1)
		return true;
	if (!store_message_open(v, t->mailbox, t->uid, &t->file, &e)) {
		log_failure(t, s, e.log);
		return false;
	}
	t->fd = t->file.fd;
	crlf_reader_init(&t->reader, t->fd, t->file.lf);
	return true;
}

/* The structure is complete: it goes to the store's cache, too. */
static enum step
end_parse(struct letter *t)
{
	struct store_made made;

	t->tree = mime_parser_end(t->parser);
	mime_parser_free(t->parser);
	t->parser = NULL;
	buf_init(&made.row, SIZE_MAX);
	buf_init(&made.keys, SIZE_MAX);
	cacherow_write(&made, t->tree, t->fd, t->file.lf);
	t->has_row = false;
	letter_take_row(t, buf_str(&made.row));
	store_cache_put(t->user, t->mailbox, t->uid, buf_str(&made.row), buf_str(&made.keys));
	buf_fini(&made.row);
	buf_fini(&made.keys);
	return STEP_DONE;
}

enum step
letter_parse(struct letter *t, struct imap_session *s)
{
	char *piece = mem_new(PIECE);
	ssize_t n;

	if (t->parser == NULL)
		t->parser = mime_parser_new(&t->arena, t->file.lf ? MIME_LF : 0);
	n = io_pread(t->fd, piece, PIECE, (off_t)t->fed);
	if (n > 0) {
		mime_parser_feed(t->parser, str_from(piece, (size_t)n));
		t->fed += (uint64_t)n;
	}
	free(piece);
	if (n > 0)
		return STEP_MORE;
	if (n == 0)
		return end_parse(t);
	log_failure(t, s, strerror(errno));
	return STEP_DONE;
}

bool
letter_holds(const struct letter *t, uint64_t at, uint64_t n)
{
	return t->file.lf || (at <= t->file.size && n <= t->file.size - at);
}

bool
letter_read(struct letter *t, uint64_t at, size_t n, struct buf *out)
{
	size_t before = out->n;

	return crlf_read(&t->reader, at, n, out) && out->n - before == n;
}
