/* in_content.c - the message while it streams: limits, line rules, header, sink; and what happens when all has come.
 *
 * Nothing of the body is kept here. The first reason against the message gives the sink up; the rest is swallowed,
 * because the reply has its place only at the end, and only so much of it. */
#include "in_session.h"

enum { SWALLOW_MORE = 1 << 20 }; /* beyond the size of a message that would have been allowed */

bool
in_content_begin(struct smtp_in *s)
{
	struct in_tx *tx = &s->tx;
	struct err e;

	err_clear(&e);
	tx->mail = (struct smtp_in_mail){
		.envelope = tx->envelope,
		.rcpts = tx->rcpts,
		.nrcpts = tx->nrcpts,
		.size = tx->announced,
	};
	tx->in_header = true;
	buf_init(&tx->header, SMTP_HEADER_MAX);
	rules_begin(&tx->rules, SMTP_TEXT_LINE_MAX);
	tx->sink = s->ops->sink_open(s->ctx, &tx->mail, &e);
	if (!tx->sink)
		in_content_fail(s, &e);
	return tx->sink;
}

void
in_content_refuse(struct smtp_in *s, enum smtp_reply_name bad)
{
	if (s->tx.bad == SMTP_OK)
		s->tx.bad = bad;
	if (s->tx.sink)
		s->ops->sink_abort(s->ctx);
	s->tx.sink = false;
	if (s->ask == ASK_SINK && !s->answered) /* a sink that is gone is never ready */
		s->ask = ASK_NONE;
	buf_fini(&s->tx.header);
}

void
in_content_fail(struct smtp_in *s, const struct err *why)
{
	s->tx.sink = false;
	memcpy(s->tx.bad_log, why->log, sizeof(s->tx.bad_log));
	in_content_refuse(s, SMTP_STORAGE);
}

bool
in_content_swallow(struct smtp_in *s, size_t n)
{
	s->swallowed += n;
	return s->conf->message_size > 0 && s->swallowed > s->conf->message_size + SWALLOW_MORE;
}

static struct smtp_reply
on_sink(struct smtp_in *s)
{
	(void)s;
	return smtp_reply_later();
}

void
in_content_write(struct smtp_in *s, struct str bytes)
{
	struct err e;

	if (bytes.n == 0 || !s->tx.sink)
		return;
	err_clear(&e);
	switch (s->ops->sink_write(s->ctx, bytes, &e)) {
	case SMTP_SINK_OK:
		return;
	case SMTP_SINK_WAIT:
		if (s->ask == ASK_NONE)
			in_asking(s, ASK_SINK, on_sink);
		return;
	default:
		in_content_fail(s, &e);
	}
}

/* The header is text with CRLF in every message; the body unless BODY=BINARYMIME says otherwise. NUL may stand in a
 * body (RFC 5322 4.1 has it read) but in no header: there it would cut what C programs see. */
static void
judge(struct smtp_in *s, unsigned against)
{
	unsigned found = s->tx.rules.seen & against;

	if (found & RULES_BARE)
		in_content_refuse(s, SMTP_BARE_IN_CONTENT);
	else if (found & RULES_NUL)
		in_content_refuse(s, SMTP_NUL_IN_HEADER);
	else if (found & RULES_LONG)
		in_content_refuse(s, SMTP_LONG_IN_CONTENT);
}

static unsigned
body_rules(const struct smtp_in *s)
{
	return s->tx.body == BODY_BINARYMIME ? 0 : RULES_BARE | RULES_LONG;
}

/* Returns what of the piece belongs to the body. */
static struct str
add_header(struct smtp_in *s, struct str piece)
{
	bool done = false;
	size_t n = in_header_take(s, piece, &done);

	rules_feed(&s->tx.rules, str_sub(piece, 0, n));
	judge(s, RULES_BARE | RULES_NUL | RULES_LONG);
	if (done)
		in_header_end(s);
	return str_sub(piece, n, piece.n);
}

void
in_content_add(struct smtp_in *s, struct str piece)
{
	struct in_tx *tx = &s->tx;

	s->arrived += piece.n;
	tx->size += piece.n;
	if (s->conf->message_size > 0 && tx->size > s->conf->message_size)
		in_content_refuse(s, SMTP_TOO_BIG);
	if (tx->bad == SMTP_OK && tx->in_header)
		piece = add_header(s, piece);
	if (tx->bad != SMTP_OK || piece.n == 0)
		return;
	rules_feed(&tx->rules, piece);
	judge(s, body_rules(s));
	in_content_write(s, piece);
}

/* --- the end --- */

static struct smtp_reply
on_submitted(struct smtp_in *s)
{
	char qid[ID_TEXT_SIZE];

	if (!smtp_reply_is_ok(&s->submitted))
		return s->submitted;
	s->guesses = 0;
	s->chat = 0;
	in_log_accept(s);
	id_text(s->tx.envelope.qid, qid);
	return smtp_reply_with(250, "2.0.0", arena_strf(&s->scratch, "queued as %s", qid));
}

static unsigned
envelope_flags(const struct smtp_in *s)
{
	const struct in_tx *tx = &s->tx;
	unsigned flags = 0;

	if (tx->body == BODY_8BITMIME || (tx->rules.seen & RULES_8BIT))
		flags |= ENVELOPE_8BIT;
	if (tx->body == BODY_BINARYMIME)
		flags |= ENVELOPE_BINARY;
	if (tx->smtputf8)
		flags |= ENVELOPE_SMTPUTF8;
	if (tx->utf8_header)
		flags |= ENVELOPE_UTF8_HEADER;
	if (in_is_submission(s))
		flags |= ENVELOPE_SUBMITTED;
	if (tx->requiretls)
		flags |= ENVELOPE_REQUIRETLS;
	else if (tx->tls_optional)
		flags |= ENVELOPE_TLS_OPTIONAL;
	return flags;
}

static struct smtp_reply
submit(struct smtp_in *s)
{
	struct buf prefix;

	buf_init(&prefix, ENVELOPE_PREFIX_MAX);
	in_received_write(s, &prefix);
	in_asking(s, ASK_SUBMIT, on_submitted);
	s->tx.sink = false; /* it is the op's now */
	s->ops->submit(s->ctx, buf_str(&prefix), envelope_flags(s));
	buf_fini(&prefix);
	return smtp_reply_later();
}

static struct smtp_reply
all_written(struct smtp_in *s)
{
	return in_check(s, STAGE_CONTENT, submit);
}

struct smtp_reply
in_content_end(struct smtp_in *s)
{
	struct in_tx *tx = &s->tx;

	tx->ended = true;
	rules_end(&tx->rules);
	if (tx->bad == SMTP_OK)
		judge(s, tx->in_header ? RULES_BARE : body_rules(s));
	if (tx->bad == SMTP_OK && tx->in_header)
		in_header_end(s);
	if (s->ask != ASK_SINK)
		return all_written(s);
	s->then = all_written; /* the sink wants time for the last piece: a header that came without a body */
	return smtp_reply_later();
}
