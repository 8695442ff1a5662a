/* imap_front.c - a connection before login under any bytes; what it says is parsed by the strict client. Bytes 0xf8
 * to 0xff in the input stand for answers of auth, a finished handshake, time running out. */
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/imap/front.h>

#include "fuzz.h"
#include "imap_grammar.h"

struct role {
	struct grammar grammar;
	bool asked;
	bool closed;
	bool tls;
};

static void
role_write(void *ctx, struct str bytes)
{
	struct role *r = ctx;

	if (r->closed || !grammar_feed(&r->grammar, bytes))
		abort();
}

static void
role_close(void *ctx)
{
	((struct role *)ctx)->closed = true;
}

static void
role_starttls(void *ctx)
{
	((struct role *)ctx)->tls = true;
}

static void
role_auth_start(void *ctx, struct str mech, const struct str *initial)
{
	struct role *r = ctx;

	(void)mech;
	(void)initial;
	if (!r->tls || r->asked)
		abort();
	r->asked = true;
}

static void
role_auth_step(void *ctx, struct str response)
{
	role_auth_start(ctx, response, NULL);
}

static void
role_auth_cancel(void *ctx)
{
	((struct role *)ctx)->asked = false;
}

static void
role_handover(void *ctx, const struct imap_login *login)
{
	(void)login;
	((struct role *)ctx)->closed = true;
}

static const struct imap_front_ops ops = { role_write, role_close, role_starttls, role_auth_start, role_auth_step,
	role_auth_cancel, role_handover };

static void
answer(struct role *r, struct imap_front *f, unsigned byte)
{
	struct imap_auth_answer a = { .verdict = (enum imap_auth_verdict)(byte & 7), .data = STR("data"), .user = STR("u@x"),
		.ticket = STR("t") };

	if (byte == 0xff)
		imap_front_timeout(f);
	else if (byte == 0xfe)
		imap_front_tls(f);
	else if (imap_front_waits(f) && a.verdict <= IMAP_AUTH_LIMIT) {
		r->asked = false;
		imap_front_answer(f, &a);
	}
}

static void
quiet(void *ctx, struct str line)
{
	(void)ctx;
	(void)line;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct str mechs[] = { STR_INIT("SCRAM-SHA-256"), STR_INIT("PLAIN") };
	struct imap_front_setup setup = { .hostname = STR("mx.test"), .mechs = mechs, .nmechs = 2 };
	struct role r = { 0 };
	struct imap_front *f;

	log_to(quiet, NULL);
	grammar_init(&r.grammar);
	setup.tls = r.tls = n > 0 && p[0] & 1;
	setup.starttls = !setup.tls;
	f = imap_front_new(&setup, &ops, &r);
	for (size_t i = 1; i < n && !r.closed; i++) {
		if (p[i] >= 0xf8)
			answer(&r, f, p[i]);
		else
			imap_front_input(f, str_from(p + i, 1));
	}
	imap_front_free(f);
	if (r.asked && !r.closed)
		abort();
	grammar_fini(&r.grammar);
	return 0;
}
