/* conn.c - one connection: its life and its face.
 *
 * Every event (descriptor, timer, a turn we queued ourselves) comes through run(): it is handled, then the
 * connection settles: what was written meanwhile leaves in one go, the phase moves on, the next events are watched
 * for. So conn_write only queues, callbacks never nest, and an owner may free the connection in any of them. */
#include "conn_own.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

void
conn_fail(struct conn *c, enum conn_end why)
{
	if (c->phase >= CONN_LINGERING)
		return;
	c->phase = CONN_LINGERING;
	c->why = why;
	c->eof = true; /* nothing to linger for */
}

void
conn_close_for(struct conn *c, enum conn_end why)
{
	if (c->phase != CONN_OPEN)
		return;
	c->phase = CONN_CLOSING;
	c->why = why;
}

static void
destroy(struct conn *c)
{
	conn_tls_free(c->tls);
	buf_wipe(&c->in);
	buf_wipe(&c->wire.b);
	free(c);
}

static void
stop_events(struct conn *c)
{
	loop_io_fini(&c->io);
	loop_timer_fini(&c->timer);
}

/* Over: nothing is watched any more, on_end is the last call. */
static void
finish(struct conn *c)
{
	c->phase = CONN_ENDED;
	stop_events(c);
	c->ops->on_end(c->ctx, c->why);
}

static void
tell_drained(struct conn *c)
{
	if (!c->full || conn_queued(c) > CONN_LOW || c->phase != CONN_OPEN)
		return;
	c->full = false;
	if (c->ops->on_drained != NULL)
		c->ops->on_drained(c->ctx);
}

static bool
wants_bytes(const struct conn *c)
{
	bool full = c->full && (c->tls == NULL || c->tls->done); /* a handshake needs the peer's bytes to go on */

	if (c->phase == CONN_OPEN)
		return !c->eof && !full && c->in.n < CONN_IN_MAX;
	return c->phase == CONN_LINGERING;
}

static void
settle(struct conn *c)
{
	if (c->phase <= CONN_CLOSING)
		conn_io_flush(c);
	if (c->phase == CONN_CLOSING && !conn_io_can_send(c))
		conn_io_linger(c);
	if (c->phase == CONN_LINGERING && c->eof) {
		finish(c);
		return;
	}
	tell_drained(c);
	if (c->freed)
		return;
	/* what on_drained wrote leaves in the next turn, so that others get theirs first */
	loop_io_watch(&c->io, (wants_bytes(c) ? LOOP_READ : 0) | (conn_io_can_send(c) ? LOOP_WRITE : 0));
	conn_wait_arm(c);
}

static void
run(struct conn *c, void (*step)(struct conn *c))
{
	if (c->phase != CONN_ENDED && !c->freed) {
		c->running = true;
		step(c);
		if (!c->freed)
			settle(c);
		c->running = false;
	}
	if (c->freed && !c->deferred)
		destroy(c);
}

static void
nothing(struct conn *c)
{
	(void)c;
}

static void
on_io(void *ctx, int ready)
{
	run(ctx, ready & LOOP_READ ? conn_io_read : nothing);
}

static void
on_timer(void *ctx)
{
	run(ctx, conn_wait_fire);
}

static void
on_turn(void *ctx)
{
	struct conn *c = ctx;

	c->deferred = false;
	run(c, conn_io_redeliver);
}

/* A turn of our own, after whatever runs now. */
static void
queue_turn(struct conn *c)
{
	if (c->deferred || c->phase == CONN_ENDED)
		return;
	c->deferred = true;
	loop_defer(c->loop, on_turn, c);
}

static void
settle_later(struct conn *c)
{
	if (!c->running)
		queue_turn(c);
}

