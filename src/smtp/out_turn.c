/* out_turn.c - the turn of a client session: replies meet the commands that wait for them, commands go out together,
 * and then the relay is asked.
 *
 * A reply belongs to the oldest command that was sent and has none. One that nobody asked for ends the session: from
 * there on every reply would be taken for another's. */
#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "out_session.h"

struct row {
	enum smtp_out_stage stage;
	unsigned good; /* a code, or a class: what is neither this nor 4xx nor 5xx is no answer */
	unsigned good_2; /* another, or 0 */
	int64_t seconds;
	void (*run)(struct smtp_out *s, const struct out_reply *r);
};

static void
quit_reply(struct smtp_out *s, const struct out_reply *r)
{
	(void)r;
	s->want_close = true;
}

static const struct row rows[] = {
	[OUT_BANNER] = { SMTP_OUT_AT_BANNER, 220, 0, SMTP_OUT_BANNER_SECONDS, banner_reply },
	[OUT_EHLO] = { SMTP_OUT_AT_HELLO, 250, 0, SMTP_OUT_COMMAND_SECONDS, ehlo_reply },
	[OUT_HELO] = { SMTP_OUT_AT_HELLO, 250, 0, SMTP_OUT_COMMAND_SECONDS, helo_reply },
	[OUT_STARTTLS] = { SMTP_OUT_AT_STARTTLS, 220, 0, SMTP_OUT_COMMAND_SECONDS, starttls_reply },
	[OUT_AUTH] = { SMTP_OUT_AT_AUTH, 235, 334, SMTP_OUT_COMMAND_SECONDS, auth_reply },
	[OUT_RSET] = { SMTP_OUT_AT_MAIL, 2, 0, SMTP_OUT_COMMAND_SECONDS, rset_reply },
	[OUT_MAIL] = { SMTP_OUT_AT_MAIL, 2, 0, SMTP_OUT_COMMAND_SECONDS, mail_reply },
	[OUT_RCPT] = { SMTP_OUT_AT_RCPT, 2, 0, SMTP_OUT_COMMAND_SECONDS, rcpt_reply },
	[OUT_DATA] = { SMTP_OUT_AT_DATA, 354, 0, SMTP_OUT_DATA_SECONDS, data_reply },
	[OUT_CHUNK] = { SMTP_OUT_AT_BODY, 2, 0, SMTP_OUT_END_SECONDS, chunk_reply },
	[OUT_END] = { SMTP_OUT_AT_END, 2, 0, SMTP_OUT_END_SECONDS, end_reply },
	[OUT_EMPTY] = { SMTP_OUT_AT_END, 2, 0, SMTP_OUT_END_SECONDS, empty_reply },
	[OUT_QUIT] = { SMTP_OUT_AT_QUIT, 2, 0, SMTP_OUT_QUIT_SECONDS, quit_reply },
};

/* --- commands --- */

void
out_expect(struct smtp_out *s, enum out_verb verb, size_t n)
{
	struct out_wait *last = s->nwaits > 0 ? &s->waits[s->nwaits - 1] : NULL;

	if (s->waiting == 0)
		s->since = mono_now();
	s->waiting += n;
	if (last != NULL && last->verb == verb) {
		last->count += n;
		return;
	}
	ASSERT(s->nwaits < OUT_WAITS_MAX);
	s->waits[s->nwaits++] = (struct out_wait){ verb, n };
}

void
out_command(struct smtp_out *s, enum out_verb verb, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_addv(&s->out, format, args);
	va_end(args);
	buf_add(&s->out, STR("\r\n"));
	out_expect(s, verb, 1);
}

static void
take_wait(struct smtp_out *s)
{
	s->waiting--;
	s->since = mono_now();
	if (--s->waits[0].count == 0) {
		s->nwaits--;
		memmove(s->waits, s->waits + 1, s->nwaits * sizeof(s->waits[0]));
	}
}

enum smtp_out_stage
out_stage(const struct smtp_out *s)
{
	if (s->replying)
		return s->stage;
	if (s->nwaits > 0)
		return rows[s->waits[0].verb].stage;
	if (s->state == OUT_HANDSHAKE)
		return SMTP_OUT_AT_HANDSHAKE;
	if (s->state == OUT_MAILING)
		return s->tx.step == STEP_BODY ? SMTP_OUT_AT_BODY : s->stage;
	return SMTP_OUT_AT_IDLE;
}

bool
out_wait_deadline(const struct smtp_out *s, struct mono *when)
{
	if (s->nwaits == 0)
		return false;
	*when = mono_add_ms(s->since, rows[s->waits[0].verb].seconds * 1000);
	return true;
}

