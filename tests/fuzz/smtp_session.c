/* smtp_session.c - a whole SMTP session under any bytes, cut anywhere, with answers of any kind.
 *
 * The first HEAD bytes of the input decide (profile, pieces, answers), over and over; the rest is what the client
 * sends. What must hold whatever comes: replies are whole lines of the grammar, nothing is written after the end, AUTH
 * is asked only inside TLS and never on port 25, only what has recipients is submitted, a sink is closed once. */
#include <postern/core/clock.h>
#include <postern/core/log.h>
#include <postern/smtp/in.h>

#include "fuzz.h"

enum { HEAD = 16 };

enum asked { NOTHING, RESOLVE, MAY_SEND, AUTH, SUBMIT, SINK };

struct world {
	struct smtp_in *session;
	struct str head;
	size_t at;
	enum smtp_in_profile profile;
	enum asked asked;
	bool tls, handshake, paused, closed, sink;
};

static unsigned
decide(struct world *w, unsigned of)
{
	return w->head.n == 0 ? 0 : (unsigned char)w->head.p[w->at++ % w->head.n] % of;
}

static void
check_line(struct str line)
{
	MUST(line.n >= 4 && line.p[0] >= '2' && line.p[0] <= '5');
	MUST(ascii_is_digit(line.p[1]) && ascii_is_digit(line.p[2]) && (line.p[3] == ' ' || line.p[3] == '-'));
	MUST(line.n <= SMTP_REPLY_LINE_MAX || str_starts(line, STR("334 ")));
	MUST(str_ends(line, STR("\r")) && !str_has(str_sub(line, 0, line.n - 1), '\r'));
}

static void
on_write(void *ctx, struct str bytes)
{
	struct world *w = ctx;
	struct str line;

	MUST(!w->closed && bytes.n > 0 && bytes.p[bytes.n - 1] == '\n');
	while (str_cut(&bytes, '\n', &line))
		check_line(line);
}

static void
on_close(void *ctx)
{
	struct world *w = ctx;

	MUST(!w->closed && !w->sink && w->asked == NOTHING);
	w->closed = true;
}

static void
on_starttls(void *ctx)
{
	struct world *w = ctx;

	MUST(!w->tls && !w->closed && w->profile != SMTP_LOCAL);
	w->handshake = true;
}

static void
on_pause(void *ctx)
{
	((struct world *)ctx)->paused = true;
}

static void
on_resume(void *ctx)
{
	((struct world *)ctx)->paused = false;
}

static enum smtp_in_load
on_load(void *ctx)
{
	return (enum smtp_in_load)decide(ctx, 3);
}

static void
on_cancel(void *ctx)
{
	struct world *w = ctx;

	MUST(w->asked != NOTHING);
	w->asked = NOTHING;
}

static void
answer_resolve(struct world *w)
{
	static const struct envelope_target targets[] = {
		{ .kind = ENVELOPE_LOCAL, .address = STR_INIT("bob@example.test"), .detail = STR_INIT("tag") },
		{ .kind = ENVELOPE_REMOTE, .address = STR_INIT("x@remote.test") },
	};
	struct smtp_in_resolved a = { .ok = decide(w, 4) > 0, .targets = targets, .ntargets = decide(w, 3) };

	a.reply = smtp_reply_with(550, "5.1.1", STR("no such user\r\n250 ok"));
	smtp_in_answer_resolve(w->session, &a);
}

static void
answer_auth(struct world *w)
{
	struct smtp_in_authed a = {
		.result = (enum smtp_in_auth_result)decide(w, 6),
		.data = STR("challenge"),
		.user = STR("alice@example.test"),
	};

	smtp_in_answer_auth(w->session, &a);
}

static void
answer_submit(struct world *w)
{
	struct smtp_reply r = smtp_reply(decide(w, 3) > 0 ? SMTP_OK : SMTP_LATER_PLEASE);

	smtp_in_answer_submit(w->session, &r);
}

