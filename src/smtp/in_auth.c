/* in_auth.c - AUTH (RFC 4954): the exchange goes on elsewhere, here are its lines, base64 and limits.
 *
 * Not before TLS, on no port and with no mechanism; not at all on port 25; once in a session; not in a transaction. */
#include <postern/core/base64.h>
#include <postern/core/mem.h>

#include "in_session.h"

enum { MECHANISM_MAX = 20 }; /* RFC 4422 3.1 */

static bool
is_login_port(const struct smtp_in *s)
{
	return (s->profile == SMTP_SUBMISSION || s->profile == SMTP_SUBMISSIONS) && s->conf->nmechanisms > 0;
}

bool
auth_is_offered(const struct smtp_in *s)
{
	return is_login_port(s) && s->has_tls && s->login.n == 0;
}

static bool
is_mechanism(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_';
}

static bool
is_graphic(char c)
{
	return c > 0x20 && c < 0x7f;
}

/* AUTH SP mechanism [ SP ( base64 / "=" ) ] */
bool
auth_parse(struct cur *c, struct in_args *a)
{
	cur_want(c, " ");
	a->word = cur_want_while(c, is_mechanism, MECHANISM_MAX, "mechanism");
	if (cur_take(c, " "))
		a->initial = cur_want_while(c, is_graphic, SMTP_AUTH_LINE_MAX, "initial response");
	return cur_end(c);
}

static struct smtp_reply on_auth(struct smtp_in *s);

static struct smtp_reply
end_with(struct smtp_in *s, enum smtp_reply_name name)
{
	s->reading = IN_COMMAND;
	s->auth_running = false;
	return smtp_reply(name);
}

static struct smtp_reply
give_up(struct smtp_in *s, enum smtp_reply_name name)
{
	s->ops->auth_abort(s->ctx);
	return end_with(s, name);
}

/* An empty response is not "none": its pointer is not NULL. */
static struct str
decoded(const struct buf *raw)
{
	return raw->n > 0 ? buf_str(raw) : STR("");
}

/* Asks with what the client sent; the decoded secret is wiped when the op has it. */
static struct smtp_reply
ask(struct smtp_in *s, struct str mechanism, const struct str *encoded)
{
	struct buf raw;
	bool ok = true;
	struct str nothing = { 0 };

	buf_init(&raw, SMTP_AUTH_LINE_MAX);
	if (encoded != NULL && !str_eq(*encoded, STR("=")))
		ok = base64_decode(&raw, *encoded);
	if (ok) {
		in_asking(s, ASK_AUTH, on_auth);
		if (mechanism.n > 0)
			s->ops->auth_start(s->ctx, mechanism, encoded != NULL ? decoded(&raw) : nothing);
		else
			s->ops->auth_step(s->ctx, decoded(&raw));
	}
	buf_wipe(&raw);
	return ok ? smtp_reply_later() : smtp_reply(SMTP_AUTH_BASE64);
}

static struct smtp_reply
challenge(struct smtp_in *s)
{
	struct buf text;
	struct smtp_reply r;

	buf_init(&text, SMTP_AUTH_LINE_MAX);
	base64_add(&text, s->authed.data);
	r = smtp_reply_with(334, "", arena_str(&s->scratch, buf_str(&text)));
	buf_fini(&text);
	s->reading = IN_AUTH;
	return r;
}

static struct smtp_reply
failed(struct smtp_in *s)
{
	return end_with(s, ++s->auth_failures >= SMTP_AUTH_FAILURES_MAX ? SMTP_AUTH_LIMIT : SMTP_AUTH_FAILED);
}

static struct smtp_reply
on_auth(struct smtp_in *s)
{
	switch (s->authed.result) {
	case SMTP_AUTH_CHALLENGE:
		return challenge(s);
	case SMTP_AUTH_DONE:
		s->login = arena_str(&s->arena, s->authed.user);
		return end_with(s, SMTP_AUTH_OK);
	case SMTP_AUTH_BUSY:
		return end_with(s, SMTP_AUTH_LATER);
	case SMTP_AUTH_UNKNOWN:
		return end_with(s, SMTP_AUTH_MECHANISM);
	case SMTP_AUTH_SHUT_OUT:
		return end_with(s, SMTP_AUTH_LIMIT);
	case SMTP_AUTH_MALFORMED:
		return end_with(s, SMTP_AUTH_BASE64);
	default:
		return failed(s);
	}
}

/* The rules of RFC 4954 4 that need no mechanism. */
static enum smtp_reply_name
refusal(const struct smtp_in *s)
{
	if (!s->has_tls && s->profile != SMTP_LOCAL)
		return SMTP_AUTH_NEEDS_TLS;
	if (!is_login_port(s))
		return SMTP_NO_AUTH_HERE;
	if (s->login.n > 0)
		return SMTP_AUTH_TWICE;
	if (s->state == IN_START)
		return SMTP_HELLO_FIRST;
	return s->state == IN_READY ? SMTP_OK : SMTP_NOT_NOW;
}

static bool
is_offered(const struct smtp_in *s, struct str mechanism)
{
	for (size_t i = 0; i < s->conf->nmechanisms; i++)
		if (str_eq_nocase(s->conf->mechanisms[i], mechanism))
			return true;
	return false;
}

struct smtp_reply
auth_run(struct smtp_in *s, const struct in_args *a)
{
	enum smtp_reply_name no = refusal(s);
	struct smtp_reply r;

	if (no != SMTP_OK)
		return smtp_reply(no);
	if (!is_offered(s, a->word))
		return smtp_reply(SMTP_AUTH_MECHANISM);
	s->auth_running = true;
	r = ask(s, a->word, a->initial.p != NULL ? &a->initial : NULL);
	if (!smtp_reply_is_later(&r)) /* nothing was asked yet */
		s->auth_running = false;
	return r;
}

struct smtp_reply
auth_line(struct smtp_in *s, struct str line)
{
	struct smtp_reply r;

	s->verb = in_verb_find(STR("AUTH"));
	if (str_eq(line, STR("*")))
		return give_up(s, SMTP_AUTH_CANCELLED);
	r = ask(s, (struct str){ 0 }, &line);
	if (!smtp_reply_is_later(&r))
		return give_up(s, SMTP_AUTH_BASE64);
	return r;
}
