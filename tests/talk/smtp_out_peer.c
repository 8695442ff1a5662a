/* smtp_out_peer.c - the runner of transcripts of the SMTP client: the transcript is the server. */
#include <stdlib.h>

#include <postern/core/clock.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "smtp_out_peer.h"

/* --- the relay's side --- */

static void
on_write(void *ctx, struct str bytes)
{
	struct out_world *w = ctx;

	ASSERT(!w->closed && !w->handshake && bytes.n > 0);
	w->writes++;
	buf_add(&w->said, bytes);
}

static void
on_starttls(void *ctx)
{
	((struct out_world *)ctx)->handshake = true;
}

static void
give_mail(struct out_world *w)
{
	if (!w->ready || w->next == w->sendable)
		return;
	w->ready = false;
	w->now = ++w->next;
	ASSERT(smtp_out_send(w->session, &w->mails[w->now - 1].mail));
}

static void
give_body(struct out_world *w)
{
	struct out_mail *m = &w->mails[w->now - 1];
	struct str piece = str_sub(m->body, m->at, m->at + w->piece);
	char *copy = mem_cstr(piece); /* of exactly that size: the sanitizer sees a read behind it */

	w->asked = false;
	m->at += piece.n;
	if (w->fails)
		smtp_out_body_failed(w->session);
	else
		smtp_out_body(w->session, str_from(copy, piece.n), m->at == m->body.n ? SMTP_OUT_LAST : SMTP_OUT_MORE);
	free(copy);
}

static void
on_ready(void *ctx)
{
	struct out_world *w = ctx;

	ASSERT(!w->ready && w->now == 0 && !w->closed);
	w->ready = true;
	if (w->answers == OUT_NOW)
		give_mail(w);
}

static void
on_body(void *ctx)
{
	struct out_world *w = ctx;

	ASSERT(!w->asked && w->now > 0 && !w->closed);
	w->asked = true;
	if (w->answers == OUT_NOW)
		give_body(w);
}

static void
on_result(void *ctx, size_t i, const struct smtp_out_result *r)
{
	static const char *const outcomes[] = { "delivered", "temp", "perm", "convert" };
	struct out_world *w = ctx;
	struct out_mail *m = &w->mails[w->now - 1];

	ASSERT(w->now > 0 && i < m->mail.nrcpts && m->results[i].p == NULL && r->words.n <= SMTP_OUT_WORDS_MAX);
	m->results[i] = arena_strf(&w->arena, "%s %u %s %s: %.*s%s%s", outcomes[r->outcome], r->code, r->enhanced,
	    smtp_out_stage_name(r->stage), STR_ARG(r->words), r->unsure ? " (unsure)" : "", r->dsn ? " (dsn)" : "");
}

static void
on_done(void *ctx)
{
	struct out_world *w = ctx;
	struct out_mail *m = &w->mails[w->now - 1];

	ASSERT(w->now > 0);
	for (size_t i = 0; i < m->mail.nrcpts; i++)
		ASSERT(m->results[i].p != NULL);
	m->done = true;
	w->now = 0;
	w->asked = false;
	w->dones++;
}

static void
on_close(void *ctx, const struct smtp_out_end *e)
{
	static const char *const whys[] = { "quit", "refused", "going", "lost", "slow", "broken", "no-tls",
		"tls-refused", "tls-failed", "injected", "unread", "no-login" };
	struct out_world *w = ctx;

	ASSERT(!w->closed && w->now == 0);
	w->closed = true;
	w->end = arena_strf(&w->arena, "%s %u %s %s: %.*s%s", whys[e->why], e->code, e->enhanced,
	    smtp_out_stage_name(e->stage), STR_ARG(e->words), e->permanent ? " (permanent)" : "");
}

const struct smtp_out_ops out_world_ops = {
	.write = on_write,
	.starttls = on_starttls,
	.ready = on_ready,
	.body = on_body,
	.result = on_result,
	.done = on_done,
	.close = on_close,
};

void
out_world_drive(struct out_world *w)
{
	while (!w->closed && w->answers != OUT_HELD) {
		if (w->asked)
			give_body(w);
		else if (w->ready && w->next < w->sendable)
			give_mail(w);
		else
			break;
	}
}

