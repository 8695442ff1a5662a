/* probe_shot.c - one connection of a probe. Everything ends in finish(), which calls done from the loop. */
#include "probe_shot.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

static void
finish(struct shot *s, enum shot_end end, const char *words)
{
	if (s->stage == SHOT_FINISHED)
		return;
	s->stage = SHOT_FINISHED;
	s->end = end;
	snprintf(s->words, sizeof s->words, "%s", words);
	loop_timer_start(&s->timer, 0);
}

static const char *const lost_at[] = {
	[SHOT_CONNECTING] = "no answer to the connection",
	[SHOT_TALKING] = "no answer before TLS",
	[SHOT_PEEKING] = "no answer to a ClientHello",
	[SHOT_SHAKING] = "the handshake does not end",
	[SHOT_INSIDE] = "no answer inside TLS",
	[SHOT_FINISHED] = "",
};

/* Nothing is heard yet of a server of which nothing is known. */
static bool
is_guessing(const struct shot *s)
{
	return s->aim.guess && s->aim.way == SHOT_STARTTLS && !s->heard;
}

/* Time is up, or all is over and told now. */
static void
on_timer(void *ctx)
{
	struct shot *s = ctx;

	s->stalled |= s->stage != SHOT_FINISHED;
	if (s->stage == SHOT_FINISHED)
		s->done(s->ctx, s);
	else if (s->stage == SHOT_CONNECTING)
		finish(s, SHOT_UNREACHED, lost_at[s->stage]);
	else if (is_guessing(s))
		finish(s, SHOT_SILENT, "no greeting");
	else if (s->aim.renegotiate && s->secure)
		finish(s, SHOT_OVER, "");
	else
		finish(s, SHOT_LOST, lost_at[s->stage]);
}

static void
send_talk(struct shot *s)
{
	conn_write(s->conn, buf_str(&s->talk.out));
	buf_clear(&s->talk.out);
}

/* --- TLS --- */

static void
on_info(const SSL *ssl, int where, int value)
{
	struct shot *s = SSL_get_app_data(ssl);

	(void)value;
	if ((where & SSL_CB_HANDSHAKE_DONE) == 0)
		return;
	s->shakes++;
	if (s->aim.renegotiate && s->shakes == 2) {
		s->renegotiated = true;
		finish(s, SHOT_OVER, "");
	}
}

int
shot_on_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct shot *s = SSL_get_app_data(ssl);
	long seconds = (long)SSL_SESSION_get_ticket_lifetime_hint(session);

	if (!SSL_SESSION_has_ticket(session))
		return 0;
	s->tickets++;
	s->early_data |= SSL_SESSION_get_max_early_data(session) > 0;
	if (seconds > s->ticket_lifetime)
		s->ticket_lifetime = seconds;
	return 0;
}

static void
begin_peek(struct shot *s)
{
	struct buf hello;

	buf_init(&hello, SIZE_MAX);
	tls_peek_write(s->aim.offer, &hello);
	s->stage = SHOT_PEEKING;
	conn_write(s->conn, buf_str(&hello));
	buf_fini(&hello);
}

static void
begin_tls(struct shot *s)
{
	if (s->aim.offer != NULL) {
		begin_peek(s);
		return;
	}
	s->stage = SHOT_SHAKING;
	if (SSL_set_app_data(s->aim.ssl, s) != 1)
		log_fatal("TLS: out of memory");
	SSL_set_info_callback(s->aim.ssl, on_info);
	conn_secure(s->conn, s->aim.ssl, CONN_CLIENT, CONN_INJECTED_DROP, STR(""));
	s->aim.ssl = NULL;
}

static void
renegotiate(struct shot *s)
{
	SSL *ssl = conn_ssl(s->conn);

	if (SSL_renegotiate(ssl) == 1)
		SSL_do_handshake(ssl);
	ERR_clear_error();
	loop_timer_start(&s->timer, SHOT_RENEGOTIATE_MS);
}

static void
on_secure(void *ctx)
{
	struct shot *s = ctx;

	s->stage = SHOT_INSIDE;
	s->secure = true;
	if (s->aim.renegotiate) {
		renegotiate(s);
		return;
	}
	if (s->aim.way != SHOT_TLS_FIRST)
		talk_secured(&s->talk);
	send_talk(s);
}

/* --- bytes --- */

static void
take_peek(struct shot *s, struct str bytes)
{
	s->found = tls_peek_feed(&s->peek, bytes);
	if (s->found == TLS_PEEK_CHOSEN)
		finish(s, SHOT_OVER, "");
	else if (s->found != TLS_PEEK_MORE)
		finish(s, SHOT_NO_TLS, s->found == TLS_PEEK_REFUSED ? "refused" : "what comes back is no TLS");
}