struct conn *
conn_new(struct loop *l, int fd, const struct conn_ops *ops, void *ctx)
{
	struct conn *c = NEW(struct conn);
	int on = 1;

	c->loop = l;
	c->fd = fd;
	c->ops = ops;
	c->ctx = ctx;
	buf_init(&c->in, CONN_IN_MAX + CONN_CLEAR_MAX);
	buf_init(&c->wire.b, 2 * CONN_OUT_MAX);
	c->wait_ms[CONN_WAIT_HANDSHAKE] = CONN_HANDSHAKE_MS;
	c->wait_ms[CONN_WAIT_STALL] = CONN_STALL_MS;
	io_nonblock(fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* not for AF_UNIX, which has no delay */
	loop_io_init(&c->io, l, fd, on_io, c);
	loop_timer_init(&c->timer, l, on_timer, c);
	loop_io_watch(&c->io, LOOP_READ);
	return c;
}

void
conn_free(struct conn *c)
{
	if (c->freed)
		return;
	c->freed = true;
	stop_events(c);
	io_close(&c->fd);
	if (!c->running && !c->deferred)
		destroy(c);
}

void
conn_set_ops(struct conn *c, const struct conn_ops *ops, void *ctx)
{
	c->ops = ops;
	c->ctx = ctx;
}

void
conn_write(struct conn *c, struct str bytes)
{
	if (c->phase != CONN_OPEN || c->freed || bytes.n == 0)
		return;
	c->bytes_out += bytes.n;
	if (conn_queued(c) + bytes.n > CONN_OUT_MAX)
		conn_fail(c, CONN_END_OVERFLOW);
	else
		queue_add(c->tls != NULL ? &c->tls->clear : &c->wire, bytes);
	c->full |= conn_queued(c) > CONN_HIGH;
	settle_later(c);
}

bool
conn_full(const struct conn *c)
{
	return conn_queued(c) > CONN_HIGH;
}

size_t
conn_queued(const struct conn *c)
{
	return queue_left(&c->wire) + (c->tls != NULL ? queue_left(&c->tls->clear) : 0);
}

void
conn_close(struct conn *c)
{
	conn_close_for(c, CONN_END_CLOSED);
	settle_later(c);
}

void
conn_pause(struct conn *c)
{
	c->paused = true;
}

void
conn_redeliver_soon(struct conn *c)
{
	c->redeliver = true;
	queue_turn(c);
}

void
conn_resume(struct conn *c)
{
	c->paused = false;
	conn_redeliver_soon(c);
}

void
conn_secure(struct conn *c, SSL *ssl, enum conn_side side, enum conn_injected injected, struct str plain)
{
	ASSERT(c->tls == NULL);
	conn_tls_begin(c, ssl, side, plain);
	c->injected = injected;
	if (!c->delivering && c->in.n > 0) {
		buf_fini(&c->in);
		if (injected == CONN_INJECTED_CLOSE)
			conn_fail(c, CONN_END_INJECTED);
	}
	conn_wait_restart(c, CONN_WAIT_HANDSHAKE);
	queue_turn(c); /* a client speaks first */
}

SSL *
conn_ssl(const struct conn *c)
{
	return c->tls != NULL ? c->tls->ssl : NULL;
}

bool
conn_is_secure(const struct conn *c)
{
	return c->tls != NULL && c->tls->done;
}

uint64_t
conn_bytes_in(const struct conn *c)
{
	return c->bytes_in;
}

uint64_t
conn_bytes_out(const struct conn *c)
{
	return c->bytes_out;
}

unsigned long
conn_tls_error(const struct conn *c)
{
	return c->tls != NULL ? c->tls->error : 0;
}

enum conn_wait
conn_ended_wait(const struct conn *c)
{
	return c->waited;
}

int
conn_fd(const struct conn *c)
{
	return c->fd;
}

const char *
conn_end_words(enum conn_end why)
{
	static const char *const words[] = {
		[CONN_END_CLOSED] = "closed",
		[CONN_END_EOF] = "the peer closed the connection",
		[CONN_END_ERROR] = "the connection broke",
		[CONN_END_TLS] = "TLS failed",
		[CONN_END_NOT_TLS] = "the peer does not speak TLS",
		[CONN_END_WAIT] = "timeout",
		[CONN_END_FLOOD] = "a flood of TLS messages without data",
		[CONN_END_OVERFLOW] = "the peer does not read what it asked for",
		[CONN_END_INJECTED] = "commands in the clear behind STARTTLS",
	};

	return words[why];
}
