/* in.c - the public face of the server session: life, input, answers, time. */
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "in_session.h"

/* Replies of one turn. What a client can ask for at once is bounded by the counts of in.h: errors, chat, recipients. */
enum { OUT_MAX = 512 << 10 };

/* --- life --- */

static void
keep_tls(struct smtp_in *s, const struct smtp_in_tls *tls)
{
	arena_reset(&s->secure);
	s->tls = (struct smtp_in_tls){
		.version = arena_str(&s->secure, tls->version),
		.cipher = arena_str(&s->secure, tls->cipher),
		.bits = tls->bits,
		.group = arena_str(&s->secure, tls->group),
		.sni = arena_str(&s->secure, tls->sni),
		.client = arena_str(&s->secure, tls->client),
		.exporter = arena_str(&s->secure, tls->exporter),
		.endpoint = arena_str(&s->secure, tls->endpoint),
	};
	s->has_tls = true;
}

struct smtp_in *
smtp_in_new(const struct smtp_in_ops *ops, void *ctx, const struct smtp_in_conf *conf, enum smtp_in_profile profile,
    const struct smtp_in_peer *peer, const struct smtp_in_tls *tls)
{
	struct smtp_in *s = NEW(struct smtp_in);

	s->ops = ops;
	s->ctx = ctx;
	s->conf = conf;
	s->profile = profile;
	s->address = arena_str(&s->arena, peer->address);
	s->sid = arena_str(&s->arena, peer->sid);
	s->user = arena_str(&s->arena, peer->user);
	buf_init(&s->held, SMTP_BACKLOG_MAX + SMTP_FEED_MAX + SMTP_AUTH_LINE_MAX);
	buf_init(&s->out, OUT_MAX);
	s->state = IN_START;
	s->reading = IN_COMMAND;
	s->since = s->last_byte = s->born = mono_now();
	if (tls != NULL)
		keep_tls(s, tls);
	return s;
}

void
smtp_in_free(struct smtp_in *s)
{
	ASSERT(!s->running);
	if (!s->closed)
		in_drop_all(s);
	buf_wipe(&s->held);
	buf_fini(&s->out);
	arena_fini(&s->arena);
	arena_fini(&s->hello);
	arena_fini(&s->secure);
	arena_fini(&s->scratch);
	arena_fini(&s->tx.arena);
	free(s);
}

/* --- input --- */

static struct smtp_reply
greet(struct smtp_in *s)
{
	if (s->early)
		return smtp_reply(SMTP_EARLY_TALK);
	return smtp_reply_with(220, "", arena_strf(&s->scratch, "%.*s ESMTP", STR_ARG(s->conf->hostname)));
}

void
smtp_in_start(struct smtp_in *s)
{
	ASSERT(!s->started);
	s->started = true;
	in_reply(s, in_check(s, STAGE_CONNECT, greet));
	in_turn(s);
}

void
smtp_in_feed(struct smtp_in *s, struct str bytes)
{
	ASSERT(bytes.n <= SMTP_FEED_MAX && !s->paused);
	if (s->closed || bytes.n == 0)
		return;
	if (!s->started) {
		s->early = true;
		return;
	}
	if (s->reading ==
	    IN_HANDSHAKE) { /* plain bytes where only TLS may come: the role mixed them up, or was made to */
		in_reply(s, smtp_reply(SMTP_EARLY_DATA));
		in_turn(s);
		return;
	}
	s->last_byte = mono_now();
	if (s->held.n > 0) {
		buf_add(&s->held, bytes);
		s->input = buf_str(&s->held);
	} else {
		s->input = bytes;
	}
	in_turn(s);
}

/* RFC 3207 4.2: all that the client said before is forgotten. */
void
smtp_in_tls_started(struct smtp_in *s, const struct smtp_in_tls *tls)
{
	if (s->closed)
		return;
	ASSERT(s->reading == IN_HANDSHAKE);
	keep_tls(s, tls);
	arena_reset(&s->hello);
	s->helo = (struct str){ 0 };
	s->state = IN_START;
	s->reading = IN_COMMAND;
	s->since = s->last_byte = mono_now();
	in_turn(s);
}

/* A message that was submitted stays asked for, so that its acceptance is logged: the client may never know, we do. */
void
smtp_in_eof(struct smtp_in *s)
{
	if (s->closed || s->gone)
		return;
	s->gone = true;
	if (s->ask == ASK_SUBMIT)
		return;
	if (s->state & ~(unsigned)(IN_START | IN_READY))
		in_log_lost(s, "connection lost in the middle of a transaction");
	in_close(s);
	in_turn(s);
}