static void
take_talk(struct shot *s, struct str *in)
{
	enum talk_found found = talk_feed(&s->talk, in);

	send_talk(s);
	if (found == TALK_HANDSHAKE)
		begin_tls(s);
	else if (found == TALK_DONE)
		finish(s, SHOT_OVER, "");
	else if (found == TALK_STOPPED)
		finish(s, s->talk.stop == TALK_BUSY ? SHOT_LOST : SHOT_STOPPED, talk_stop_words(s->talk.stop));
}

/* The first bytes say who speaks. */
static void
guess(struct shot *s, struct str first)
{
	s->heard = true;
	loop_timer_start(&s->timer, SHOT_MS);
	if (!talk_guess(first, &s->talk.protocol))
		finish(s, SHOT_STOPPED, talk_stop_words(s->talk.stop = TALK_STRANGE));
}

static size_t
on_data(void *ctx, struct str bytes)
{
	struct shot *s = ctx;
	struct str in = bytes;

	if (s->stage == SHOT_PEEKING) {
		take_peek(s, bytes);
		return bytes.n;
	}
	if (s->aim.guess && !s->heard)
		guess(s, bytes);
	if (s->stage == SHOT_FINISHED || (s->aim.renegotiate && s->secure))
		return bytes.n;
	take_talk(s, &in);
	return s->stage == SHOT_FINISHED ? bytes.n : bytes.n - in.n;
}

static void
on_eof(void *ctx)
{
	struct shot *s = ctx;

	if (s->stage == SHOT_PEEKING)
		finish(s, SHOT_NO_TLS, "the server closed the connection");
	else if (s->aim.renegotiate && s->secure)
		finish(s, SHOT_OVER, "");
	else
		finish(s, SHOT_LOST, "the server closed the connection");
	conn_close(s->conn);
}

static void
on_end(void *ctx, enum conn_end why)
{
	struct shot *s = ctx;
	unsigned long code = conn_tls_error(s->conn);
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

	if (s->aim.renegotiate && s->secure)
		finish(s, SHOT_OVER, "");
	else if (s->stage == SHOT_SHAKING || why == CONN_END_TLS)
		finish(s, SHOT_NO_TLS, reason != NULL ? reason : "the server closed the connection");
	else if (s->stage == SHOT_PEEKING)
		finish(s, SHOT_NO_TLS, conn_end_words(why));
	else
		finish(s, SHOT_LOST, conn_end_words(why));
}

static const struct conn_ops ops = { .on_data = on_data, .on_secure = on_secure, .on_eof = on_eof, .on_end = on_end };

/* --- connecting --- */

static void
connected(struct shot *s)
{
	int error = 0;
	socklen_t n = sizeof error;

	loop_io_fini(&s->io);
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &n) == -1 || error != 0) {
		finish(s, SHOT_UNREACHED, strerror(error));
		return;
	}
	s->conn = conn_new(s->loop, s->fd, &ops, s);
	s->fd = -1;
	s->stage = SHOT_TALKING;
	loop_timer_start(&s->timer, is_guessing(s) ? SHOT_SILENCE_MS : SHOT_MS);
	if (s->aim.way == SHOT_TLS_FIRST)
		begin_tls(s);
}

static void
on_io(void *ctx, int ready)
{
	(void)ready;
	connected(ctx);
}

static void
start_connecting(struct shot *s)
{
	struct sockaddr_storage to;
	socklen_t n = addr_to_sockaddr(&s->aim.at, &to);

	s->fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd == -1 || (connect(s->fd, (const struct sockaddr *)&to, n) == -1 && errno != EINPROGRESS)) {
		finish(s, SHOT_UNREACHED, strerror(errno));
		return;
	}
	loop_io_init(&s->io, s->loop, s->fd, on_io, s);
	loop_io_watch(&s->io, LOOP_WRITE);
	loop_timer_start(&s->timer, SHOT_CONNECT_MS);
}

struct shot *
shot_start(struct loop *l, const struct shot_aim *aim, void (*done)(void *ctx, struct shot *s), void *ctx)
{
	struct shot *s = NEW(struct shot);

	s->loop = l;
	s->aim = *aim;
	s->fd = -1;
	s->done = done;
	s->ctx = ctx;
	talk_init(&s->talk, aim->protocol, aim->goal, aim->hostname, aim->way == SHOT_TLS_FIRST);
	tls_peek_init(&s->peek);
	loop_timer_init(&s->timer, l, on_timer, s);
	start_connecting(s);
	return s;
}

void
shot_free(struct shot *s)
{
	if (s == NULL)
		return;
	if (s->io.ev != NULL)
		loop_io_fini(&s->io);
	loop_timer_fini(&s->timer);
	if (s->conn != NULL)
		conn_free(s->conn);
	SSL_free(s->aim.ssl);
	io_close(&s->fd);
	talk_fini(&s->talk);
	tls_peek_fini(&s->peek);
	free(s);
}
