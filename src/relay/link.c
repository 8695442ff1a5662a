/* link.c - one connection: bytes between socket and session, time, and who uses it.
 *
 * What the session wants is noted (link_session.c); link_settle() does it once the call into the session is over. So no
 * call into the session nests, and a user may free the link in any callback. */
#include "link.h"

#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

/* --- life --- */

static void
free_text(char *text)
{
	if (text != NULL)
		mem_wipe(text, strlen(text));
	free(text);
}

static void
destroy(struct link *l)
{
	struct relay *r = l->relay;

	LIST_REMOVE(l, entry);
	if (l->out != NULL)
		smtp_out_free(l->out);
	conn_free(l->conn);
	loop_timer_fini(&l->tick);
	conf_unref(l->conf);
	free_text(l->user);
	free_text(l->password);
	free(l->about.key);
	free(l->about.host);
	free(l->about.why);
	free(l);
	r->counts.connections--;
	relay_slot_free(r);
}

void
link_free(struct link *l)
{
	l->state = LINK_LEAVING;
	if (l->settling)
		l->dead = true;
	else
		destroy(l);
}

void
link_use(struct link *l, const struct link_ops *ops, void *ctx)
{
	l->ops = ops;
	l->ctx = ctx;
}

/* --- settling --- */

static bool
has_due(const struct link *l)
{
	return l->due.ns != 0 && (l->state == LINK_READY || l->state == LINK_BUSY);
}

/* The session's deadline, or ours. */
static void
arm(struct link *l)
{
	struct mono when = l->due, session;
	bool any = has_due(l);
	int64_t ms;

	if (l->out != NULL && smtp_out_deadline(l->out, &session)) {
		when = !any || mono_before(session, when) ? session : when;
		any = true;
	}
	ms = any ? mono_ms_between(when, mono_now()) : 0;
	if (any)
		loop_timer_start(&l->tick, ms > 0 ? ms : 0);
	else
		loop_timer_stop(&l->tick);
}

/* Whether what is queued for the host is still worth sending. */
static bool
is_polite(enum smtp_out_why why)
{
	return why != SMTP_OUT_LOST && why != SMTP_OUT_SLOW && why != SMTP_OUT_BROKEN && why != SMTP_OUT_UNREAD &&
	       why != SMTP_OUT_GOING && why != SMTP_OUT_INJECTED;
}

static void
end(struct link *l)
{
	enum link_state was = l->state;

	l->state = LINK_LEAVING;
	l->closed = false;
	if (is_polite(l->end.why))
		conn_close(l->conn);
	else
		l->dead = true;
	if (was == LINK_BUSY)
		l->ops->done(l->ctx, &l->end);
	else if (was != LINK_LEAVING)
		l->ops->over(l->ctx, &l->end);
}

static const struct smtp_out_end quit = { .why = SMTP_OUT_QUIT, .stage = SMTP_OUT_AT_QUIT, .enhanced = "2.0.0" };

/* A message is over, and the session goes on, or has taken as many as it may. */
static void
finish(struct link *l)
{
	bool more = l->ready, busy = l->state == LINK_BUSY;

	l->finished = l->ready = false;
	if (!busy)
		return;
	l->state = more ? LINK_READY : LINK_LEAVING;
	l->ops->done(l->ctx, more ? NULL : &quit);
}

static void
greet(struct link *l)
{
	l->ready = false;
	if (l->state != LINK_GREETING)
		return;
	l->state = LINK_READY;
	l->tls.offered = smtp_out_offers_starttls(l->out);
	l->decision = NULL;
	l->ops->greeted(l->ctx);
}

static bool
step(struct link *l)
{
	if (l->dead)
		return false;
	if (l->finished && !l->closed)
		finish(l);
	else if (l->closed)
		end(l);
	else if (l->want_tls)
		link_tls_begin(l);
	else if (l->ready)
		greet(l);
	else if (l->want_body && !conn_full(l->conn))
		link_session_piece(l);
	else
		return false;
	return true;
}

/* The link may be gone when this returns. */
void
link_settle(struct link *l)
{
	if (l->settling)
		return;
	l->settling = true;
	while (step(l))
		;
	l->settling = false;
	if (l->dead)
		destroy(l);
	else
		arm(l);
}

/* --- what the connection brings --- */

/* All of it before anything else: what stands behind the reply to STARTTLS must be seen in the clear. */
static size_t
on_data(void *ctx, struct str bytes)
{
	struct link *l = ctx;
	size_t n = bytes.n;

	if (l->out == NULL)
		return 0; /* TLS is due */
	while (bytes.n > 0 && !l->closed) {
		smtp_out_feed(l->out, str_sub(bytes, 0, SMTP_OUT_FEED_MAX));
		bytes = str_sub(bytes, SMTP_OUT_FEED_MAX, bytes.n);
	}
	link_settle(l);
	return n;
}

static void
on_secure(void *ctx)
{
	struct link *l = ctx;
	struct smtp_out_tls tls;

	link_tls_note(l);
	tls.verified = l->tls.outcome.got >= TLS_LEVEL_VERIFY;
	if (l->out == NULL)
		link_session_begin(l, &tls);
	else
		smtp_out_tls_started(l->out, &tls);
	link_settle(l);
}

