/* session.c - the life of a session: bytes in, to whole commands. What goes out is in session_out.c. */
#include "sess.h"

#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "append.h"
#include "command.h"
#include "commands.h"
#include "compress.h"
#include "idle.h"
#include "metadata.h"
#include "notify.h"
#include "select.h"

static const struct frame_limits limits = {
	.line_max = IMAP_LINE_MAX,
	.bytes_max = IMAP_COMMAND_MAX,
	.literal_max = IMAP_LITERAL_MAX,
	.literals_max = IMAP_LITERALS_MAX,
};

/* --- literals --- */

static void
refuse_literal(struct imap_session *s, const struct command *c, const struct reply *why)
{
	session_log_bad(s, why->text.p);
	if (s->frame.literal.nonsync && s->frame.literal.size > IMAP_SKIP_MAX) {
		session_bye(s, "TOOBIG", "literal too large");
		return;
	}
	reply_write(&s->out, str_from(c->tag, c->tag_size), why);
	frame_refuse(&s->frame);
	append_free(s);
	s->bad++;
	if (s->bad >= IMAP_BAD_MAX)
		session_bye(s, "", "too many errors");
}

static void
keep_literal(struct imap_session *s)
{
	frame_keep(&s->frame);
	if (!s->frame.literal.nonsync)
		buf_add_cstr(&s->out, "+ go on\r\n");
}

/* literal8 is for few (RFC 3516 4.4, RFC 5464 5). */
static bool
may_be_binary(const struct imap_session *s, const struct command *c)
{
	return !s->frame.literal.binary || (c->verb != NULL && c->verb->flags & VERB_LITERAL8);
}

/* A literal that is an argument is kept if it is small. */
static void
on_argument(struct imap_session *s, const struct command *c, const char *wrong)
{
	struct reply why = { REPLY_BAD, STR_INIT("TOOBIG"), STR_INIT("literal too large") };

	if (wrong != NULL)
		why = (struct reply){ REPLY_BAD, c->reply.code, str_of(wrong) };
	if (wrong == NULL && frame_fits(&s->frame) && may_be_binary(s, c))
		keep_literal(s);
	else
		refuse_literal(s, c, &why);
}

/* A literal was announced: APPEND's goes to the store, perhaps after other work. */
static void
on_literal(struct imap_session *s)
{
	struct command *c = command_new(s);
	struct lex l = lex_init(buf_str(&s->frame.bytes), &c->arena);
	enum append_literal is = command_read_head(&l, c) ? append_look(s, c, &l) : APPEND_ARGUMENT;

	if (is == APPEND_MESSAGE && !append_on_literal(s, c)) {
		command_run(s);
		return;
	}
	if (is != APPEND_MESSAGE)
		on_argument(s, c, is == APPEND_WRONG ? l.c.why : NULL);
	arena_fini(&c->arena);
	free(c);
	session_write_out(s);
}

static void
on_bad_line(struct imap_session *s, const char *why)
{
	static const struct reply bad = { REPLY_BAD, STR_INIT(""), STR_INIT("lines end in CRLF") };

	session_log_bad(s, why);
	reply_write(&s->out, STR("*"), &bad);
	append_free(s);
	if (++s->bad >= IMAP_BAD_MAX)
		session_bye(s, "", "too many errors");
	session_write_out(s);
}

/* --- input --- */

static void
on_line(struct imap_session *s)
{
	if (s->command != NULL && s->command->takes_lines)
		idle_line(s, buf_str(&s->frame.bytes));
	else
		command_begin(s);
}

static void
on_event(struct imap_session *s, enum frame_event event)
{
	switch (event) {
	case FRAME_COMMAND:
		on_line(s);
		break;
	case FRAME_LITERAL:
		on_literal(s);
		break;
	case FRAME_DATA:
		append_on_data(s, s->frame.chunk);
		break;
	case FRAME_BARE_LF:
		on_bad_line(s, "bare LF");
		break;
	case FRAME_TOO_LONG:
		session_log_bad(s, "line too long");
		session_bye(s, "TOOBIG", "command too long");
		break;
	case FRAME_MORE:
		break;
	}
}

/* Could a command, or a part of one, be taken now? */
static bool
takes_bytes(const struct imap_session *s)
{
	return !s->closed && (s->command == NULL || s->command->takes_lines) && !session_is_full(s);
}

