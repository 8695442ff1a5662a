/* sasl_plain.c - the two mechanisms that carry the password itself: PLAIN (RFC 4616) and LOGIN.
 *
 * LOGIN was never a standard: the server asks "Username:" and "Password:". Old Outlook and printers send the name as an
 * initial response, others an empty one; both are taken. Password bytes need not be UTF-8: an imported account may
 * still have such a one (verifier.c decides). */
#include "sasl_own.h"

#include <postern/core/utf8.h>

enum state { PLAIN_MESSAGE, LOGIN_NAME, LOGIN_PASSWORD, CHECKING, OVER };

static bool
name_fits(struct str name)
{
	return name.n <= SASL_NAME_MAX && utf8_valid(name) && !str_has(name, '\0');
}

static enum sasl_next
check(struct sasl *s, struct str authzid, struct str authcid, struct str password)
{
	if (!name_fits(authzid) || !name_fits(authcid) || authcid.n == 0)
		return sasl_malformed(s, "no user name, or one that is not UTF-8 or too long");
	if (str_has(password, '\0'))
		return sasl_malformed(s, "NUL inside the password");
	buf_add(&s->authzid, authzid);
	buf_add(&s->authcid, authcid);
	buf_add(&s->password, password);
	s->state = CHECKING;
	return SASL_CHECK_PASSWORD;
}

enum sasl_next
sasl_plain_step(struct sasl *s, struct str response)
{
	struct str authzid;
	struct str authcid;

	if (s->state != PLAIN_MESSAGE)
		return sasl_malformed(s, "a response out of order");
	s->state = OVER;
	if (str_find(response, '\0') == response.n)
		return sasl_malformed(s, "no NUL in a PLAIN message");
	authzid = str_sub(response, 0, str_find(response, '\0'));
	response = str_sub(response, authzid.n + 1, response.n);
	if (str_find(response, '\0') == response.n)
		return sasl_malformed(s, "only one NUL in a PLAIN message");
	authcid = str_sub(response, 0, str_find(response, '\0'));
	return check(s, authzid, authcid, str_sub(response, authcid.n + 1, response.n));
}

enum sasl_next
sasl_plain_start(struct sasl *s, const struct str *initial)
{
	s->state = PLAIN_MESSAGE;
	return initial == NULL ? SASL_CHALLENGE : sasl_plain_step(s, *initial);
}

static enum sasl_next
ask(struct sasl *s, enum state state, const char *words)
{
	s->state = (int)state;
	buf_add_cstr(&s->out, words);
	return SASL_CHALLENGE;
}

static enum sasl_next
take_name(struct sasl *s, struct str name)
{
	if (!name_fits(name) || name.n == 0)
		return sasl_malformed(s, "no user name, or one that is not UTF-8 or too long");
	buf_add(&s->authcid, name);
	return ask(s, LOGIN_PASSWORD, "Password:");
}

enum sasl_next
sasl_login_start(struct sasl *s, const struct str *initial)
{
	if (initial == NULL || initial->n == 0)
		return ask(s, LOGIN_NAME, "Username:");
	return take_name(s, *initial);
}

enum sasl_next
sasl_login_step(struct sasl *s, struct str response)
{
	if (s->state == LOGIN_NAME)
		return take_name(s, response);
	if (s->state != LOGIN_PASSWORD)
		return sasl_malformed(s, "a response out of order");
	s->state = CHECKING;
	if (str_has(response, '\0'))
		return sasl_malformed(s, "NUL inside the password");
	buf_add(&s->password, response);
	return SASL_CHECK_PASSWORD;
}

enum sasl_next
sasl_password_checked(struct sasl *s, bool right)
{
	if (s->state != CHECKING)
		return sasl_malformed(s, "no password was asked for");
	s->state = OVER;
	buf_wipe(&s->password);
	if (!right)
		return sasl_wrong(s, "wrong password");
	if (!s->other)
		return SASL_OK;
	s->why = "asks to act as somebody else";
	return SASL_FORBIDDEN;
}