static void
answer(struct world *w)
{
	static const struct err no_room = { .class = ERR_TEMP, .say = SAY_DISK, .log = "fuzz: no room" };
	enum asked asked = w->asked;
	bool ok;

	w->asked = NOTHING;
	switch (asked) {
	case RESOLVE:
		answer_resolve(w);
		break;
	case MAY_SEND:
		smtp_in_answer_may_send(w->session, (enum smtp_in_verdict)decide(w, 3));
		break;
	case AUTH:
		answer_auth(w);
		break;
	case SUBMIT:
		answer_submit(w);
		break;
	case SINK:
		ok = decide(w, 4) > 0;
		w->sink = w->sink && ok;
		smtp_in_sink_ready(w->session, ok ? NULL : &no_room);
		break;
	case NOTHING:
		break;
	}
}

static void
ask(struct world *w, enum asked what)
{
	MUST(w->asked == NOTHING && !w->closed);
	w->asked = what;
	if (what != SINK && decide(w, 2) == 0)
		answer(w);
}

static void
on_resolve(void *ctx, const struct smtp_in_resolve *q)
{
	MUST(q->address.n > 0);
	ask(ctx, RESOLVE);
}

static void
on_may_send(void *ctx, struct str login, struct str address)
{
	MUST(login.n > 0 && address.n > 0);
	ask(ctx, MAY_SEND);
}

static void
on_auth_start(void *ctx, struct str mechanism, struct str initial)
{
	struct world *w = ctx;

	(void)initial;
	MUST(w->tls && w->profile != SMTP_MX && w->profile != SMTP_LOCAL && mechanism.n > 0);
	ask(w, AUTH);
}

static void
on_auth_step(void *ctx, struct str bytes)
{
	struct world *w = ctx;

	MUST(w->tls && bytes.p != NULL);
	ask(w, AUTH);
}

static void
on_auth_abort(void *ctx)
{
	MUST(((struct world *)ctx)->tls);
}

static bool
on_sink_open(void *ctx, const struct smtp_in_mail *mail, struct err *e)
{
	struct world *w = ctx;

	MUST(!w->sink && mail->nrcpts > 0);
	for (size_t i = 0; i < mail->nrcpts; i++) {
		MUST(envelope_text_ok(mail->rcpts[i].rcpt.address, ENVELOPE_ADDRESS_MAX));
		MUST(envelope_text_ok(mail->rcpts[i].rcpt.orcpt, ENVELOPE_ORCPT_MAX));
	}
	MUST(envelope_text_ok(mail->envelope.sender, ENVELOPE_ADDRESS_MAX));
	MUST(envelope_text_ok(mail->envelope.envid, ENVELOPE_ENVID_MAX));
	MUST(envelope_text_ok(mail->envelope.helo, ENVELOPE_HELO_MAX));
	w->sink = decide(w, 8) > 0;
	return w->sink || err_temp(e, SAY_DISK, "fuzz");
}

static enum smtp_in_sink
on_sink_write(void *ctx, struct str bytes, struct err *e)
{
	struct world *w = ctx;
	unsigned what = decide(w, 16);

	MUST(w->sink && bytes.n > 0);
	if (what == 0) {
		w->sink = false;
		w->asked = NOTHING;
		err_temp(e, SAY_DISK, "fuzz");
		return SMTP_SINK_FAILED;
	}
	if (what > 2)
		return SMTP_SINK_OK;
	if (w->asked == NOTHING)
		ask(w, SINK);
	return SMTP_SINK_WAIT;
}

static void
on_sink_abort(void *ctx)
{
	struct world *w = ctx;

	MUST(w->sink);
	w->sink = false;
	if (w->asked == SINK)
		w->asked = NOTHING;
}

static void
on_submit(void *ctx, struct str prefix, unsigned flags)
{
	struct world *w = ctx;

	MUST(w->sink && str_starts(prefix, STR("Received: ")) && str_ends(prefix, STR("\r\n")));
	MUST((flags & ~ENVELOPE_FLAGS_ALL) == 0);
	w->sink = false;
	ask(w, SUBMIT);
}

