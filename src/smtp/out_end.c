/* out_end.c - results and ends: what the relay is told of a recipient and of the session. */
#include <stdio.h>

#include <postern/core/log.h>

#include "out_session.h"

struct why {
	const char *enhanced;
	const char *words;
	bool polite; /* the connection is sound: QUIT */
};

static const struct why whys[] = {
	[SMTP_OUT_QUIT] = { "2.0.0", "done", true },
	[SMTP_OUT_REFUSED] = { "4.3.2", "the server wants no mail", true },
	[SMTP_OUT_GOING] = { "4.3.2", "the server ends the session", false },
	[SMTP_OUT_LOST] = { "4.4.2", "the connection broke", false },
	[SMTP_OUT_SLOW] = { "4.4.2", "the server took too long", false },
	[SMTP_OUT_BROKEN] = { "4.5.0", "the server does not speak SMTP", false },
	[SMTP_OUT_NO_TLS] = { "4.7.4", "STARTTLS is demanded and not offered", true },
	[SMTP_OUT_TLS_REFUSED] = { "4.7.4", "STARTTLS was refused", true },
	[SMTP_OUT_TLS_FAILED] = { "4.7.5", "the TLS handshake failed", false },
	[SMTP_OUT_INJECTED] = { "4.7.5", "plain text behind the reply to STARTTLS", false },
	[SMTP_OUT_UNREAD] = { "4.3.0", "the message could not be read", false },
	[SMTP_OUT_NO_LOGIN] = { "4.7.0", "login is not possible", true },
};

const char *
smtp_out_stage_name(enum smtp_out_stage stage)
{
	static const char *const names[SMTP_OUT_STAGES] = { "connect", "EHLO", "STARTTLS", "TLS handshake", "AUTH",
		"idle", "MAIL FROM", "RCPT TO", "DATA", "message", "end of message", "QUIT" };

	return names[stage];
}

/* --- results --- */

static void
copy_enhanced(char out[static 12], const struct out_reply *r)
{
	if (r->enhanced[0] != '\0')
		memcpy(out, r->enhanced, sizeof(r->enhanced));
	else
		snprintf(out, 12, "%u.0.0", r->code / 100 % 10);
}

struct smtp_out_result
out_answer(struct smtp_out *s, const struct out_reply *r, struct buf *words)
{
	struct smtp_out_result result = { .stage = out_stage(s), .code = r->code };

	result.outcome = r->code < 400 ? SMTP_OUT_DELIVERED : r->code < 500 ? SMTP_OUT_TEMP : SMTP_OUT_PERM;
	copy_enhanced(result.enhanced, r);
	buf_init(words, SMTP_OUT_WORDS_MAX + 4);
	out_reply_words(words, r->text, SMTP_OUT_WORDS_MAX);
	result.words = buf_str(words);
	return result;
}

struct smtp_out_result
out_own(enum smtp_out_outcome outcome, enum smtp_out_stage stage, const char *enhanced, struct str words)
{
	struct smtp_out_result result = { .outcome = outcome, .stage = stage, .words = words };

	snprintf(result.enhanced, sizeof(result.enhanced), "%s", enhanced);
	return result;
}

void
out_result(struct smtp_out *s, size_t i, const struct smtp_out_result *r)
{
	struct out_tx *tx = &s->tx;

	ASSERT(!(tx->rcpts[i] & RCPT_DONE));
	if (tx->rcpts[i] & RCPT_ACCEPTED)
		tx->accepted--;
	tx->rcpts[i] |= RCPT_DONE;
	tx->open--;
	s->ops->result(s->ctx, i, r);
}

void
out_result_all(struct smtp_out *s, unsigned bits, const struct smtp_out_result *r)
{
	for (size_t i = 0; i < s->tx.mail->nrcpts; i++)
		if (!(s->tx.rcpts[i] & RCPT_DONE) && (s->tx.rcpts[i] & bits) == bits)
			out_result(s, i, r);
}

/* --- ends --- */

static void
keep_reply(struct smtp_out *s, const struct out_reply *r)
{
	s->end.code = r->code;
	copy_enhanced(s->end.enhanced, r);
	out_reply_words(&s->end_words, r->text, SMTP_OUT_WORDS_MAX);
}

static void
keep_words(struct smtp_out *s, const char *words)
{
	const struct why *why = &whys[s->end.why];

	snprintf(s->end.enhanced, sizeof(s->end.enhanced), "%s", why->enhanced);
	out_reply_words(&s->end_words, str_of(words != NULL ? words : why->words), SMTP_OUT_WORDS_MAX);
}

/* The recipients without a result: whatever ended the session, it was not the message. */
static void
fail_open(struct smtp_out *s)
{
	struct smtp_out_result r = out_own(SMTP_OUT_TEMP, s->end.stage, s->end.enhanced, buf_str(&s->end_words));

	r.code = s->end.code;
	r.unsure = r.code == 0 && smtp_out_unsure(s);
	out_result_all(s, 0, &r);
	s->state = OUT_IDLE;
	s->ops->done(s->ctx);
}

static void
leave(struct smtp_out *s)
{
	s->nwaits = s->waiting = 0;
	s->asked_body = s->want_body = s->want_ready = s->want_tls = false;
	s->state = OUT_LEAVING;
	if (whys[s->end.why].polite)
		out_command(s, OUT_QUIT, "QUIT");
	else
		s->want_close = true;
}

void
out_end(struct smtp_out *s, enum smtp_out_why why, const struct out_reply *r, const char *words)
{
	if (s->state == OUT_LEAVING || s->state == OUT_OVER) {
		s->want_close = true;
		return;
	}
	s->end.why = why;
	s->end.stage = why == SMTP_OUT_QUIT ? SMTP_OUT_AT_QUIT : out_stage(s);
	s->end.permanent = why == SMTP_OUT_REFUSED && r != NULL && r->code >= 500;
	if (r != NULL)
		keep_reply(s, r);
	else
		keep_words(s, words);
	if (s->state == OUT_MAILING)
		fail_open(s);
	leave(s);
}
