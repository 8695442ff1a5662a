/* in_hello.c - EHLO and HELO (RFC 5321 4.1.1.1), the extensions that EHLO names, STARTTLS (RFC 3207). */
#include "in_session.h"

enum { HELLO_MAX = 255 };

/* A host name or an address literal. Names with an underscore are no host names but common; nothing else that could
 * mean something in a header or a log gets in. */
static bool
is_hello(char c)
{
	return ascii_is_alnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
}

bool
hello_parse(struct cur *c, struct in_args *a)
{
	a->bad = SMTP_BAD_HELLO;
	cur_want(c, " ");
	a->word = cur_want_while(c, is_hello, HELLO_MAX, "host name");
	return cur_end(c);
}

static bool
always(const struct smtp_in *s)
{
	(void)s;
	return true;
}

static bool
inside_tls(const struct smtp_in *s)
{
	return s->has_tls;
}

/* Not after TLS (RFC 3207 4.2). */
static bool
may_start_tls(const struct smtp_in *s)
{
	return s->conf->tls && !s->has_tls && s->profile != SMTP_LOCAL;
}

static void
size_params(const struct smtp_in *s, struct buf *out)
{
	if (s->conf->message_size > 0)
		buf_addf(out, " %llu", (unsigned long long)s->conf->message_size);
}

static bool
mechanism_fits(const struct smtp_in *s, struct str name)
{
	return !str_ends(name, STR("-PLUS")) || s->tls.exporter.n > 0 || s->tls.endpoint.n > 0;
}

static void
auth_params(const struct smtp_in *s, struct buf *out)
{
	for (size_t i = 0; i < s->conf->nmechanisms; i++)
		if (mechanism_fits(s, s->conf->mechanisms[i])) {
			buf_add_char(out, ' ');
			buf_add(out, s->conf->mechanisms[i]);
		}
}

static void
limits_params(const struct smtp_in *s, struct buf *out)
{
	buf_addf(out, " RCPTMAX=%u MAILMAX=%u", s->conf->recipients, s->conf->messages);
}

static const struct {
	const char *keyword;
	bool (*offered)(const struct smtp_in *s);
	void (*params)(const struct smtp_in *s, struct buf *out);
	const char *rfc;
} extensions[] = {
	{ "PIPELINING", always, NULL, "2920 2" },
	{ "SIZE", always, size_params, "1870 3" },
	{ "8BITMIME", always, NULL, "6152 2" },
	{ "SMTPUTF8", always, NULL, "6531 3.1" },
	{ "CHUNKING", always, NULL, "3030 2" },
	{ "BINARYMIME", always, NULL, "3030 3" },
	{ "DSN", always, NULL, "3461 3" },
	{ "ENHANCEDSTATUSCODES", always, NULL, "2034 3" },
	{ "REQUIRETLS", inside_tls, NULL, "8689 2" },
	{ "STARTTLS", may_start_tls, NULL, "3207 2" },
	{ "AUTH", auth_is_offered, auth_params, "4954 3" },
	{ "LIMITS", always, limits_params, "9422 3" },
	{ "HELP", always, NULL, "5321 4.1.1.8" },
};

/* The state after a greeting: a transaction is over, what was said in an earlier one forgotten (RFC 5321 4.1.4). */
static void
greeted(struct smtp_in *s, const struct in_args *a, bool esmtp)
{
	in_tx_reset(s);
	arena_reset(&s->hello);
	s->helo = arena_str(&s->hello, a->word);
	s->esmtp = esmtp;
	s->state = IN_READY;
}

struct smtp_reply
ehlo_run(struct smtp_in *s, const struct in_args *a)
{
	struct buf text;
	struct smtp_reply r;

	greeted(s, a, true);
	buf_init(&text, 4096);
	buf_add(&text, s->conf->hostname);
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
		if (!extensions[i].offered(s))
			continue;
		buf_addf(&text, "\n%s", extensions[i].keyword);
		if (extensions[i].params != NULL)
			extensions[i].params(s, &text);
	}
	r = smtp_reply_with(250, "", arena_str(&s->scratch, buf_str(&text)));
	buf_fini(&text);
	return r;
}

struct smtp_reply
helo_run(struct smtp_in *s, const struct in_args *a)
{
	greeted(s, a, false);
	return smtp_reply_with(250, "", s->conf->hostname);
}

/* Bytes behind the command in the same piece are plain text that somebody wants read as if it came through TLS. */
struct smtp_reply
starttls_run(struct smtp_in *s, const struct in_args *a)
{
	(void)a;
	if (s->has_tls)
		return smtp_reply(SMTP_TLS_TWICE);
	if (!may_start_tls(s))
		return smtp_reply(SMTP_NO_TLS);
	if (s->input.n > 0)
		return smtp_reply(SMTP_EARLY_DATA);
	in_tx_reset(s);
	s->reading = IN_HANDSHAKE;
	s->want_tls = true;
	return smtp_reply(SMTP_TLS_READY);
}