static void
on_drained(void *ctx)
{
	link_settle(ctx);
}

static void
on_eof(void *ctx)
{
	struct link *l = ctx;

	if (l->out != NULL)
		smtp_out_eof(l->out);
	link_settle(l);
}

static void
tell_end(struct link *l, enum conn_end why)
{
	if (l->tls.tried && !l->tls.stands)
		link_tls_fail(l, why == CONN_END_WAIT ? "the server took too long" : NULL);
	else if (l->out != NULL)
		smtp_out_eof(l->out);
	else
		link_end_with(l, SMTP_OUT_LOST, SMTP_OUT_AT_HANDSHAKE, "4.4.2", str_of(conn_end_words(why)));
}

/* The connection is gone: who still uses it hears it now. */
static void
on_end(void *ctx, enum conn_end why)
{
	struct link *l = ctx;

	if (l->state != LINK_LEAVING)
		tell_end(l, why);
	l->settling = true;
	while (step(l))
		;
	destroy(l);
}

static const struct conn_ops conn_callbacks = {
	.on_data = on_data,
	.on_secure = on_secure,
	.on_drained = on_drained,
	.on_eof = on_eof,
	.on_end = on_end,
};

/* Settles after the call that is under way. */
static void
settle_soon(struct link *l)
{
	if (!l->settling)
		loop_timer_start(&l->tick, 0);
}

/* Its user hears of it now: who does not answer QUIT is nobody's any more, and has the session's deadline. */
static void
end_rest(struct link *l)
{
	l->state = LINK_LEAVING;
	smtp_out_quit(l->out);
	l->ops->over(l->ctx, &quit);
}

static void
on_tick(void *ctx)
{
	struct link *l = ctx;
	bool late = has_due(l) && !mono_before(mono_now(), l->due);

	if (late && l->state == LINK_READY)
		end_rest(l);
	else if (late)
		smtp_out_eof(l->out); /* as if it had hung up */
	else if (l->out != NULL)
		smtp_out_tick(l->out);
	link_settle(l);
}

/* --- its user --- */

static enum smtp_out_starttls
starttls_of(const struct link_query *q)
{
	if (q->protocol == PROTOCOL_SMTPS)
		return SMTP_OUT_TLS_FIRST;
	if (q->plain || q->decision->level == TLS_LEVEL_NONE)
		return SMTP_OUT_PLAIN;
	return q->decision->level == TLS_LEVEL_MAY ? SMTP_OUT_OFFERED : SMTP_OUT_DEMANDED;
}

static void
fill_conf(struct link *l, const struct link_query *q)
{
	l->user = mem_cstr(q->user);
	l->password = mem_cstr(q->password);
	l->out_conf = (struct smtp_out_conf){
		.hostname = q->conf->hostname,
		.protocol = q->protocol == PROTOCOL_LMTP ? SMTP_OUT_LMTP : SMTP_OUT_SMTP,
		.starttls = starttls_of(q),
		.user = str_of(l->user),
		.password = str_of(l->password),
		.password_to_anybody = q->to_anybody,
	};
}

struct link *
link_new(struct relay *r, const struct link_query *q, const struct link_ops *ops, void *ctx)
{
	struct link *l = NEW(struct link);

	l->relay = r;
	l->conf = conf_ref(q->conf);
	l->decision = q->decision;
	l->peer = q->peer;
	link_use(l, ops, ctx);
	fill_conf(l, q);
	LIST_INSERT_HEAD(&r->links, l, entry);
	r->counts.connections++;
	r->counts.connected++;
	loop_timer_init(&l->tick, r->loop, on_tick, l);
	l->conn = conn_new(r->loop, q->fd, &conn_callbacks, l);
	conn_wait(l->conn, CONN_WAIT_HANDSHAKE, LINK_HANDSHAKE_MS);
	if (l->out_conf.starttls == SMTP_OUT_TLS_FIRST)
		l->want_tls = true;
	else
		link_session_begin(l, NULL);
	settle_soon(l);
	return l;
}

static int64_t
mail_ms(const struct envelope_reader *m)
{
	return (LINK_MAIL_SECONDS + (int64_t)((m->prefix_n + m->body_n) / LINK_BYTES_PER_SECOND)) * 1000;
}

bool
link_send(struct link *l, const struct smtp_out_mail *mail, const struct envelope_reader *message)
{
	ASSERT(l->state == LINK_READY);
	l->state = LINK_BUSY;
	l->message = message;
	l->at = 0;
	l->due = mono_add_ms(mono_now(), mail_ms(message));
	if (!smtp_out_send(l->out, mail))
		l->state = LINK_LEAVING;
	settle_soon(l);
	return l->state == LINK_BUSY;
}

void
link_rest(struct link *l, int64_t ms)
{
	ASSERT(l->state == LINK_READY);
	l->due = mono_add_ms(mono_now(), ms);
	settle_soon(l);
}

void
link_quit(struct link *l)
{
	ASSERT(l->state == LINK_READY);
	l->state = LINK_LEAVING;
	smtp_out_quit(l->out);
	settle_soon(l);
}
