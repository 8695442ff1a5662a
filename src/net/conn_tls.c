/* conn_tls.c - TLS on a connection: OpenSSL between two queues of bytes.
 *
 * All that came in a turn is fed at once and what comes out is collected, so ticket and first answer leave together
 * and a record costs no system call of its own. A peer who sends messages without data (KeyUpdate, renegotiation,
 * alerts; empty records OpenSSL counts itself) is cut off after CONN_TLS_CONTROL_MAX, in the middle of his bytes. */
#include "conn_own.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/net/sniff.h>

static int
feed_read(BIO *bio, char *to, int size)
{
	struct conn_tls *t = BIO_get_data(bio);
	size_t n = t->feed.n < (size_t)size ? t->feed.n : (size_t)size;

	BIO_clear_retry_flags(bio);
	if (t->flood)
		return -1;
	if (n == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(to, t->feed.p, n);
	t->feed = str_sub(t->feed, n, t->feed.n);
	return (int)n;
}

static int
wire_write(BIO *bio, const char *p, int n)
{
	struct conn_tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	queue_add(&t->conn->wire, str_from(p, (size_t)n));
	return t->conn->wire.b.over ? -1 : n;
}

static long
bio_ctrl(BIO *bio, int what, long number, void *p)
{
	(void)bio;
	(void)number;
	(void)p;
	return what == BIO_CTRL_FLUSH;
}

static const BIO_METHOD *
bio_method(void)
{
	static BIO_METHOD *m;

	if (m != NULL)
		return m;
	m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "postern connection");
	if (m == NULL || !BIO_meth_set_read(m, feed_read) || !BIO_meth_set_write(m, wire_write) ||
	    !BIO_meth_set_ctrl(m, bio_ctrl))
		log_fatal("TLS: out of memory");
	return m;
}

/* Sees every message; those of the peer without data are counted once the handshake is done. */
static void
on_message(int outgoing, int version, int type, const void *p, size_t n, SSL *ssl, void *arg)
{
	struct conn_tls *t = arg;

	(void)version;
	(void)p;
	(void)n;
	(void)ssl;
	if (outgoing || !t->done || (type != SSL3_RT_HANDSHAKE && type != SSL3_RT_ALERT))
		return;
	t->control++;
	if (t->control > CONN_TLS_CONTROL_MAX + (uint64_t)mono_ms_between(mono_now(), t->since) / 60000)
		t->flood = true;
}

void
conn_tls_begin(struct conn *c, SSL *ssl, enum conn_side side, struct str plain)
{
	struct conn_tls *t = NEW(struct conn_tls);
	BIO *bio = BIO_new(bio_method());

	if (bio == NULL)
		log_fatal("TLS: out of memory");
	*t = (struct conn_tls){ .ssl = ssl, .conn = c, .side = side, .plain = plain };
	buf_init(&t->clear.b, 2 * CONN_OUT_MAX);
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_set_msg_callback(ssl, on_message);
	SSL_set_msg_callback_arg(ssl, t);
	if (side == CONN_SERVER)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	c->tls = t;
}

void
conn_tls_free(struct conn_tls *t)
{
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	buf_wipe(&t->clear.b);
	free(t);
}

static void
fail_tls(struct conn *c)
{
	struct conn_tls *t = c->tls;

	if (t->error == 0)
		t->error = ERR_peek_error();
	ERR_clear_error();
	t->broken = true;
	conn_close_for(c, t->flood ? CONN_END_FLOOD : CONN_END_TLS); /* the alert still goes out */
}

/* What OpenSSL's refusal means: more bytes are needed, the peer's last record came, or it failed. */
static void
on_stop(struct conn *c, int result)
{
	switch (SSL_get_error(c->tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		break;
	case SSL_ERROR_ZERO_RETURN:
		c->eof = true;
		break;
	default:
		fail_tls(c);
	}
}

/* A server knows by the first byte who did not mean to speak TLS (RFC 8446 5.1: 22, a handshake). Browsers get no
 * answer: one they can be made to show would be a gift to whoever sent them here (ALPACA). */
static bool
speaks_tls(struct conn *c)
{
	struct conn_tls *t = c->tls;

	if (t->begun || t->feed.n == 0 || t->side == CONN_CLIENT || t->feed.p[0] == 0x16)
		return true;
	if (sniff_first(t->feed) == SNIFF_OTHER)
		queue_add(&c->wire, t->plain);
	t->broken = true;
	conn_close_for(c, CONN_END_NOT_TLS);
	return false;
}

static void
shake_hands(struct conn *c)
{
	struct conn_tls *t = c->tls;
	int result = SSL_do_handshake(t->ssl);

	if (result != 1) {
		on_stop(c, result);
		return;
	}
	t->done = true;
	t->since = mono_now();
	conn_wait_stop(c, CONN_WAIT_HANDSHAKE);
	if (c->ops->on_secure != NULL)
		c->ops->on_secure(c->ctx);
}

static size_t
decrypt(struct conn *c, char *clear)
{
	size_t n = 0;

	while (n < CONN_CLEAR_MAX) {
		int got = SSL_read(c->tls->ssl, clear + n, (int)(CONN_CLEAR_MAX - n));

		if (got <= 0) {
			on_stop(c, got);
			break;
		}
		n += (size_t)got;
	}
	return n;
}

size_t
conn_tls_feed(struct conn *c, struct str wire, char *clear)
{
	struct conn_tls *t = c->tls;
	size_t n = 0;

	t->feed = wire;
	if (!speaks_tls(c))
		return 0;
	t->begun = true;
	ERR_clear_error();
	if (!t->done)
		shake_hands(c);
	if (t->done && c->phase == CONN_OPEN && !c->freed && t->feed.n > 0)
		n = decrypt(c, clear);
	t->feed = (struct str){ 0 };
	return n;
}

void
conn_tls_seal(struct conn *c)
{
	struct conn_tls *t = c->tls;

	while (t->done && !t->broken && queue_left(&t->clear) > 0 && queue_left(&c->wire) < CONN_TURN_BYTES) {
		size_t left = queue_left(&t->clear);
		int n;

		ERR_clear_error();
		n = SSL_write(t->ssl, t->clear.b.p + t->clear.at,
		    left < SSL3_RT_MAX_PLAIN_LENGTH ? (int)left : SSL3_RT_MAX_PLAIN_LENGTH);
		if (n > 0)
			queue_took(&t->clear, (size_t)n);
		else
			fail_tls(c);
	}
}

void
conn_tls_goodbye(struct conn *c)
{
	ERR_clear_error();
	if (c->tls->done && !c->tls->broken)
		SSL_shutdown(c->tls->ssl);
}
