/* smtp_out.c - a whole client session under any server, cut anywhere, with answers of any kind.
 *
 * The first HEAD bytes of the input decide (policy, messages, pieces, answers), over and over; the rest is what the
 * server says. What must hold whatever comes: every recipient of a message gets one result, before the message is done;
 * nothing comes after close; the wire carries no bare CR or LF but in BINARYMIME; a password is written inside verified
 * TLS only; nothing is called delivered without a 2xx. */
#include <postern/core/utf8.h>
#include <postern/smtp/out.h>

#include "fuzz.h"

enum { HEAD = 16, RCPTS = 5 };

struct world {
	struct smtp_out *session;
	struct str head;
	size_t at;
	struct smtp_out_conf conf;
	struct smtp_out_mail mail;
	struct smtp_out_rcpt rcpts[RCPTS];
	unsigned results[RCPTS];
	bool ready, body, mailing, handshake, tls, verified, binary, closed, cr;
	unsigned mails;
};

static unsigned
decide(struct world *w, unsigned of)
{
	return w->head.n == 0 ? 0 : (unsigned char)w->head.p[w->at++ % w->head.n] % of;
}

static void
check_line_ends(struct world *w, struct str bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		MUST((bytes.p[i] == '\n') == w->cr);
		w->cr = bytes.p[i] == '\r';
	}
	MUST(!w->cr);
}

static void
on_write(void *ctx, struct str bytes)
{
	struct world *w = ctx;

	MUST(!w->closed && !w->handshake && bytes.n > 0);
	MUST((w->tls && w->verified) || str_search(bytes, STR("AUTH")) == bytes.n);
	if (!w->binary)
		check_line_ends(w, bytes);
}

static void
on_starttls(void *ctx)
{
	struct world *w = ctx;

	MUST(!w->tls && !w->closed && w->conf.starttls != SMTP_OUT_PLAIN);
	w->handshake = true;
}

static void
on_ready(void *ctx)
{
	struct world *w = ctx;

	MUST(!w->ready && !w->mailing && !w->closed);
	MUST(w->tls || w->conf.starttls != SMTP_OUT_DEMANDED);
	w->ready = true;
}

static void
on_body(void *ctx)
{
	struct world *w = ctx;

	MUST(!w->body && w->mailing && !w->closed);
	w->body = true;
}

static void
check_words(struct str words, const char *enhanced)
{
	MUST(words.n <= SMTP_OUT_WORDS_MAX && utf8_valid(words) && enhanced[0] != '\0');
	for (size_t i = 0; i < words.n; i++)
		MUST((unsigned char)words.p[i] >= 0x20 && words.p[i] != 0x7f);
}

static void
on_result(void *ctx, size_t i, const struct smtp_out_result *r)
{
	struct world *w = ctx;
	static const char classes[] = { '2', '4', '5', '5' };

	MUST(w->mailing && i < w->mail.nrcpts && w->results[i]++ == 0);
	MUST((r->outcome == SMTP_OUT_DELIVERED) == (r->code / 100 == 2));
	MUST(r->enhanced[0] == classes[r->outcome]);
	MUST(!r->unsure || (r->code == 0 && r->outcome == SMTP_OUT_TEMP));
	check_words(r->words, r->enhanced);
}

static void
on_done(void *ctx)
{
	struct world *w = ctx;

	MUST(w->mailing);
	for (size_t i = 0; i < w->mail.nrcpts; i++)
		MUST(w->results[i] == 1);
	w->mailing = w->body = false;
}

static void
on_close(void *ctx, const struct smtp_out_end *e)
{
	struct world *w = ctx;

	MUST(!w->closed && !w->mailing);
	check_words(e->words, e->enhanced);
	w->closed = true;
}

static const struct smtp_out_ops ops = {
	.write = on_write,
	.starttls = on_starttls,
	.ready = on_ready,
	.body = on_body,
	.result = on_result,
	.done = on_done,
	.close = on_close,
};

