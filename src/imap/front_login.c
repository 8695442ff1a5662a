/* front_login.c - LOGIN and AUTHENTICATE (RFC 9051 6.2.2, 6.2.3; RFC 4959 initial responses).
 *
 * LOGIN becomes the message of SASL PLAIN (RFC 4616), so that auth sees one way to log in. Decoded secrets live in
 * buffers that are overwritten before this file returns. */
#include "front_priv.h"

#include <postern/core/base64.h>
#include <postern/core/err.h>
#include <postern/core/log.h>

enum {
	LOGIN_FIELD_MAX = IMAP_FRONT_LITERAL_MAX,
	MESSAGE_MAX = IMAP_FRONT_LINE_MAX,
	CHALLENGE_MAX = IMAP_FRONT_LINE_MAX * 2,
};

/* A login that ends here; of those that auth decides, auth tells. */
void
imap_front_log_refused(const struct imap_front *f, const char *why)
{
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "login");
	log_str(&l, "sid", f->setup.sid);
	log_str(&l, "client", f->setup.client);
	log_cstr(&l, "ok", "no");
	log_cstr(&l, "why", why);
	log_end(&l);
}

static void
begin_exchange(struct imap_front *f, struct str mech)
{
	buf_clear(&f->mech);
	buf_add(&f->mech, mech);
	f->state = FRONT_ASKING;
}

void
imap_front_login(struct imap_front *f, struct lex *l)
{
	struct buf message;
	struct str initial;
	struct str user;
	struct str password;

	lex_sp(l);
	user = lex_astring(l);
	lex_sp(l);
	password = lex_astring(l);
	if (!lex_end(l)) {
		imap_front_bad(f, l->c.why);
		return;
	}
	if (user.n > LOGIN_FIELD_MAX || password.n > LOGIN_FIELD_MAX) {
		imap_front_bad(f, "user name or password too long");
		return;
	}
	buf_init(&message, MESSAGE_MAX);
	buf_room(&message, user.n + password.n + 2);
	buf_add_char(&message, '\0');
	buf_add(&message, user);
	buf_add_char(&message, '\0');
	buf_add(&message, password);
	initial = buf_str(&message);
	begin_exchange(f, STR("LOGIN"));
	f->ops->auth_start(f->ctx, STR("PLAIN"), &initial);
	buf_wipe(&message);
}

/* The registered spelling of a mechanism we offer, or an empty str. */
static struct str
find_mech(const struct imap_front *f, struct str name)
{
	for (size_t i = 0; i < f->setup.nmechs; i++)
		if (str_eq_nocase(f->setup.mechs[i], name))
			return f->setup.mechs[i];
	return (struct str){ 0 };
}

static bool
is_base64(char c)
{
	return ascii_is_alnum(c) || c == '+' || c == '/' || c == '=';
}

/* [SP initial-resp]: false when malformed. "=" is an empty response that is there (RFC 4959 3). */
static bool
initial_response(struct lex *l, bool *given, struct buf *message)
{
	struct str text;

	*given = lex_take(l, ' ');
	if (!*given)
		return lex_end(l);
	text = cur_want_while(&l->c, is_base64, SIZE_MAX, "expected base64");
	if (!lex_end(l))
		return false;
	buf_room(message, text.n);
	return str_eq(text, STR("=")) || base64_decode(message, text) || lex_fail(l, "bad base64");
}

static void
start(struct imap_front *f, struct str mech, bool given, struct str message)
{
	begin_exchange(f, mech);
	f->ops->auth_start(f->ctx, mech, given ? &message : NULL);
}

void
imap_front_authenticate(struct imap_front *f, struct lex *l)
{
	struct buf message;
	bool given = false;
	struct str name;
	struct str mech;

	lex_sp(l);
	name = lex_atom(l);
	buf_init(&message, MESSAGE_MAX);
	mech = find_mech(f, name);
	if (!initial_response(l, &given, &message))
		imap_front_bad(f, l->c.why);
	else if (mech.n == 0)
		imap_front_reply(f, REPLY_NO, "", "no such mechanism");
	else
		start(f, mech, given, buf_str(&message));
	buf_wipe(&message);
}

