/* out_mail.c - a message on its way: RSET, MAIL, RCPT for each, DATA or BDAT, the bytes, the end; and what the replies
 * to them mean for the recipients (RFC 5321 3.3, RFC 2920, RFC 3030, RFC 2033).
 *
 * With PIPELINING all commands up to DATA go out at once. BDAT waits for the recipients: its bytes would go, wanted or
 * not. Once a recipient has its result nothing changes it. */
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/core/utf8.h>

#include "out_session.h"

/* --- begin and end --- */

static bool
needs_utf8(const struct smtp_out_mail *m)
{
	if ((m->flags & ENVELOPE_UTF8_HEADER) || !ascii_only(m->sender))
		return true;
	for (size_t i = 0; i < m->nrcpts; i++)
		if (!ascii_only(m->rcpts[i].address))
			return true;
	return false;
}

static enum out_body_form
body_form(const struct smtp_out *s)
{
	if (!s->tx.chunks)
		return OUT_BODY_DATA;
	return s->tx.mail->flags & ENVELOPE_BINARY ? OUT_BODY_RAW : OUT_BODY_TEXT;
}

void
out_mail_begin(struct smtp_out *s, const struct smtp_out_mail *mail)
{
	free(s->tx.rcpts);
	s->tx = (struct out_tx){ .mail = mail, .open = mail->nrcpts, .began = mono_now() };
	s->tx.rcpts = mem_array(mail->nrcpts, sizeof(*s->tx.rcpts));
	s->tx.utf8 = (s->caps & CAP_SMTPUTF8) && needs_utf8(mail);
	s->tx.chunks = (s->caps & CAP_CHUNKING) && (s->conf->chunking || (mail->flags & ENVELOPE_BINARY));
	out_body_begin(&s->tx.body, body_form(s));
	s->state = OUT_MAILING;
}

static void
finish(struct smtp_out *s)
{
	s->want_body = s->asked_body = false;
	s->state = OUT_IDLE;
	s->ops->done(s->ctx);
	out_ready(s);
}

/* --- steps --- */

static bool
may_write(const struct smtp_out *s)
{
	return s->waiting == 0 || ((s->caps & CAP_PIPELINING) && s->waiting < SMTP_OUT_PIPELINE_MAX);
}

static void
step_check(struct smtp_out *s)
{
	out_needs_check(s);
	s->tx.step = s->dirty ? STEP_RSET : STEP_MAIL;
}

static void
step_rset(struct smtp_out *s)
{
	out_command(s, OUT_RSET, "RSET");
	s->tx.step = STEP_MAIL;
}

static void
step_mail(struct smtp_out *s)
{
	out_envelope_mail(s);
	s->mails++;
	s->dirty = true;
	s->tx.step = STEP_RCPT;
}

static void
step_rcpt(struct smtp_out *s)
{
	struct out_tx *tx = &s->tx;
	size_t i = tx->asked++;

	if (!(tx->rcpts[i] & RCPT_DONE)) {
		tx->rcpts[i] |= RCPT_ASKED;
		out_envelope_rcpt(s, &tx->mail->rcpts[i]);
	}
	if (tx->asked == tx->mail->nrcpts)
		tx->step = STEP_DATA;
}

static void
step_data(struct smtp_out *s)
{
	if (s->tx.chunks) {
		s->tx.step = STEP_BODY;
		return;
	}
	out_command(s, OUT_DATA, "DATA");
	s->tx.step = STEP_GO;
}

static bool
wants_body(const struct smtp_out *s)
{
	bool streams = (s->caps & CAP_PIPELINING) && s->conf->protocol == SMTP_OUT_SMTP;

	if (s->tx.step != STEP_BODY || s->want_body || s->asked_body)
		return false;
	return s->waiting < (s->tx.chunks && streams ? SMTP_OUT_CHUNKS_MAX : 1);
}

bool
out_mail_step(struct smtp_out *s)
{
	static void (*const steps[])(struct smtp_out *) = { step_check, step_rset, step_mail, step_rcpt, step_data };
	struct out_tx *tx = &s->tx;

	if (tx->open == 0 && s->waiting > 0)
		return false;
	if (tx->open == 0) {
		finish(s);
		return true;
	}
	if (tx->step == STEP_DATA && tx->chunks && s->waiting > 0)
		return false;
	if (tx->step <= STEP_DATA && may_write(s)) {
		steps[tx->step](s);
		return true;
	}
	if (wants_body(s))
		s->want_body = true;
	return false;
}

/* --- the bytes --- */

static void
write_chunk(struct smtp_out *s, struct str bytes, enum smtp_out_more more)
{
	struct buf chunk;

	buf_init(&chunk, 2 * (size_t)SMTP_OUT_PIECE_MAX + 8);
	out_body_add(&s->tx.body, &chunk, bytes);
	if (more == SMTP_OUT_LAST)
		out_body_end(&s->tx.body, &chunk);
	if (chunk.n > 0 || more == SMTP_OUT_LAST) { /* a lone CR may be all that came */
		buf_addf(&s->out, "BDAT %zu%s\r\n", chunk.n, more == SMTP_OUT_LAST ? " LAST" : "");
		buf_add(&s->out, buf_str(&chunk));
		out_expect(s, more == SMTP_OUT_LAST ? OUT_END : OUT_CHUNK, 1);
	}
	buf_fini(&chunk);
}

/* RFC 2033 4.2: one reply for each recipient that was accepted. */
static void
expect_end(struct smtp_out *s)
{
	s->tx.step = STEP_END;
	s->tx.answered = 0;
	if (s->conf->protocol == SMTP_OUT_LMTP && s->tx.accepted > 1)
		out_expect(s, OUT_END, s->tx.accepted - 1);
}