static void
give_mail(struct world *w)
{
	static const struct str addresses[] = { STR_INIT("b@remote.test"), STR_INIT("jos\xc3\xa9@remote.test"),
		STR_INIT("c@remote.test\r\nDATA"), STR_INIT("\"q q\"@remote.test") };
	static const struct str orcpts[] = { STR_INIT(""), STR_INIT("rfc822;b+=@remote.test"),
		STR_INIT("utf-8;jos\xc3\xa9@remote.test"), STR_INIT("odd") };

	w->ready = false;
	w->mail = (struct smtp_out_mail){
		.sender = decide(w, 4) > 0 ? STR("a@example.test") : STR(""),
		.ret = (enum envelope_ret)decide(w, 3),
		.envid = STR("a b+"),
		.flags = decide(w, 64),
		.size = decide(w, 2) * 1000,
		.rcpts = w->rcpts,
		.nrcpts = 1 + decide(w, RCPTS),
	};
	for (size_t i = 0; i < w->mail.nrcpts; i++) {
		w->rcpts[i] = (struct smtp_out_rcpt){ addresses[decide(w, 4)], decide(w, 16), orcpts[decide(w, 4)] };
		w->results[i] = 0;
	}
	w->binary = w->binary || (w->mail.flags & ENVELOPE_BINARY);
	w->mailing = true;
	w->mails++;
	if (!smtp_out_send(w->session, &w->mail))
		w->mailing = false;
}

static void
give_body(struct world *w)
{
	static const struct str pieces[] = { STR_INIT("\r"), STR_INIT("\n"), STR_INIT(".\r\n"), STR_INIT("text\n.\n"),
		STR_INIT("\r\n.\r\nQUIT\r\n") };

	w->body = false;
	if (decide(w, 16) == 0)
		smtp_out_body_failed(w->session);
	else
		smtp_out_body(w->session, pieces[decide(w, 5)], decide(w, 4) == 0 ? SMTP_OUT_LAST : SMTP_OUT_MORE);
}

static void
shake_hands(struct world *w)
{
	struct smtp_out_tls tls = { .verified = decide(w, 4) > 0 };

	w->handshake = false;
	if (decide(w, 8) == 0) {
		smtp_out_tls_failed(w->session, STR("no\r\ncertificate"));
		return;
	}
	w->tls = true;
	w->verified = tls.verified;
	smtp_out_tls_started(w->session, &tls);
}

/* What the relay does before the next bytes come. */
static void
drive(struct world *w)
{
	for (unsigned i = 0; i < 8 && !w->closed; i++) {
		if (w->handshake)
			shake_hands(w);
		else if (w->body && decide(w, 4) > 0)
			give_body(w);
		else if (w->ready && w->mails < 20 && decide(w, 4) > 0)
			give_mail(w);
		else if (decide(w, 64) == 1)
			smtp_out_quit(w->session);
		else
			return;
	}
}

/* Mostly a line: what comes before it was asked for ends the session. */
static struct str
next_piece(struct world *w, struct str bytes)
{
	switch (decide(w, 16)) {
	case 1:
		return str_sub(bytes, 0, 1);
	case 2:
		return str_sub(bytes, 0, 1 + (size_t)decide(w, 256) * 16);
	default:
		return str_sub(bytes, 0, str_find(bytes, '\n') + 1);
	}
}

static void
feed(struct world *w, struct str bytes)
{
	struct str piece;

	while (!w->closed && bytes.n > 0) {
		drive(w);
		piece = next_piece(w, bytes);
		bytes = str_sub(bytes, piece.n, bytes.n);
		if (w->handshake) /* plain text where TLS must come */
			w->handshake = false;
		if (!w->closed)
			smtp_out_feed(w->session, piece);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = str_from(p, n);
	struct world w = { .head = str_sub(in, 0, HEAD) };
	struct smtp_out_tls tls = { .verified = true };
	bool first;

	w.conf.hostname = STR("mail.example.test");
	w.conf.starttls = (enum smtp_out_starttls)decide(&w, 4);
	w.conf.protocol = (enum smtp_out_protocol)decide(&w, 2);
	w.conf.chunking = decide(&w, 2) > 0;
	w.conf.messages = decide(&w, 4);
	if (decide(&w, 3) == 0) {
		w.conf.user = STR("us");
		w.conf.password = STR("secret");
	}
	first = w.conf.starttls == SMTP_OUT_TLS_FIRST;
	w.tls = w.verified = first;
	w.session = smtp_out_new(&ops, &w, &w.conf, first ? &tls : NULL);
	smtp_out_start(w.session);
	feed(&w, str_sub(in, HEAD, in.n));
	if (!w.closed && decide(&w, 2) == 0) {
		smtp_out_eof(w.session);
		MUST(w.closed);
	}
	smtp_out_free(w.session);
	return 0;
}