static void
cancel_exchange(struct imap_front *f, const char *why)
{
	if (f->state == FRONT_RESPONSE)
		f->ops->auth_cancel(f->ctx);
	f->state = FRONT_TLS;
	imap_front_log_refused(f, why);
	imap_front_bad(f, why);
}

static void
hand_over(struct imap_front *f)
{
	const struct imap_login login = {
		.user = buf_str(&f->user),
		.ticket = buf_str(&f->ticket),
		.tag = buf_str(&f->tag),
		.mech = buf_str(&f->mech),
	};

	f->state = FRONT_DONE;
	f->ops->handover(f->ctx, &login);
}

void
imap_front_response(struct imap_front *f, struct str line)
{
	struct buf message;

	if (f->state == FRONT_LAST && line.n == 0) {
		hand_over(f);
		return;
	}
	if (f->state == FRONT_LAST || str_eq(line, STR("*"))) {
		cancel_exchange(f, "authentication cancelled");
		return;
	}
	buf_init(&message, MESSAGE_MAX);
	buf_room(&message, line.n);
	if (base64_decode(&message, line)) {
		f->state = FRONT_ASKING;
		f->ops->auth_step(f->ctx, buf_str(&message));
	} else {
		cancel_exchange(f, "bad base64");
	}
	buf_wipe(&message);
}

/* --- answers --- */

static void
challenge(struct imap_front *f, struct str data, enum front_state next)
{
	struct buf out;

	buf_init(&out, CHALLENGE_MAX);
	buf_add_cstr(&out, "+ ");
	base64_add(&out, data);
	buf_add_cstr(&out, "\r\n");
	f->state = next;
	frame_expect_line(&f->frame);
	f->ops->write(f->ctx, buf_str(&out));
	buf_fini(&out);
}

static void
on_success(struct imap_front *f, const struct imap_auth_answer *a)
{
	buf_clear(&f->user);
	buf_add(&f->user, a->user);
	buf_clear(&f->ticket);
	buf_add(&f->ticket, a->ticket);
	if (a->data.n > 0)
		challenge(f, a->data, FRONT_LAST);
	else
		hand_over(f);
}

/* What the client hears when a login fails: one text whatever was wrong with name or password. */
static const struct {
	enum reply_kind kind;
	const char *code;
	const char *text;
} failures[] = {
	[IMAP_AUTH_FAILED] = { REPLY_NO, "AUTHENTICATIONFAILED", "authentication failed" },
	[IMAP_AUTH_FORBIDDEN] = { REPLY_NO, "AUTHORIZATIONFAILED", "not allowed to act as this user" },
	[IMAP_AUTH_BAD] = { REPLY_BAD, "", "malformed authentication exchange" },
	[IMAP_AUTH_UNAVAILABLE] = { REPLY_NO, "UNAVAILABLE", SAY_LATER },
	[IMAP_AUTH_UNKNOWN] = { REPLY_NO, "CANNOT", "no such mechanism" },
	[IMAP_AUTH_LIMIT] = { REPLY_NO, "LIMIT", "too many sessions of this user" },
};

static void
on_failure(struct imap_front *f, const struct imap_auth_answer *a)
{
	f->state = FRONT_TLS;
	if (a->why != NULL)
		imap_front_log_refused(f, a->why);
	imap_front_reply(f, failures[a->verdict].kind, failures[a->verdict].code, failures[a->verdict].text);
	if (++f->failed >= IMAP_FRONT_AUTH_MAX || a->close)
		imap_front_bye(f, "", "too many failed logins");
}

void
imap_front_answer(struct imap_front *f, const struct imap_auth_answer *answer)
{
	ASSERT(f->state == FRONT_ASKING);
	if (answer->verdict == IMAP_AUTH_CHALLENGE)
		challenge(f, answer->data, FRONT_RESPONSE);
	else if (answer->verdict == IMAP_AUTH_OK)
		on_success(f, answer);
	else
		on_failure(f, answer);
}
