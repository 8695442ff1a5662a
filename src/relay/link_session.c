/* link_session.c - the SMTP session of a link: what it wants is noted, what it says of recipients goes to the user. */
#include <stdio.h>

#include <postern/core/log.h>

#include "link.h"

static void
on_write(void *ctx, struct str bytes)
{
	conn_write(((struct link *)ctx)->conn, bytes);
}

static void
on_starttls(void *ctx)
{
	((struct link *)ctx)->want_tls = true;
}

static void
on_ready(void *ctx)
{
	((struct link *)ctx)->ready = true;
}

static void
on_body(void *ctx)
{
	((struct link *)ctx)->want_body = true;
}

static void
on_result(void *ctx, size_t i, const struct smtp_out_result *r)
{
	struct link *l = ctx;

	if (l->state == LINK_BUSY)
		l->ops->result(l->ctx, i, r);
}

static void
on_done(void *ctx)
{
	struct link *l = ctx;

	l->finished = true;
	l->want_body = false;
}

static void
keep_end(struct link *l, const struct smtp_out_end *end)
{
	size_t n = end->words.n < sizeof(l->end_words) ? end->words.n : sizeof(l->end_words);

	memcpy(l->end_words, end->words.p, n);
	l->end = *end;
	l->end.words = str_from(l->end_words, n);
	l->closed = true;
}

static void
on_close(void *ctx, const struct smtp_out_end *end)
{
	keep_end(ctx, end);
}

void
link_end_with(struct link *l, enum smtp_out_why why, enum smtp_out_stage stage, const char *enhanced, struct str words)
{
	struct smtp_out_end end = { .why = why, .stage = stage, .words = words };

	snprintf(end.enhanced, sizeof(end.enhanced), "%s", enhanced);
	keep_end(l, &end);
}

static const struct smtp_out_ops session_ops = {
	.write = on_write,
	.starttls = on_starttls,
	.ready = on_ready,
	.body = on_body,
	.result = on_result,
	.done = on_done,
	.close = on_close,
};

void
link_session_begin(struct link *l, const struct smtp_out_tls *tls)
{
	l->out = smtp_out_new(&session_ops, l, &l->out_conf, tls);
	smtp_out_start(l->out);
}

/* --- the message --- */

/* The file is read here: a page that is not in memory costs a little of everybody's time, a thread more of it. */
void
link_session_piece(struct link *l)
{
	struct buf *piece = &l->relay->piece;
	const struct envelope_reader *m = l->message;
	uint64_t total = m->prefix_n + m->body_n;
	struct err e;

	l->want_body = false;
	buf_clear(piece);
	if (!envelope_read_message(m, l->at, LINK_PIECE, piece, &e) || (piece->n == 0 && l->at < total)) {
		log_say(LEVEL_ERROR, "error", "relay: cannot read a message: %s", e.log);
		smtp_out_body_failed(l->out);
		return;
	}
	l->at += piece->n;
	smtp_out_body(l->out, buf_str(piece), l->at >= total ? SMTP_OUT_LAST : SMTP_OUT_MORE);
}