bool
imap_session_wants(const struct imap_session *s)
{
	return takes_bytes(s) && (s->compress == NULL || !compress_has_input(s->compress));
}

/* One event's worth of plain bytes; how many were used. */
static size_t
feed(struct imap_session *s, struct str bytes)
{
	enum frame_event event;
	size_t n = frame_feed(&s->frame, bytes, &event);

	s->bytes_in += n;
	on_event(s, event);
	return n;
}

/* What waits to be inflated, as far as it can be used now; the rest in another turn. */
static void
feed_inflated(struct imap_session *s)
{
	size_t budget = IMAP_INFLATE_MAX;
	bool ok = true;

	while (s->state != IN_NOBODY && s->compress != NULL && takes_bytes(s) && compress_has_input(s->compress) && budget > 0) {
		struct str plain = compress_plain(s->compress, &ok);

		if (!ok) {
			session_log_bad(s, "the compressed stream is broken");
			session_bye(s, "", "the compressed stream is broken");
			return;
		}
		plain.n = plain.n < budget ? plain.n : budget;
		if (plain.n > 0)
			plain.n = feed(s, plain);
		compress_use(s->compress, plain.n);
		budget -= plain.n;
	}
	if (s->state == IN_NOBODY && !s->closed)
		session_find_end(s);
	else if (budget == 0)
		session_again(s);
}

size_t
imap_session_input(struct imap_session *s, struct str bytes)
{
	size_t used = 0;

	while (used < bytes.n && imap_session_wants(s)) {
		struct str rest = str_sub(bytes, used, bytes.n);

		if (s->compress == NULL) {
			used += feed(s, rest);
			continue;
		}
		used += compress_take(s->compress, rest);
		feed_inflated(s);
	}
	return used;
}

void
imap_session_run(struct imap_session *s)
{
	if (!s->closed)
		command_run(s);
	feed_inflated(s);
}

void
imap_session_drained(struct imap_session *s)
{
	session_write_out(s);
	if (!s->closed && s->command != NULL)
		command_run(s);
	feed_inflated(s);
}

/* --- life --- */

static void
write_welcome(struct imap_session *s)
{
	struct buf code;
	struct reply r = { REPLY_OK, { 0 }, STR_INIT("logged in") };

	buf_init(&code, SIZE_MAX);
	commands_write_capabilities(s, &code);
	r.code = buf_str(&code);
	reply_write(&s->out, s->setup.tag, &r);
	buf_fini(&code);
	session_write_out(s);
}

struct imap_session *
imap_session_new(const struct imap_session_setup *setup, const struct imap_session_ops *ops, void *ctx)
{
	struct imap_session *s = NEW(struct imap_session);

	s->setup = *setup;
	s->ops = ops;
	s->ctx = ctx;
	s->state = IN_AUTH;
	frame_init(&s->frame, &limits);
	buf_init(&s->out, SIZE_MAX);
	buf_init(&s->sid, SIZE_MAX);
	buf_add(&s->sid, setup->sid);
	buf_init(&s->client, SIZE_MAX);
	buf_add(&s->client, setup->client);
	store_user_ref(setup->user);
	write_welcome(s);
	return s;
}

static void
log_logout(const struct imap_session *s)
{
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "logout");
	log_str(&l, "sid", buf_str(&s->sid));
	log_str(&l, "client", buf_str(&s->client));
	log_str(&l, "user", store_user_address(s->setup.user));
	log_num(&l, "commands", (int64_t)s->commands);
	log_num(&l, "in", (int64_t)s->bytes_in);
	log_num(&l, "out", (int64_t)s->bytes_out);
	log_end(&l);
}

void
imap_session_free(struct imap_session *s)
{
	if (s == NULL)
		return;
	log_logout(s);
	s->closed = true;
	command_free(s);
	append_free(s);
	select_close(s);
	metadata_free(s);
	notify_free(s);
	frame_fini(&s->frame);
	compress_free(s->compress);
	buf_fini(&s->out);
	buf_fini(&s->sid);
	buf_fini(&s->client);
	store_user_unref(s->setup.user);
	free(s);
}

bool
imap_session_timeout(struct imap_session *s)
{
	if (s->command != NULL && !s->command->takes_lines)
		return false;
	session_bye(s, "", "idle for too long");
	return true;
}

void
imap_session_shutdown(struct imap_session *s, const char *why)
{
	session_bye(s, "UNAVAILABLE", why);
}
