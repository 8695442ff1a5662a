/* letter.c - reading one message for FETCH and SEARCH. */
#include "letter.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/message/imapdata.h>

#include "cacherow.h"

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
	t->preview = STR("");
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
letter_begin(struct letter *t, uint32_t mailbox, const struct store_message *m)
{
	letter_close(t);
	t->mailbox = mailbox;
	t->uid = m->uid;
	t->size = m->size;
}

/* The row is copied: it outlives the view. */
bool
letter_cached(struct letter *t, struct store_view *v)
{
	struct str row;
	struct str data;

	if (store_cache(v, t->mailbox, t->uid, &row)
	    && cacherow_read(arena_str(&t->arena, row), &t->preview, &data))
		t->tree = imapdata_read(&t->arena, data);
	return t->tree != NULL;
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
end_parse(struct letter *t, struct imap_session *s)
{
	struct buf row;
	struct str data;

	t->tree = mime_parser_end(t->parser);
	mime_parser_free(t->parser);
	t->parser = NULL;
	buf_init(&row, SIZE_MAX);
	cacherow_write(&row, t->tree, t->fd, t->file.lf);
	cacherow_read(arena_str(&t->arena, buf_str(&row)), &t->preview, &data);
	store_cache_put(s->setup.user, t->mailbox, t->uid, buf_str(&row));
	buf_fini(&row);
	return STEP_DONE;
}

enum step
letter_parse(struct letter *t, struct imap_session *s)
{
	char *piece = mem_new(PIECE);
	ssize_t n;

	if (t->parser == NULL)
		t->parser = mime_parser_new(&t->arena, t->file.lf ? MIME_LF : 0);
	do
		n = pread(t->fd, piece, PIECE, (off_t)t->fed);
	while (n == -1 && errno == EINTR);
	if (n > 0) {
		mime_parser_feed(t->parser, str_from(piece, (size_t)n));
		t->fed += (uint64_t)n;
	}
	free(piece);
	if (n > 0)
		return STEP_MORE;
	if (n == 0)
		return end_parse(t, s);
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
