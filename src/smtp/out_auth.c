/* out_auth.c - AUTH PLAIN and LOGIN for smarthosts (RFC 4954, RFC 4616).
 *
 * A password is given inside TLS only, and only to a server whose identity was verified unless the configuration says
 * otherwise. A login that fails is our set-up: the mail waits. */
#include <postern/core/base64.h>

#include "out_session.h"

static void
no_login(struct smtp_out *s, const char *words)
{
	out_end(s, SMTP_OUT_NO_LOGIN, NULL, words);
}

/* Adds the line in one piece, so that no half of a password stays behind in memory that was given back. */
static void
add_secret(struct smtp_out *s, const char *verb, struct str secret)
{
	struct str command = str_of(verb);

	buf_room(&s->out, command.n + secret.n / 3 * 4 + 8);
	buf_add(&s->out, command);
	base64_add(&s->out, secret);
	buf_add(&s->out, STR("\r\n"));
	out_expect(s, OUT_AUTH, 1);
}

/* authzid NUL authcid NUL passwd (RFC 4616 2), with the command (RFC 4954 4: initial response). */
static void
start_plain(struct smtp_out *s)
{
	struct str user = s->conf->user;
	struct str password = s->conf->password;
	struct buf raw;

	buf_init(&raw, user.n + password.n + 2);
	buf_room(&raw, user.n + password.n + 2);
	buf_add_char(&raw, '\0');
	buf_add(&raw, user);
	buf_add_char(&raw, '\0');
	buf_add(&raw, password);
	add_secret(s, "AUTH PLAIN ", buf_str(&raw));
	buf_wipe(&raw);
}

static void
start(struct smtp_out *s, enum out_mechanism mechanism)
{
	s->mechanism = mechanism;
	s->auth_step = 0;
	if (mechanism == OUT_PLAIN)
		start_plain(s);
	else
		out_command(s, OUT_AUTH, "AUTH LOGIN");
}

void
out_auth(struct smtp_out *s)
{
	if (!s->has_tls)
		no_login(s, "a password is given inside TLS only");
	else if (!s->verified && !s->conf->password_to_anybody)
		no_login(s, "a password is given to a verified server only");
	else if (s->mechanisms & OUT_PLAIN)
		start(s, OUT_PLAIN);
	else if (s->mechanisms & OUT_LOGIN)
		start(s, OUT_LOGIN);
	else
		no_login(s, s->caps & CAP_AUTH ? "neither PLAIN nor LOGIN is offered" : "AUTH is not offered");
}

/* LOGIN asks for user and password, in whatever words. */
static void
go_on(struct smtp_out *s)
{
	if (s->mechanism != OUT_LOGIN || s->auth_step > 1)
		out_end(s, SMTP_OUT_BROKEN, NULL, "a challenge that the mechanism does not have");
	else if (s->auth_step++ == 0)
		add_secret(s, "", s->conf->user);
	else
		add_secret(s, "", s->conf->password);
}

void
auth_reply(struct smtp_out *s, const struct out_reply *r)
{
	if (r->code == 334)
		go_on(s);
	else if (out_is_good(r))
		out_ready(s);
	else if (r->code == 504 && s->mechanism == OUT_PLAIN &&
		 (s->mechanisms & OUT_LOGIN)) /* offered, but not meant */
		start(s, OUT_LOGIN);
	else
		out_end(s, SMTP_OUT_NO_LOGIN, r, NULL);
}