void
out_ready(struct smtp_out *s)
{
	unsigned most = s->conf->messages > 0 ? s->conf->messages : SMTP_OUT_MESSAGES;

	s->state = OUT_IDLE;
	if (s->mails >= most)
		s->want_quit = true;
	else
		s->want_ready = true;
}

/* --- replies --- */

static bool
fits(unsigned code, unsigned good)
{
	return code == good || code / 100 == good;
}

static void
run(struct smtp_out *s, const struct row *row, const struct out_reply *r)
{
	take_wait(s);
	s->unasked = s->waiting == 0 && s->input.n > 0;
	s->stage = row->stage;
	s->replying = true;
	row->run(s, r);
	s->replying = false;
}

static void
match(struct smtp_out *s, const struct out_reply *r)
{
	const struct row *row = &rows[s->waits[0].verb];
	bool good = fits(r->code, row->good) || fits(r->code, row->good_2);

	if (s->state == OUT_LEAVING) {
		quit_reply(s, r);
	} else if (r->code == 421) {
		out_end(s, SMTP_OUT_GOING, r, NULL);
	} else if (!good && r->code < 400 && s->waits[0].verb != OUT_STARTTLS) {
		out_end(s, SMTP_OUT_BROKEN, NULL, "a reply that does not fit the command");
	} else {
		run(s, row, r);
	}
}

static void
unasked(struct smtp_out *s, const struct out_reply *r)
{
	if (s->state == OUT_LEAVING)
		quit_reply(s, r);
	else if (r->code == 421)
		out_end(s, SMTP_OUT_GOING, r, NULL);
	else if (s->state == OUT_MAILING && s->waiting == 0)
		out_mail_early(s, r);
	else
		out_end(s, SMTP_OUT_BROKEN, NULL, OUT_UNASKED);
}

static void
read_reply(struct smtp_out *s)
{
	switch (out_reply_next(&s->reader, &s->input)) {
	case OUT_REPLY_MORE:
		if (s->unasked)
			out_end(s, SMTP_OUT_BROKEN, NULL, OUT_UNASKED);
		break;
	case OUT_REPLY_DONE:
		if (s->unasked || s->waiting == 0)
			unasked(s, &s->reader.reply);
		else
			match(s, &s->reader.reply);
		break;
	case OUT_REPLY_BROKEN:
		out_end(s, SMTP_OUT_BROKEN, NULL, s->reader.why);
		break;
	}
}

/* --- the turn --- */

/* One step; false when nothing can go on before something comes from outside. */
static bool
step(struct smtp_out *s)
{
	if (s->want_close || s->state == OUT_OVER)
		return false;
	if (s->input.n > 0) {
		read_reply(s);
		return true;
	}
	s->unasked = false;
	if (s->state == OUT_MAILING)
		return out_mail_step(s);
	if (s->state == OUT_IDLE && s->want_quit) {
		out_end(s, SMTP_OUT_QUIT, NULL, NULL);
		return true;
	}
	return false;
}

static void
flush(struct smtp_out *s)
{
	ASSERT(!s->out.over);
	if (s->out.n > 0 && !s->want_close)
		s->ops->write(s->ctx, buf_str(&s->out));
	if (s->state == OUT_MAILING)
		buf_clear(&s->out); /* the next piece is as large */
	else
		buf_wipe(&s->out); /* there may have been a password */
}

static void
finish(struct smtp_out *s)
{
	s->state = OUT_OVER;
	s->closed = true;
	s->end.words = buf_str(&s->end_words);
	s->ops->close(s->ctx, &s->end);
}

static bool
take_flag(bool *flag)
{
	bool was = *flag;

	*flag = false;
	return was;
}

static void
ask_body(struct smtp_out *s)
{
	s->asked_body = true;
	s->asked_body_at = mono_now();
	s->ops->body(s->ctx);
}

/* Asks what there is to ask; true: an answer may be there already. */
static bool
ask(struct smtp_out *s)
{
	if (s->want_close)
		finish(s);
	else if (take_flag(&s->want_tls))
		s->ops->starttls(s->ctx);
	else if (take_flag(&s->want_ready))
		s->ops->ready(s->ctx);
	else if (take_flag(&s->want_body))
		ask_body(s);
	else
		return false;
	return !s->closed;
}

void
out_turn(struct smtp_out *s)
{
	if (s->running || s->closed)
		return;
	s->running = true;
	do {
		while (step(s))
			;
		flush(s);
	} while (ask(s));
	s->running = false;
}
