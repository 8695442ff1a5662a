/* session_out.c - what a session says, no faster than the client reads, and its end. */
#include "sess.h"

#include <postern/core/log.h>

#include "compress.h"
#include "select.h"

enum {
	FLUSH_AT = 16 * 1024, /* bytes collected before they go to the role */
	HANDED_MAX = IMAP_OUTPUT_MAX + FLUSH_AT, /* bytes the role holds for the client */
};

/* --- out --- */

static void
write_compressed(struct imap_session *s, struct str plain)
{
	struct buf z;

	buf_init(&z, SIZE_MAX);
	compress_deflate(s->compress, plain, &z);
	s->ops->write(s->ctx, buf_str(&z));
	buf_fini(&z);
}

static void
write_some(struct imap_session *s, size_t n)
{
	s->bytes_out += n;
	if (s->compress != NULL && !s->ended_compress)
		write_compressed(s, str_sub(buf_str(&s->out), 0, n));
	else
		s->ops->write(s->ctx, str_sub(buf_str(&s->out), 0, n));
	if (n == s->out.n)
		buf_fini(&s->out);
	else
		buf_drop(&s->out, n);
}

/* What one step wrote may be large (a structure, a COPYUID): what the role should not have yet waits here. */
void
session_write_out(struct imap_session *s)
{
	size_t pending = s->ops->pending(s->ctx);
	size_t room = pending < HANDED_MAX ? HANDED_MAX - pending : 0;

	if (s->out.n > 0 && room > 0 && !s->closed)
		write_some(s, s->out.n < room ? s->out.n : room);
}

void
session_compress(struct imap_session *s)
{
	s->begin_compress = false;
	if (s->out.n > 0)
		write_some(s, s->out.n);
	s->compress = compress_new();
}

void
session_flush(struct imap_session *s)
{
	if (s->out.n >= FLUSH_AT)
		session_write_out(s);
}

bool
session_is_full(const struct imap_session *s)
{
	return s->out.n + s->ops->pending(s->ctx) > IMAP_OUTPUT_MAX;
}

void
session_again(struct imap_session *s)
{
	if (!s->closed)
		s->ops->again(s->ctx);
}

void
session_log_bad(const struct imap_session *s, const char *why)
{
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "bad");
	log_str(&l, "sid", buf_str(&s->sid));
	log_str(&l, "user", store_user_address(s->setup.user));
	log_cstr(&l, "why", why);
	log_end(&l);
}

/* --- end --- */

void
session_end(struct imap_session *s)
{
	s->state = IN_END;
	if (s->closed)
		return;
	if (s->out.n > 0)
		write_some(s, s->out.n);
	s->closed = true;
	s->ops->close(s->ctx);
}

void
session_bye(struct imap_session *s, const char *code, const char *text)
{
	struct reply r = { REPLY_BYE, str_of(code), str_of(text) };

	if (s->closed)
		return;
	if (!s->in_literal)
		reply_write(&s->out, STR("*"), &r);
	session_end(s);
}

void
session_abort(struct imap_session *s, const char *why)
{
	session_log_bad(s, why);
	session_end(s);
}

/* --- UNAUTHENTICATE (RFC 8437): the session is over, its connection is not --- */

static void
release(struct imap_session *s, struct str rest)
{
	s->closed = true;
	s->ops->release(s->ctx, rest);
}

/* What is plain again has to be found in the client's stream, which may not have come to its end (RFC 8437 4.1). */
void
session_find_end(struct imap_session *s)
{
	struct str rest = { 0 };
	enum compress_end end = compress_find_end(s->compress, &rest);

	if (end == COMPRESS_FOUND)
		release(s, rest);
	else if (end == COMPRESS_BROKEN)
		session_bye(s, "", "commands behind UNAUTHENTICATE are not compressed");
}

static void
write_last_compressed(struct imap_session *s)
{
	struct buf z;

	buf_init(&z, SIZE_MAX);
	compress_deflate_last(s->compress, buf_str(&s->out), &z);
	s->ended_compress = true;
	s->bytes_out += s->out.n;
	s->ops->write(s->ctx, buf_str(&z));
	buf_fini(&z);
	buf_fini(&s->out);
}

/* With compression the octets of this turn have to be used up first. */
void
session_leave(struct imap_session *s)
{
	select_close(s);
	if (s->compress != NULL)
		write_last_compressed(s);
	else
		write_some(s, s->out.n);
	s->state = IN_NOBODY;
	if (s->compress == NULL)
		release(s, STR(""));
}
