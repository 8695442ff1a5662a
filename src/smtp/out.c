/* out.c - the public face of the client session: life, input, answers, time. */
#include <stdio.h>
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "out_session.h"

/* A pipeline of commands, or a piece of the message with every byte doubled. */
enum { OUT_MAX = 4 << 20 };

/* --- life --- */

struct smtp_out *
smtp_out_new(
    const struct smtp_out_ops *ops, void *ctx, const struct smtp_out_conf *conf, const struct smtp_out_tls *tls)
{
	struct smtp_out *s = NEW(struct smtp_out);

	ASSERT((tls != NULL) == (conf->starttls == SMTP_OUT_TLS_FIRST));
	s->ops = ops;
	s->ctx = ctx;
	s->conf = conf;
	s->has_tls = tls != NULL;
	s->verified = tls != NULL && tls->verified;
	out_reply_init(&s->reader);
	buf_init(&s->out, OUT_MAX);
	buf_init(&s->server, SMTP_OUT_WORDS_MAX + 4); /* a character may stand across the limit before it is cut */
	buf_init(&s->end_words, SMTP_OUT_WORDS_MAX + 4);
	return s;
}

void
smtp_out_free(struct smtp_out *s)
{
	ASSERT(!s->running);
	out_reply_fini(&s->reader);
	buf_wipe(&s->out);
	buf_fini(&s->server);
	buf_fini(&s->end_words);
	free(s->tx.rcpts);
	free(s);
}

/* --- input --- */

void
smtp_out_start(struct smtp_out *s)
{
	ASSERT(s->state == OUT_NEW);
	s->state = OUT_GREETING;
	out_expect(s, OUT_BANNER, 1);
}

void
smtp_out_feed(struct smtp_out *s, struct str bytes)
{
	ASSERT(bytes.n <= SMTP_OUT_FEED_MAX && s->state != OUT_NEW && !s->running);
	if (s->closed || bytes.n == 0)
		return;
	if (s->state == OUT_HANDSHAKE) /* what the relay read as plain text before the handshake began (RFC 3207 5) */
		out_end(s, SMTP_OUT_INJECTED, NULL, NULL);
	s->input = bytes;
	out_turn(s);
	s->input = (struct str){ 0 };
}

void
smtp_out_eof(struct smtp_out *s)
{
	if (s->closed)
		return;
	out_end(s, SMTP_OUT_LOST, NULL, NULL);
	s->want_close = true; /* nobody reads a QUIT */
	out_turn(s);
}

/* RFC 3207 4.2: what the server said before is forgotten. */
void
smtp_out_tls_started(struct smtp_out *s, const struct smtp_out_tls *tls)
{
	if (s->state != OUT_HANDSHAKE)
		return;
	s->has_tls = true;
	s->verified = tls->verified;
	s->state = OUT_GREETING;
	out_hello(s);
	out_turn(s);
}

void
smtp_out_tls_failed(struct smtp_out *s, struct str why)
{
	char words[SMTP_OUT_WORDS_MAX];

	if (s->state != OUT_HANDSHAKE)
		return;
	snprintf(words, sizeof(words), "%.*s", STR_ARG(str_sub(why, 0, sizeof(words) - 1)));
	out_end(s, SMTP_OUT_TLS_FAILED, NULL, why.n > 0 ? words : NULL);
	out_turn(s);
}

/* --- answers --- */

bool
smtp_out_send(struct smtp_out *s, const struct smtp_out_mail *mail)
{
	ASSERT(mail->nrcpts > 0);
	if (s->state != OUT_IDLE || s->want_quit)
		return false;
	s->want_ready = false;
	out_mail_begin(s, mail);
	out_turn(s);
	return true;
}

void
smtp_out_quit(struct smtp_out *s)
{
	s->want_quit = true;
	out_turn(s);
}

void
smtp_out_body(struct smtp_out *s, struct str bytes, enum smtp_out_more more)
{
	ASSERT(bytes.n <= SMTP_OUT_PIECE_MAX && (bytes.n > 0 || more == SMTP_OUT_LAST));
	if (!s->asked_body)
		return;
	s->asked_body = false;
	out_mail_piece(s, bytes, more);
	out_turn(s);
}

void
smtp_out_body_failed(struct smtp_out *s)
{
	if (!s->asked_body)
		return;
	out_end(s, SMTP_OUT_UNREAD, NULL, NULL);
	out_turn(s);
}

/* --- time --- */

static void
no_later(struct mono *when, bool *any, struct mono than)
{
	if (!*any || mono_before(than, *when))
		*when = than;
	*any = true;
}

bool
smtp_out_deadline(const struct smtp_out *s, struct mono *when)
{
	bool any;

	if (s->closed || s->state == OUT_NEW)
		return false;
	any = out_wait_deadline(s, when);
	if (s->asked_body)
		no_later(when, &any, mono_add_ms(s->asked_body_at, SMTP_OUT_BLOCK_SECONDS * INT64_C(1000)));
	if (s->state == OUT_HANDSHAKE)
		no_later(when, &any, mono_add_ms(s->since, SMTP_OUT_HANDSHAKE_SECONDS * INT64_C(1000)));
	if (s->state == OUT_MAILING && s->tx.step < STEP_BODY)
		no_later(when, &any, mono_add_ms(s->tx.began, SMTP_OUT_ENVELOPE_SECONDS * INT64_C(1000)));
	return any;
}

void
smtp_out_tick(struct smtp_out *s)
{
	struct mono when;

	if (!smtp_out_deadline(s, &when) || mono_before(mono_now(), when))
		return;
	out_end(s, SMTP_OUT_SLOW, NULL, NULL);
	out_turn(s);
}

/* --- what the relay may look at --- */

bool
smtp_out_unsure(const struct smtp_out *s)
{
	return s->state == OUT_MAILING && s->tx.step == STEP_END && s->tx.open > 0;
}

bool
smtp_out_offers_starttls(const struct smtp_out *s)
{
	return s->starttls_seen;
}

struct str
smtp_out_server(const struct smtp_out *s)
{
	return buf_str(&s->server);
}
