/* front.c - the life of a connection before login: greeting, framing, the table of commands (RFC 9051 6.1, 6.2).
 *
 * Invariant: auth is asked only in state FRONT_TLS, and nothing is read while an answer is awaited, so that what
 * follows the login command reaches the store process unread. */
#include "front_priv.h"

#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

enum {
	FIELD_MAX = 512, /* mechanism, user, ticket */
	COMMAND_BYTES_MAX = IMAP_FRONT_LINE_MAX * 2 + IMAP_FRONT_LITERALS_MAX * IMAP_FRONT_LITERAL_MAX,
};

static const struct frame_limits limits = {
	.line_max = IMAP_FRONT_LINE_MAX,
	.bytes_max = COMMAND_BYTES_MAX,
	.literal_max = IMAP_FRONT_LITERAL_MAX,
	.literals_max = IMAP_FRONT_LITERALS_MAX,
	.secret = true,
};

void
imap_front_write(struct imap_front *f, struct str tag, const struct reply *r)
{
	struct buf out;

	buf_init(&out, FRONT_OUT_MAX);
	reply_write(&out, tag, r);
	f->ops->write(f->ctx, buf_str(&out));
	buf_fini(&out);
}

void
imap_front_reply(struct imap_front *f, enum reply_kind kind, const char *code, const char *text)
{
	struct reply r = { kind, str_of(code), str_of(text) };

	imap_front_write(f, buf_str(&f->tag), &r);
}

static void
log_bad(const struct imap_front *f, const char *why)
{
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "bad");
	log_str(&l, "sid", f->setup.sid);
	log_str(&l, "client", f->setup.client);
	log_cstr(&l, "why", why);
	log_end(&l);
}

void
imap_front_bye(struct imap_front *f, const char *code, const char *text)
{
	struct reply r = { REPLY_BYE, str_of(code), str_of(text) };

	if (f->state == FRONT_DONE)
		return;
	if (f->state == FRONT_ASKING || f->state == FRONT_RESPONSE)
		f->ops->auth_cancel(f->ctx);
	f->state = FRONT_DONE;
	imap_front_write(f, STR("*"), &r);
	f->ops->close(f->ctx);
}

void
imap_front_bad(struct imap_front *f, const char *why)
{
	imap_front_reply(f, REPLY_BAD, "", why);
	log_bad(f, why);
	if (++f->bad >= IMAP_FRONT_BAD_MAX)
		imap_front_bye(f, "", "too many errors");
}

static void
greet(struct imap_front *f)
{
	struct buf out;

	buf_init(&out, FRONT_OUT_MAX);
	buf_add_cstr(&out, "* OK [");
	imap_front_write_capabilities(f, &out);
	buf_add_cstr(&out, "] ");
	buf_add(&out, f->setup.hostname);
	buf_add_cstr(&out, " ready\r\n");
	f->ops->write(f->ctx, buf_str(&out));
	buf_fini(&out);
}

/* --- lines --- */