void
out_mail_piece(struct smtp_out *s, struct str bytes, enum smtp_out_more more)
{
	if (s->tx.chunks) {
		write_chunk(s, bytes, more);
	} else {
		out_body_add(&s->tx.body, &s->out, bytes);
		if (more == SMTP_OUT_LAST) {
			out_body_end(&s->tx.body, &s->out);
			out_expect(s, OUT_END, 1);
		}
	}
	if (more == SMTP_OUT_LAST)
		expect_end(s);
}

/* --- replies --- */

/* The refusal goes to all that have these bits. */
static void
refuse_all(struct smtp_out *s, unsigned bits, const struct out_reply *r)
{
	struct buf words;
	struct smtp_out_result result = out_answer(s, r, &words);

	out_result_all(s, bits, &result);
	buf_fini(&words);
}

void
rset_reply(struct smtp_out *s, const struct out_reply *r)
{
	if (out_is_good(r))
		return;
	out_end(s, SMTP_OUT_BROKEN, NULL, "RSET was refused");
}

void
mail_reply(struct smtp_out *s, const struct out_reply *r)
{
	if (!out_is_good(r))
		refuse_all(s, 0, r);
}

static size_t
next_with(const struct smtp_out *s, size_t i, unsigned bits)
{
	while (i < s->tx.mail->nrcpts && (s->tx.rcpts[i] & bits) != bits)
		i++;
	ASSERT(i < s->tx.mail->nrcpts);
	return i;
}

/* RFC 5321 4.5.3.1.10: 552 meant "too many recipients" once, and does unless the enhanced code says otherwise. */
static bool
means_too_many(const struct out_reply *r)
{
	return r->code == 552 && (r->enhanced[0] == '\0' || str_eq(str_of(r->enhanced), STR("5.5.3")));
}

static void
refuse_rcpt(struct smtp_out *s, size_t i, const struct out_reply *r)
{
	struct buf words;
	struct smtp_out_result result = out_answer(s, r, &words);

	if (means_too_many(r)) {
		result.outcome = SMTP_OUT_TEMP;
		result.enhanced[0] = '4';
	}
	out_result(s, i, &result);
	buf_fini(&words);
}

void
rcpt_reply(struct smtp_out *s, const struct out_reply *r)
{
	size_t i = next_with(s, s->tx.answered, RCPT_ASKED);

	s->tx.answered = i + 1;
	if (s->tx.rcpts[i] & RCPT_DONE) /* MAIL was refused */
		return;
	if (!out_is_good(r)) {
		refuse_rcpt(s, i, r);
		return;
	}
	s->tx.rcpts[i] |= RCPT_ACCEPTED;
	s->tx.accepted++;
}

/* A DATA that got through although nobody is left: nothing but a dot may follow (RFC 2920 3.1). LMTP would answer it
 * with no reply at all. */
static void
send_nothing(struct smtp_out *s)
{
	s->tx.step = STEP_END;
	if (s->conf->protocol == SMTP_OUT_LMTP) {
		out_end(s, SMTP_OUT_BROKEN, NULL, "354 without a recipient");
		return;
	}
	out_command(s, OUT_EMPTY, ".");
}

void
data_reply(struct smtp_out *s, const struct out_reply *r)
{
	if (!out_is_good(r))
		refuse_all(s, RCPT_ACCEPTED, r);
	else if (s->tx.accepted == 0)
		send_nothing(s);
	else
		s->tx.step = STEP_BODY;
}

/* RFC 3030 2: after a chunk that was refused the rest of the message is not wanted. */
void
chunk_reply(struct smtp_out *s, const struct out_reply *r)
{
	if (!out_is_good(r))
		refuse_all(s, RCPT_ACCEPTED, r);
}

static void
end_one(struct smtp_out *s, size_t i, const struct smtp_out_result *result)
{
	struct smtp_out_result r = *result;

	r.dsn = r.outcome == SMTP_OUT_DELIVERED && (s->caps & CAP_DSN);
	out_result(s, i, &r);
}

static void
end_all(struct smtp_out *s, const struct smtp_out_result *result)
{
	for (size_t i = 0; i < s->tx.mail->nrcpts; i++)
		if ((s->tx.rcpts[i] & (RCPT_ACCEPTED | RCPT_DONE)) == RCPT_ACCEPTED)
			end_one(s, i, result);
}

/* SMTP: one reply for all. LMTP: one for each, in the order of RCPT. */
void
end_reply(struct smtp_out *s, const struct out_reply *r)
{
	struct buf words;
	struct smtp_out_result result;

	if (s->tx.open == 0) /* a chunk was refused before */
		return;
	result = out_answer(s, r, &words);
	if (s->conf->protocol == SMTP_OUT_LMTP) {
		size_t i = next_with(s, s->tx.answered, RCPT_ACCEPTED);

		s->tx.answered = i + 1;
		end_one(s, i, &result);
	} else {
		end_all(s, &result);
	}
	s->dirty = s->waiting > 0;
	buf_fini(&words);
}

void
empty_reply(struct smtp_out *s, const struct out_reply *r)
{
	(void)s;
	(void)r;
}

/* The server does not wait for the end: its refusal is taken as the answer; whatever else it says is none. The
 * connection cannot be used any more in either case. */
void
out_mail_early(struct smtp_out *s, const struct out_reply *r)
{
	bool body = s->tx.step == STEP_BODY;

	if (body && !out_is_good(r))
		refuse_all(s, RCPT_ACCEPTED, r);
	out_end(s, SMTP_OUT_BROKEN, NULL, body ? "a reply before the end of the message" : OUT_UNASKED);
}