void
smtp_in_shutdown(struct smtp_in *s)
{
	s->stopping = true;
	in_turn(s);
}

/* --- time --- */

static int64_t
shortened(const struct smtp_in *s, int64_t ms)
{
	static const int64_t divide_by[] = { [SMTP_LOAD_CALM] = 1, [SMTP_LOAD_BUSY] = 5, [SMTP_LOAD_FULL] = 30 };

	return ms / divide_by[s->ops->load(s->ctx)];
}

static struct mono
earlier(struct mono a, struct mono b)
{
	return mono_before(a, b) ? a : b;
}

/* A whole command, and on a submission port the login in all. */
static struct mono
command_deadline(const struct smtp_in *s)
{
	int64_t ms = s->conf->command_ms > 0 ? s->conf->command_ms : SMTP_COMMAND_SECONDS * INT64_C(1000);
	struct mono when = mono_add_ms(s->since, shortened(s, ms));

	if (in_guard(s) == SMTP_OK || s->conf->login_ms == 0)
		return when;
	return earlier(when, mono_add_ms(s->born, s->conf->login_ms));
}

/* Some byte, and so many of them on average. */
static struct mono
content_deadline(const struct smtp_in *s)
{
	int64_t due = (int64_t)(s->arrived * 1000 / SMTP_DATA_RATE);

	return earlier(mono_add_ms(s->last_byte, shortened(s, SMTP_DATA_SECONDS * INT64_C(1000))),
	    mono_add_ms(s->since, shortened(s, SMTP_DATA_GRACE_SECONDS * INT64_C(1000)) + due));
}

bool
smtp_in_deadline(const struct smtp_in *s, struct mono *when)
{
	if (s->closed || s->ask != ASK_NONE || s->reading == IN_HANDSHAKE || s->reading == IN_OVER)
		return false;
	*when = s->reading == IN_COMMAND || s->reading == IN_AUTH ? command_deadline(s) : content_deadline(s);
	return true;
}

void
smtp_in_tick(struct smtp_in *s)
{
	struct mono when;

	if (!smtp_in_deadline(s, &when) || mono_before(mono_now(), when))
		return;
	in_reply(s, smtp_reply(SMTP_TOO_SLOW));
	in_turn(s);
}

/* --- answers --- */

static void
answered(struct smtp_in *s, enum in_ask ask)
{
	ASSERT(s->ask == ask && !s->answered);
	s->answered = true;
	in_turn(s);
}

void
smtp_in_answer_resolve(struct smtp_in *s, const struct smtp_in_resolved *a)
{
	struct envelope_target *copy = arena_array(&s->scratch, a->ntargets, sizeof(*copy));

	for (size_t i = 0; i < a->ntargets; i++) {
		copy[i].kind = a->targets[i].kind;
		copy[i].address = arena_str(&s->scratch, a->targets[i].address);
		copy[i].detail = arena_str(&s->scratch, a->targets[i].detail);
	}
	s->resolved = *a;
	s->resolved.targets = copy;
	s->resolved.reply.text = arena_str(&s->scratch, a->reply.text);
	answered(s, ASK_RESOLVE);
}

void
smtp_in_answer_may_send(struct smtp_in *s, enum smtp_in_verdict verdict)
{
	s->verdict = verdict;
	answered(s, ASK_MAY_SEND);
}

void
smtp_in_answer_auth(struct smtp_in *s, const struct smtp_in_authed *a)
{
	s->authed.result = a->result;
	s->authed.data = arena_str(&s->scratch, a->data);
	s->authed.user = arena_str(&s->scratch, a->user);
	answered(s, ASK_AUTH);
}

void
smtp_in_answer_submit(struct smtp_in *s, const struct smtp_reply *reply)
{
	s->submitted = *reply;
	s->submitted.text = arena_str(&s->scratch, reply->text);
	answered(s, ASK_SUBMIT);
}

void
smtp_in_sink_ready(struct smtp_in *s, const struct err *failed)
{
	ASSERT(s->ask == ASK_SINK && !s->answered);
	s->answered = true;
	if (failed != NULL)
		in_content_fail(s, failed);
	in_turn(s);
}

struct str
smtp_in_login(const struct smtp_in *s)
{
	return s->login;
}