static const struct smtp_in_ops ops = {
	.write = on_write,
	.close = on_close,
	.starttls = on_starttls,
	.pause = on_pause,
	.resume = on_resume,
	.load = on_load,
	.cancel = on_cancel,
	.resolve = on_resolve,
	.may_send = on_may_send,
	.auth_start = on_auth_start,
	.auth_step = on_auth_step,
	.auth_abort = on_auth_abort,
	.sink_open = on_sink_open,
	.sink_write = on_sink_write,
	.sink_abort = on_sink_abort,
	.submit = on_submit,
};

/* Mostly a line: what stands behind DATA or STARTTLS in the same piece ends the session. */
static struct str
next_piece(struct world *w, struct str bytes)
{
	switch (decide(w, 16)) {
	case 0:
		return str_sub(bytes, 0, 1);
	case 1:
		return str_sub(bytes, 0, 1 + (size_t)decide(w, 256) * 16);
	default:
		return str_sub(bytes, 0, str_find(bytes, '\n') + 1);
	}
}

/* Sometimes the client is slower than he may be. */
static void
pass_time(struct world *w)
{
	struct mono due;

	if (w->closed || !smtp_in_deadline(w->session, &due))
		return;
	if (decide(w, 32) == 31)
		clock_fake_step(mono_ms_between(due, mono_now()) + 1);
	smtp_in_tick(w->session);
}

static void
drive(struct world *w, struct str bytes)
{
	static const struct smtp_in_tls facts = { .version = STR_INIT("TLSv1.3"), .exporter = STR_INIT("0123") };
	struct str piece;

	while (!w->closed && bytes.n > 0) {
		while (!w->closed && w->asked != NOTHING && (w->paused || decide(w, 3) > 0))
			answer(w);
		if (w->closed)
			return;
		if (w->handshake) {
			w->handshake = false;
			w->tls = true;
			smtp_in_tls_started(w->session, &facts);
		}
		if (w->paused || w->closed)
			continue;
		piece = next_piece(w, bytes);
		bytes = str_sub(bytes, piece.n, bytes.n);
		smtp_in_feed(w->session, piece);
		pass_time(w);
	}
}

static void
discard(void *ctx, struct str line)
{
	(void)ctx;
	MUST(line.n <= LOG_LINE_MAX && str_find(line, '\n') == line.n - 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct str mechanisms[] = { STR_INIT("PLAIN"), STR_INIT("LOGIN"), STR_INIT("SCRAM-SHA-256-PLUS") };
	static const struct smtp_in_tls facts = { .version = STR_INIT("TLSv1.3") };
	struct str in = str_from(p, n);
	struct world w = { .head = str_sub(in, 0, HEAD) };
	struct smtp_in_conf conf = {
		.hostname = STR("mx.example.test"),
		.message_size = 20000,
		.recipients = 100,
		.messages = 100,
		.mechanisms = mechanisms,
		.nmechanisms = 3,
		.tls = true,
	};
	struct smtp_in_peer peer = { STR("192.0.2.7"), STR("sid"), STR("uid=1000") };

	log_to(discard, NULL);
	clock_fake((struct mono){ 0 }, wall_from_seconds(1777636800));
	w.profile = (enum smtp_in_profile)decide(&w, 4);
	w.tls = w.profile == SMTP_SUBMISSIONS;
	w.session = smtp_in_new(&ops, &w, &conf, w.profile, &peer, w.tls ? &facts : NULL);
	if (decide(&w, 32) == 30) /* a client that does not wait for the greeting */
		smtp_in_feed(w.session, STR("EHLO a.test\r\n"));
	smtp_in_start(w.session);
	drive(&w, str_sub(in, HEAD, in.n));
	MUST(smtp_in_login(w.session).n == 0 || w.tls || w.profile == SMTP_LOCAL);
	if (decide(&w, 32) == 29)
		smtp_in_shutdown(w.session);
	if (decide(&w, 2) == 0)
		smtp_in_eof(w.session);
	smtp_in_free(w.session);
	MUST(!w.sink || w.asked == SUBMIT);
	return 0;
}
