/* in_turn.c - the turn of a session: take what can be taken, reply, and then tell the role, once.
 *
 * Nothing else writes, logs a refusal or counts. A turn is never entered twice: an answer that comes from inside an
 * op is noted and taken by the turn that runs. */
#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "in_session.h"
#include "line.h"

/* --- replies --- */

static void
write_reply(struct smtp_in *s, const struct smtp_reply *r)
{
	smtp_reply_write(&s->out, r);
	if (r->after == SMTP_CLOSE)
		in_close(s);
}

static void
close_with(struct smtp_in *s, enum smtp_reply_name name)
{
	struct smtp_reply r = smtp_reply(name);

	in_log_refuse(s, &r);
	write_reply(s, &r);
}

static unsigned
errors_max(const struct smtp_in *s)
{
	return s->conf->errors > 0 ? s->conf->errors : SMTP_ERRORS_MAX;
}

static void
count(struct smtp_in *s, const struct smtp_reply *r)
{
	if (s->closed || s->want_close)
		return;
	if (s->verb != NULL && (s->verb->flags & V_CHAT) && ++s->chat > SMTP_CHAT_MAX)
		close_with(s, SMTP_TOO_MUCH_CHAT);
	else if (r->code >= 400 && !s->counted && ++s->errors >= errors_max(s))
		close_with(s, SMTP_TOO_MANY_ERRORS);
}

void
in_reply(struct smtp_in *s, struct smtp_reply r)
{
	if (smtp_reply_is_later(&r))
		return;
	if (r.code >= 400 && !s->told)
		in_log_refuse(s, &r);
	write_reply(s, &r);
	count(s, &r);
	s->counted = s->told = false;
	if (s->tx.ended) {
		in_tx_reset(s);
		s->state = IN_READY;
	}
	s->verb = NULL;
	arena_reset(&s->scratch);
	s->since = s->last_byte = mono_now();
	s->arrived = 0;
	s->swallowed = 0;
}

void
in_asking(struct smtp_in *s, enum in_ask ask, in_then *then)
{
	ASSERT(s->ask == ASK_NONE);
	s->ask = ask;
	s->answered = false;
	s->then = then;
}

void
in_drop_all(struct smtp_in *s)
{
	if (s->ask != ASK_NONE && s->ask != ASK_SINK && !s->answered)
		s->ops->cancel(s->ctx);
	s->ask = ASK_NONE;
	s->answered = false;
	if (s->auth_running)
		s->ops->auth_abort(s->ctx);
	s->auth_running = false;
	in_tx_reset(s);
}

void
in_close(struct smtp_in *s)
{
	s->reading = IN_OVER;
	s->want_close = true;
}

/* --- input --- */

/* What the line reader refuses ends the session: after it nobody knows where the next command begins. */
static struct smtp_reply
framing_reply(enum line_found found)
{
	switch (found) {
	case LINE_LONG:
		return smtp_reply(SMTP_LINE_LONG);
	case LINE_BARE:
		return smtp_reply(SMTP_BARE_BYTE);
	case LINE_TLS:
		return smtp_reply(SMTP_TLS_HERE);
	default:
		return smtp_reply(SMTP_NOT_SMTP);
	}
}

static size_t
line_max(const struct smtp_in *s)
{
	return s->reading == IN_AUTH || auth_is_offered(s) ? SMTP_AUTH_LINE_MAX : SMTP_LINE_MAX;
}

/* Takes n bytes off the input. Where a secret may have been, held bytes are wiped: the buffer lives on. */
static void
take_input(struct smtp_in *s, size_t n)
{
	if (s->held.n > 0 && s->input.p >= s->held.p && s->input.p < s->held.p + s->held.n && auth_is_offered(s))
		mem_wipe(s->held.p + (s->input.p - s->held.p), n);
	s->input = str_sub(s->input, n, s->input.n);
}

static void
run_line(struct smtp_in *s, struct str line, size_t used)
{
	char *copy = arena_cstr(&s->scratch, line); /* outlives the input while a question is open */
	struct str kept = str_from(copy, line.n);
	bool secret = s->reading == IN_AUTH || auth_is_offered(s);
	struct smtp_reply r;

	take_input(s, used);
	r = s->reading == IN_AUTH ? auth_line(s, kept) : in_verb_run(s, kept);
	if (secret)
		mem_wipe(copy, line.n);
	in_reply(s, r);
}

static bool
read_line(struct smtp_in *s)
{
	struct str line;
	size_t used = 0;
	enum line_found found = line_find(s->input, line_max(s), &line, &used);

	if (found == LINE_MORE)
		return false;
	if (found == LINE_OK)
		run_line(s, line, used);
	else
		in_reply(s, framing_reply(found));
	return true;
}

/* One step; false when nothing can go on before something comes from outside. */
static bool
step(struct smtp_in *s)
{
	if (s->answered) {
		s->answered = false;
		s->ask = ASK_NONE;
		in_reply(s, s->then(s));
		return true;
	}
	if (s->ask != ASK_NONE)
		return false;
	switch (s->reading) {
	case IN_COMMAND:
	case IN_AUTH:
		return read_line(s);
	case IN_DATA:
		return in_data_read(s);
	case IN_CHUNK_BYTES:
		return in_chunk_read(s);
	default:
		return false;
	}
}

/* --- telling the role --- */

enum { OUT_HELD_MAX = 1024 };

/* RFC 2920 3.2: the replies to commands that came together may leave together. What a recipient is, is answered from
 * memory within the same breath. */
static bool
is_worth_waiting(const struct smtp_in *s)
{
	return s->ask == ASK_RESOLVE && !s->answered && !s->want_close && s->out.n < OUT_HELD_MAX;
}

static void
flush(struct smtp_in *s)
{
	ASSERT(!s->out.over);
	if (is_worth_waiting(s))
		return;
	if (s->out.n > 0 && !s->gone)
		s->ops->write(s->ctx, buf_str(&s->out));
	buf_fini(&s->out);
}

static void
finish_close(struct smtp_in *s)
{
	in_drop_all(s);
	buf_wipe(&s->held);
	s->input = (struct str){ 0 };
	s->closed = true;
	s->ops->close(s->ctx);
}

static void
keep_rest(struct smtp_in *s)
{
	if (s->input.n == 0)
		buf_fini(&s->held);
	else if (s->held.n > 0)
		buf_drop(&s->held, s->held.n - s->input.n);
	else
		buf_add(&s->held, s->input);
	s->input = buf_str(&s->held);
	ASSERT(!s->held.over);
}

static void
brake(struct smtp_in *s)
{
	bool much = s->held.n > SMTP_BACKLOG_MAX;

	if (much && !s->paused)
		s->ops->pause(s->ctx);
	else if (!much && s->paused)
		s->ops->resume(s->ctx);
	s->paused = much;
}

void
in_turn(struct smtp_in *s)
{
	if (s->running || s->closed)
		return;
	s->running = true;
	while (step(s))
		;
	if (s->stopping && s->reading == IN_COMMAND && s->ask == ASK_NONE && (s->state & (IN_START | IN_READY)))
		in_reply(s, smtp_reply(SMTP_SHUTTING_DOWN));
	if (s->gone && s->ask == ASK_NONE)
		in_close(s);
	flush(s);
	if (s->want_close) {
		finish_close(s);
	} else {
		keep_rest(s);
		brake(s);
		if (s->want_tls) {
			s->want_tls = false;
			s->ops->starttls(s->ctx);
		}
	}
	s->running = false;
}
