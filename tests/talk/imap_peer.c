/* imap_peer.c - the runner of IMAP transcripts in process. */
#include "imap_peer.h"

#include <stdlib.h>
#include <time.h>

#include <postern/core/clock.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/message/charset.h>

static void
peer_open(void *ctx, unsigned conn)
{
	struct world *w = ctx;

	if (!w->conns[conn].open && !w->imaps)
		world_connect(w, conn);
}

static void
peer_feed(void *ctx, unsigned conn, struct str bytes)
{
	world_feed(ctx, conn, bytes);
}

static void
peer_take(void *ctx, unsigned conn, struct buf *out, int wait_ms)
{
	struct imap_conn *c = &((struct world *)ctx)->conns[conn];

	(void)wait_ms;
	if (c->stalled)
		return;
	buf_add(out, buf_str(&c->said));
	buf_clear(&c->said);
}

static bool
peer_closed(void *ctx, unsigned conn, int wait_ms)
{
	(void)wait_ms;
	return ((struct world *)ctx)->conns[conn].closed;
}

/* The client is gone: the session ends without a word. */
static void
peer_close(void *ctx, unsigned conn)
{
	struct world *w = ctx;
	struct imap_conn *c = &w->conns[conn];

	imap_front_free(c->front);
	imap_session_free(c->session);
	c->front = NULL;
	c->session = NULL;
	c->closed = true;
	world_drive(w);
}

/* After STARTTLS, or a connection that begins in TLS. */
static bool
peer_tls(void *ctx, unsigned conn)
{
	struct world *w = ctx;
	struct imap_conn *c = &w->conns[conn];

	if (!c->open && w->imaps) {
		world_connect(w, conn);
		return true;
	}
	if (!c->handshake)
		return false;
	c->handshake = false;
	imap_front_tls(c->front);
	world_drive(w);
	return true;
}

static void
peer_step(void *ctx, int64_t ms)
{
	clock_fake_step(ms);
	world_drive(ctx);
}

static void
make(struct talk_peer *peer)
{
	struct world *w = NEW(struct world);

	world_init(w);
	*peer = (struct talk_peer){
		.ctx = w,
		.open = peer_open,
		.feed = peer_feed,
		.take = peer_take,
		.closed = peer_closed,
		.close = peer_close,
		.tls = peer_tls,
		.step = peer_step,
		.word = world_word,
	};
}

static void
end(struct talk_peer *peer)
{
	world_fini(peer->ctx);
	free(peer->ctx);
}

int
main(int argc, char **argv)
{
	int failed;

	setenv("TZ", "UTC", 1);
	tzset();
	charset_init();
	log_setup(2, "imap", LOG_TEXT, LEVEL_DEBUG);
	failed = talk_main(argc, argv, make, end);
	charset_fini();
	return failed;
}
