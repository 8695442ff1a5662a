/* smtp_peer.c - the runner of SMTP transcripts in process: sessions, clock and log of one world per transcript. */
#include <stdlib.h>
#include <time.h>

#include <postern/core/clock.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "smtp_peer.h"

static const struct str mechanisms[] = {
	STR_INIT("SCRAM-SHA-256-PLUS"),
	STR_INIT("SCRAM-SHA-256"),
	STR_INIT("PLAIN"),
	STR_INIT("LOGIN"),
	STR_INIT("BUSY"),
};

static const struct smtp_in_tls facts = {
	.version = STR_INIT("TLSv1.3"),
	.cipher = STR_INIT("TLS_AES_256_GCM_SHA384"),
	.bits = 256,
	.group = STR_INIT("x25519"),
	.exporter = STR_INIT("0123456789abcdef0123456789abcdef"),
};

static void
start(struct conn *c, const struct smtp_in_tls *tls)
{
	struct world *w = c->world;
	struct smtp_in_peer peer = { .address = w->client, .sid = STR("sid0123456789"), .user = STR("uid=1000") };

	c->session = smtp_in_new(&fake_ops, c, &w->conf, w->profile, &peer, tls);
	if (w->early.n > 0)
		smtp_in_feed(c->session, w->early);
	smtp_in_start(c->session);
	conn_drive(c);
}

static void
peer_open(void *ctx, unsigned conn)
{
	struct world *w = ctx;

	if (w->profile == SMTP_SUBMISSIONS)
		w->conns[conn].wanted = true;
	else
		start(&w->conns[conn], NULL);
}

static void
peer_feed(void *ctx, unsigned conn, struct str bytes)
{
	struct conn *c = &((struct world *)ctx)->conns[conn];

	buf_add(&c->inbox, bytes);
	conn_drive(c);
}

static void
peer_take(void *ctx, unsigned conn, struct buf *out, int wait_ms)
{
	struct conn *c = &((struct world *)ctx)->conns[conn];

	(void)wait_ms;
	buf_add(out, buf_str(&c->said));
	buf_clear(&c->said);
}

static bool
peer_closed(void *ctx, unsigned conn, int wait_ms)
{
	(void)wait_ms;
	return ((struct world *)ctx)->conns[conn].closed;
}

static void
peer_close(void *ctx, unsigned conn)
{
	struct conn *c = &((struct world *)ctx)->conns[conn];

	if (c->session != NULL && !c->closed)
		smtp_in_eof(c->session);
	conn_drive(c);
}

static bool
peer_tls(void *ctx, unsigned conn)
{
	struct conn *c = &((struct world *)ctx)->conns[conn];

	if (c->wanted) {
		c->wanted = false;
		start(c, &facts);
		return true;
	}
	if (!c->handshake)
		return false;
	c->handshake = false;
	smtp_in_tls_started(c->session, &facts);
	conn_drive(c);
	return true;
}

static void
peer_step(void *ctx, int64_t ms)
{
	struct world *w = ctx;

	clock_fake_step(ms);
	for (unsigned i = 1; i <= TALK_CONNECTIONS; i++)
		if (w->conns[i].session != NULL && !w->conns[i].closed)
			smtp_in_tick(w->conns[i].session);
}

static void
on_log(void *ctx, struct str line)
{
	buf_add(&((struct world *)ctx)->log, line);
}

/* How the transcripts of this round get their answers. */
static enum answers round_answers;

static void
make(struct talk_peer *peer)
{
	struct world *w = NEW(struct world);

	clock_fake((struct mono){ 1000 * INT64_C(1000000000) }, wall_from_seconds(1777636800));
	w->conf = (struct smtp_in_conf){
		.hostname = STR("mx.example.test"),
		.message_size = 52428800,
		.recipients = 1000,
		.messages = 1000,
		.mechanisms = mechanisms,
		.nmechanisms = sizeof(mechanisms) / sizeof(mechanisms[0]),
		.tls = true,
	};
	w->client = STR("192.0.2.7");
	w->answers = round_answers;
	w->submit_reply = smtp_reply(SMTP_OK);
	buf_init(&w->log, 64 << 20);
	for (unsigned i = 1; i <= TALK_CONNECTIONS; i++) {
		w->conns[i].world = w;
		buf_init(&w->conns[i].said, 64 << 20);
		buf_init(&w->conns[i].inbox, 256 << 20);
	}
	log_to(on_log, w);
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
	struct world *w = peer->ctx;

	for (unsigned i = 1; i <= TALK_CONNECTIONS; i++) {
		if (w->conns[i].session != NULL)
			smtp_in_free(w->conns[i].session);
		buf_fini(&w->conns[i].said);
		buf_fini(&w->conns[i].inbox);
	}
	for (size_t i = 0; i < w->nmessages; i++) {
		buf_fini(&w->messages[i].body);
		buf_fini(&w->messages[i].prefix);
	}
	log_to(NULL, NULL);
	buf_fini(&w->log);
	arena_fini(&w->arena);
	free(w);
}

int
main(int argc, char **argv)
{
	int failed = 0;

	setenv("TZ", "UTC", 1);
	tzset();
	log_setup(2, "smtp", LOG_TEXT, LEVEL_DEBUG);
	for (int i = ANSWERS_NOW; i <= ANSWERS_LATER; i++) {
		round_answers = (enum answers)i;
		failed |= talk_main(argc, argv, make, end);
	}
	return failed;
}
