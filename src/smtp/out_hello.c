/* out_hello.c - banner, EHLO with its capabilities, HELO for servers that know no other, STARTTLS (RFC 5321 3.1, 3.2,
 * 4.1.1.1; RFC 3207).
 *
 * HELO follows only a 5xx to EHLO on a connection without TLS that needs none: whoever has shown STARTTLS, or must,
 * speaks EHLO. */
#include <postern/core/cur.h>

#include "out_session.h"

struct cap {
	struct str word;
	enum out_cap bit;
	void (*params)(struct smtp_out *s, struct str rest); /* NULL: has none that matter */
};

/* RFC 1870 4: a number, 0 or nothing for no limit. */
static void
size_params(struct smtp_out *s, struct str rest)
{
	if (!str_u64(str_trim(rest), UINT64_MAX, &s->size))
		s->size = 0;
}

static void
auth_params(struct smtp_out *s, struct str rest)
{
	struct str word;

	while (str_cut(&rest, ' ', &word)) {
		if (str_eq_nocase(word, STR("PLAIN")))
			s->mechanisms |= OUT_PLAIN;
		else if (str_eq_nocase(word, STR("LOGIN")))
			s->mechanisms |= OUT_LOGIN;
	}
}

static const struct cap caps[] = {
	{ STR_INIT("8BITMIME"), CAP_8BITMIME, NULL },
	{ STR_INIT("AUTH"), CAP_AUTH, auth_params },
	{ STR_INIT("BINARYMIME"), CAP_BINARYMIME, NULL },
	{ STR_INIT("CHUNKING"), CAP_CHUNKING, NULL },
	{ STR_INIT("DSN"), CAP_DSN, NULL },
	{ STR_INIT("PIPELINING"), CAP_PIPELINING, NULL },
	{ STR_INIT("REQUIRETLS"), CAP_REQUIRETLS, NULL },
	{ STR_INIT("SIZE"), CAP_SIZE, size_params },
	{ STR_INIT("SMTPUTF8"), CAP_SMTPUTF8, NULL },
	{ STR_INIT("STARTTLS"), CAP_STARTTLS, NULL },
};

static void
forget(struct smtp_out *s)
{
	s->caps = s->mechanisms = 0;
	s->size = 0;
	buf_clear(&s->server);
}

static void
keep_cap(struct smtp_out *s, struct str line)
{
	struct str word = { 0 };

	line = str_trim(line);
	str_cut(&line, ' ', &word);
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		if (!str_eq_nocase(caps[i].word, word))
			continue;
		s->caps |= caps[i].bit;
		if (caps[i].params != NULL)
			caps[i].params(s, line);
	}
}

/* The first word of the first line is the server's name. */
static void
keep_name(struct smtp_out *s, struct str line)
{
	struct str name = { 0 };

	str_cut(&line, ' ', &name);
	out_reply_words(&s->server, name, SMTP_OUT_WORDS_MAX);
}

static void
keep_caps(struct smtp_out *s, struct str text)
{
	struct str line = { 0 };

	str_cut(&text, '\n', &line);
	keep_name(s, line);
	while (str_cut(&text, '\n', &line))
		keep_cap(s, line);
	s->starttls_seen = s->starttls_seen || (s->caps & CAP_STARTTLS);
}

/* --- the dialogue --- */

void
out_hello(struct smtp_out *s)
{
	const char *verb = s->conf->protocol == SMTP_OUT_LMTP ? "LHLO" : "EHLO";

	out_command(s, OUT_EHLO, "%s %.*s", verb, STR_ARG(s->conf->hostname));
}

void
banner_reply(struct smtp_out *s, const struct out_reply *r)
{
	if (out_is_good(r))
		out_hello(s);
	else
		out_end(s, SMTP_OUT_REFUSED, r, NULL);
}

/* Greeted: what comes next? */
static void
after_hello(struct smtp_out *s)
{
	bool wanted = s->conf->starttls == SMTP_OUT_OFFERED || s->conf->starttls == SMTP_OUT_DEMANDED;

	if (!s->has_tls && wanted && (s->caps & CAP_STARTTLS))
		out_command(s, OUT_STARTTLS, "STARTTLS");
	else if (!s->has_tls && s->conf->starttls == SMTP_OUT_DEMANDED)
		out_end(s, SMTP_OUT_NO_TLS, NULL, NULL);
	else if (s->conf->user.n > 0)
		out_auth(s);
	else
		out_ready(s);
}

static bool
may_say_helo(const struct smtp_out *s)
{
	return s->conf->protocol == SMTP_OUT_SMTP && !s->has_tls && s->conf->starttls != SMTP_OUT_DEMANDED;
}

void
ehlo_reply(struct smtp_out *s, const struct out_reply *r)
{
	if (out_is_good(r)) {
		keep_caps(s, r->text);
		after_hello(s);
	} else if (r->code >= 500 && may_say_helo(s)) {
		out_command(s, OUT_HELO, "HELO %.*s", STR_ARG(s->conf->hostname));
	} else if (r->code >= 500 && s->conf->starttls == SMTP_OUT_DEMANDED && !s->has_tls) {
		out_end(s, SMTP_OUT_NO_TLS, r, NULL);
	} else {
		out_end(s, SMTP_OUT_REFUSED, r, NULL);
	}
}

void
helo_reply(struct smtp_out *s, const struct out_reply *r)
{
	if (out_is_good(r)) {
		keep_name(s, r->text);
		after_hello(s);
	} else {
		out_end(s, SMTP_OUT_REFUSED, r, NULL);
	}
}

/* RFC 3207 4: 220, or else no TLS. What stands behind it was put there by somebody on the way (RFC 3207 5). */
void
starttls_reply(struct smtp_out *s, const struct out_reply *r)
{
	if (r->code != 220) {
		out_end(s, SMTP_OUT_TLS_REFUSED, r, NULL);
	} else if (s->input.n > 0) {
		out_end(s, SMTP_OUT_INJECTED, NULL, NULL);
	} else {
		forget(s);
		s->state = OUT_HANDSHAKE;
		s->since = mono_now();
		s->want_tls = true;
	}
}
