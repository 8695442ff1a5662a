/* conn_io.c - the bytes of a connection, in and out.
 *
 * What is read lies in memory that all connections share (one loop thread, and nobody keeps it beyond on_data);
 * only what the owner leaves is kept by the connection. Both may hold passwords: what is done with is overwritten. */
#include "conn_own.h"

#include <errno.h>
#include <sys/socket.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

enum { LINGER_BYTES = 1024 * 1024 };

void
queue_add(struct queue *q, struct str bytes)
{
	if (q->at > 0 && q->at >= q->b.n / 2) {
		buf_drop(&q->b, q->at);
		q->at = 0;
	}
	buf_add(&q->b, bytes);
}

void
queue_took(struct queue *q, size_t n)
{
	q->at += n;
	if (q->at < q->b.n)
		return;
	buf_wipe(&q->b);
	q->at = 0;
}

/* The bytes that were dropped are in no memory any more. */
static void
drop_in(struct conn *c, size_t n)
{
	size_t had = c->in.n;

	buf_drop(&c->in, n);
	mem_wipe(c->in.p + c->in.n, had - c->in.n);
}

static size_t
ask_owner(struct conn *c, struct str bytes)
{
	struct conn_tls *before = c->tls;
	size_t took;

	c->delivering = true;
	took = c->ops->on_data(c->ctx, bytes);
	c->delivering = false;
	ASSERT(took <= bytes.n);
	if (c->tls == before || took == bytes.n)
		return took;
	/* TLS begins behind what was taken: the rest was sent in the clear */
	if (c->injected == CONN_INJECTED_CLOSE)
		conn_fail(c, CONN_END_INJECTED);
	return bytes.n;
}

/* Gives bytes to the owner, after those that wait; keeps what he leaves. An owner who took a part has more to take at
 * once: he gets it in the next turn, for the peer may wait for an answer and send nothing that would bring it. */
static void
deliver(struct conn *c, struct str bytes)
{
	bool waiting = c->in.n > 0;
	size_t took = 0;

	if (c->phase != CONN_OPEN)
		return;
	if (waiting || c->paused)
		buf_add(&c->in, bytes);
	if (waiting)
		bytes = buf_str(&c->in);
	if (c->paused || bytes.n == 0)
		return;
	took = ask_owner(c, bytes);
	if (waiting)
		drop_in(c, took);
	else
		buf_add(&c->in, str_sub(bytes, took, bytes.n));
	if (c->in.n == 0)
		buf_wipe(&c->in);
	else if (took > 0 && !c->paused && !c->freed)
		conn_redeliver_soon(c);
}

static void
tell_eof(struct conn *c)
{
	if (!c->eof || c->eof_told || c->paused || c->freed || c->redeliver || c->phase != CONN_OPEN)
		return;
	c->eof_told = true;
	if (c->tls != NULL && !c->tls->done)
		conn_fail(c, CONN_END_TLS);
	else if (c->ops->on_eof != NULL)
		c->ops->on_eof(c->ctx);
	else
		conn_close_for(c, CONN_END_EOF);
}

static void
take_in(struct conn *c, struct str bytes)
{
	static char clear[CONN_CLEAR_MAX];

	conn_wait_restart(c, CONN_WAIT_IDLE);
	if (c->tls != NULL)
		bytes = str_from(clear, conn_tls_feed(c, bytes, clear));
	if (!c->freed) {
		c->bytes_in += bytes.n;
		deliver(c, bytes);
	}
	mem_wipe(clear, c->tls != NULL ? bytes.n : 0);
}

void
conn_io_read(struct conn *c)
{
	static char wire[CONN_TURN_BYTES];
	ssize_t n = recv(c->fd, wire, sizeof wire, MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (c->phase == CONN_LINGERING) {
		c->lingered += n > 0 ? (size_t)n : 0;
		c->eof = n <= 0 || c->lingered > LINGER_BYTES;
		return;
	}
	if (n == -1) {
		conn_fail(c, CONN_END_ERROR);
		return;
	}
	c->eof = n == 0;
	if (n > 0 && c->phase == CONN_OPEN)
		take_in(c, str_from(wire, (size_t)n));
	tell_eof(c);
}

void
conn_io_redeliver(struct conn *c)
{
	if (c->tls != NULL && !c->tls->begun && c->tls->side == CONN_CLIENT)
		conn_tls_feed(c, STR(""), NULL);
	if (!c->redeliver)
		return;
	c->redeliver = false;
	deliver(c, STR(""));
	tell_eof(c);
}

/* False when the socket takes no more now, or failed. */
static bool
send_wire(struct conn *c)
{
	while (queue_left(&c->wire) > 0) {
		ssize_t n = send(c->fd, c->wire.b.p + c->wire.at, queue_left(&c->wire), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno != EAGAIN)
			conn_fail(c, CONN_END_ERROR);
		if (n == -1)
			return false;
		queue_took(&c->wire, (size_t)n);
		conn_wait_stop(c, CONN_WAIT_STALL);
	}
	return true;
}

bool
conn_io_can_send(const struct conn *c)
{
	return queue_left(&c->wire) > 0 ||
	       (c->tls != NULL && c->tls->done && !c->tls->broken && queue_left(&c->tls->clear) > 0);
}

void
conn_io_flush(struct conn *c)
{
	bool goes_on;

	do {
		if (c->tls != NULL)
			conn_tls_seal(c);
		goes_on = send_wire(c);
	} while (goes_on && conn_io_can_send(c));
	if (queue_left(&c->wire) > 0 && c->due[CONN_WAIT_STALL].ns == 0)
		conn_wait_restart(c, CONN_WAIT_STALL);
}

/* An unread byte in our socket would turn a close into a reset, and the reset can overtake the last line on its
 * way: so our half is closed first and what still comes is thrown away. */
void
conn_io_linger(struct conn *c)
{
	if (c->tls != NULL)
		conn_tls_goodbye(c);
	send_wire(c); /* a goodbye that does not fit is not worth waiting for */
	if (c->phase != CONN_CLOSING)
		return;
	c->phase = CONN_LINGERING;
	if (shutdown(c->fd, SHUT_WR) == -1)
		c->eof = true;
	c->linger_due = mono_add_ms(mono_now(), CONN_LINGER_MS);
}