/* --- the runner's side --- */

static void
start(struct out_world *w, const struct smtp_out_tls *tls)
{
	w->session = smtp_out_new(&out_world_ops, w, &w->conf, tls);
	smtp_out_start(w->session);
}

static void
peer_open(void *ctx, unsigned conn)
{
	struct out_world *w = ctx;

	ASSERT(conn == 1);
	w->sendable = w->nmails;
	if (w->conf.starttls == SMTP_OUT_TLS_FIRST)
		w->handshake = true;
	else
		start(w, NULL);
}

static void
peer_feed(void *ctx, unsigned conn, struct str bytes)
{
	struct out_world *w = ctx;

	(void)conn;
	while (bytes.n > 0 && !w->closed) {
		struct str piece = str_sub(bytes, 0, SMTP_OUT_FEED_MAX);
		char *copy = mem_cstr(piece);

		w->handshake = false; /* plain bytes now are none of TLS */
		smtp_out_feed(w->session, str_from(copy, piece.n));
		free(copy);
		out_world_drive(w);
		bytes = str_sub(bytes, piece.n, bytes.n);
	}
}

static void
peer_take(void *ctx, unsigned conn, struct buf *out, int wait_ms)
{
	struct out_world *w = ctx;

	(void)conn;
	(void)wait_ms;
	buf_add(out, buf_str(&w->said));
	buf_clear(&w->said);
}

static bool
peer_closed(void *ctx, unsigned conn, int wait_ms)
{
	(void)conn;
	(void)wait_ms;
	return ((struct out_world *)ctx)->closed;
}

static void
peer_close(void *ctx, unsigned conn)
{
	struct out_world *w = ctx;

	(void)conn;
	smtp_out_eof(w->session);
}

static bool
peer_tls(void *ctx, unsigned conn)
{
	struct out_world *w = ctx;
	struct smtp_out_tls tls = { .verified = w->verified };

	(void)conn;
	if (!w->handshake)
		return false;
	w->handshake = false;
	if (w->session == NULL)
		start(w, &tls);
	else
		smtp_out_tls_started(w->session, &tls);
	out_world_drive(w);
	return true;
}

/* In steps of a second: a deadline that comes later than it must is seen. */
static void
peer_step(void *ctx, int64_t ms)
{
	struct out_world *w = ctx;

	for (; ms > 0; ms -= 1000) {
		clock_fake_step(ms < 1000 ? ms : 1000);
		if (w->session != NULL && !w->closed)
			smtp_out_tick(w->session);
	}
}

static enum out_answers round_answers;

static void
make(struct talk_peer *peer)
{
	struct out_world *w = NEW(struct out_world);

	clock_fake((struct mono){ 1000 * INT64_C(1000000000) }, wall_from_seconds(1777636800));
	w->conf = (struct smtp_out_conf){ .hostname = STR("mail.example.test"), .starttls = SMTP_OUT_OFFERED };
	w->answers = round_answers;
	w->verified = true;
	w->piece = SMTP_OUT_PIECE_MAX;
	buf_init(&w->said, 64 << 20);
	*peer = (struct talk_peer){
		.ctx = w,
		.is_client = true,
		.open = peer_open,
		.feed = peer_feed,
		.take = peer_take,
		.closed = peer_closed,
		.close = peer_close,
		.tls = peer_tls,
		.step = peer_step,
		.word = out_world_word,
	};
}

static void
end(struct talk_peer *peer)
{
	struct out_world *w = peer->ctx;

	if (w->session != NULL)
		smtp_out_free(w->session);
	buf_fini(&w->said);
	arena_fini(&w->arena);
	free(w);
}

int
main(int argc, char **argv)
{
	int failed = 0;

	log_setup(2, "relay", LOG_TEXT, LEVEL_DEBUG);
	for (int i = OUT_NOW; i <= OUT_LATER; i++) {
		round_answers = (enum out_answers)i;
		failed |= talk_main(argc, argv, make, end);
	}
	return failed;
}