/* First words of other protocols that end up here by accident or by design (ALPACA). */
static bool
is_foreign(struct str word)
{
	static const char *const words[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE",
		"PATCH", "PRI", "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "RSET", "USER", "PASS", "CAPA", "STLS",
		"QUIT" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (str_eq_nocase(word, str_of(words[i])))
			return true;
	return false;
}

/* tag SP name; what both say is kept for the answer. False: no IMAP command at all. */
static bool
begin_command(struct imap_front *f, struct lex *l)
{
	struct str tag = lex_tag(l);

	buf_clear(&f->tag);
	f->verb = NULL;
	lex_sp(l);
	if (!lex_ok(l))
		return false;
	buf_add(&f->tag, tag);
	f->verb = imap_front_find_verb(lex_atom(l));
	return lex_ok(l) && (f->verb != NULL || !is_foreign(tag));
}

static bool
is_login(const struct front_verb *v)
{
	return v != NULL && v->where == FRONT_TLS;
}

static void
refuse_login(struct imap_front *f)
{
	imap_front_log_refused(f, "login without TLS");
	imap_front_reply(f, REPLY_NO, "PRIVACYREQUIRED", "login needs TLS");
}

/* The command cannot run in this state: each reason has its own words. */
static void
refuse_verb(struct imap_front *f)
{
	if (f->verb == NULL)
		imap_front_bad(f, "unknown command, or not before login");
	else if (is_login(f->verb))
		refuse_login(f);
	else
		imap_front_bad(f, f->state == FRONT_TLS ? "TLS is active already" : "no TLS here");
}

/* A first line that is no IMAP ends the connection; later ones count as errors. */
static void
on_nonsense(struct imap_front *f)
{
	if (f->commands > 1 && !is_foreign(buf_str(&f->tag))) {
		imap_front_bad(f, "expected a tag and a command");
		return;
	}
	log_bad(f, "not IMAP");
	imap_front_bye(f, "", "this is an IMAP server");
}

static void
on_command(struct imap_front *f)
{
	struct lex l = lex_init(buf_str(&f->frame.bytes), &f->arena);

	f->commands++;
	if (!begin_command(f, &l))
		on_nonsense(f);
	else if (f->commands > IMAP_FRONT_COMMAND_MAX)
		imap_front_bye(f, "", "too many commands before login");
	else if (f->verb == NULL || !(f->verb->where & f->state))
		refuse_verb(f);
	else
		f->verb->run(f, &l);
}

static void
on_line(struct imap_front *f)
{
	if (f->state == FRONT_RESPONSE || f->state == FRONT_LAST)
		imap_front_response(f, buf_str(&f->frame.bytes));
	else
		on_command(f);
	if (f->state == FRONT_RESPONSE || f->state == FRONT_LAST)
		frame_expect_line(&f->frame);
	else
		frame_reset(&f->frame);
	arena_fini(&f->arena);
}

/* A literal is asked for only where it can be of use: never for a secret that must not come, never for a
 * size that would not be taken. */
static void
on_literal(struct imap_front *f)
{
	struct lex l = lex_init(buf_str(&f->frame.bytes), &f->arena);
	bool fits = frame_fits(&f->frame) && !f->frame.literal.binary;

	if (!begin_command(f, &l)) {
		imap_front_bye(f, "", "this is an IMAP server");
	} else if (fits && f->verb != NULL && (f->verb->where & f->state)) {
		frame_keep(&f->frame);
		if (!f->frame.literal.nonsync)
			f->ops->write(f->ctx, STR("+ go on\r\n"));
	} else if (!fits && f->frame.literal.nonsync) {
		log_bad(f, "literal too large");
		imap_front_bye(f, "TOOBIG", "literal too large");
	} else {
		if (fits)
			refuse_verb(f);
		else
			imap_front_reply(f, REPLY_NO, "TOOBIG", "literal too large");
		frame_refuse(&f->frame);
	}
}

static void
on_event(struct imap_front *f, enum frame_event event)
{
	switch (event) {
	case FRAME_COMMAND:
		on_line(f);
		break;
	case FRAME_LITERAL:
		on_literal(f);
		break;
	case FRAME_BARE_LF:
		log_bad(f, "bare LF");
		imap_front_bye(f, "", "lines end in CRLF");
		break;
	case FRAME_TOO_LONG:
		log_bad(f, "line too long");
		imap_front_bye(f, "TOOBIG", "line too long");
		break;
	case FRAME_MORE:
	case FRAME_DATA:
		break;
	}
}

/* A TLS ClientHello or other binary never has a line to wait for. */
static bool
is_binary(const struct imap_front *f, char first)
{
	return frame_is_empty(&f->frame) && !ascii_is_print(first) && first != '\r' && first != '\n';
}

size_t
imap_front_input(struct imap_front *f, struct str bytes)
{
	size_t used = 0;

	while (used < bytes.n && !(f->state & (FRONT_ASKING | FRONT_HANDSHAKE | FRONT_DONE))) {
		enum frame_event event;

		if (is_binary(f, bytes.p[used])) {
			log_bad(f, "not IMAP");
			imap_front_bye(f, "", "this is an IMAP server");
			break;
		}
		used += frame_feed(&f->frame, str_sub(bytes, used, bytes.n), &event);
		on_event(f, event);
	}
	return used;
}

/* --- life --- */

struct imap_front *
imap_front_new(const struct imap_front_setup *setup, const struct imap_front_ops *ops, void *ctx)
{
	struct imap_front *f = NEW(struct imap_front);

	f->setup = *setup;
	f->ops = ops;
	f->ctx = ctx;
	f->state = setup->tls ? FRONT_TLS : setup->starttls ? FRONT_PLAIN : FRONT_NAKED;
	frame_init(&f->frame, &limits);
	arena_init(&f->arena);
	buf_init(&f->tag, LEX_TAG_MAX);
	buf_init(&f->mech, FIELD_MAX);
	buf_init(&f->user, FIELD_MAX);
	buf_init(&f->ticket, FIELD_MAX);
	if (!setup->again)
		greet(f);
	return f;
}

void
imap_front_free(struct imap_front *f)
{
	if (f == NULL)
		return;
	if (f->state == FRONT_ASKING || f->state == FRONT_RESPONSE)
		f->ops->auth_cancel(f->ctx);
	frame_fini(&f->frame);
	arena_fini(&f->arena);
	buf_fini(&f->tag);
	buf_fini(&f->mech);
	buf_fini(&f->user);
	buf_wipe(&f->ticket);
	free(f);
}

void
imap_front_tls(struct imap_front *f)
{
	if (f->state != FRONT_HANDSHAKE)
		return;
	f->state = FRONT_TLS;
	f->commands = 0;
	frame_reset(&f->frame);
}

bool
imap_front_waits(const struct imap_front *f)
{
	return f->state == FRONT_ASKING;
}

void
imap_front_timeout(struct imap_front *f)
{
	imap_front_bye(f, "", "no login in time");
}

void
imap_front_shutdown(struct imap_front *f)
{
	imap_front_bye(f, "UNAVAILABLE", "the server stops");
}
