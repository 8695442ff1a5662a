/* may_send.c - whose address a login may put into MAIL FROM and From: (RFC 6409 6.1). */
#include <postern/auth/resolve.h>

#include <postern/message/address.h>

#include "identity.h"

struct sender {
	const struct resolver *r;
	struct arena a;
	struct str login;
	struct str address; /* canonical */
	struct str base;    /* without the tag; the same when there is none */
	struct str local;   /* of base */
	struct str domain;
	const char *why;
};

static enum may_send
say(struct sender *s, enum may_send verdict, const char *why)
{
	s->why = why;
	return verdict;
}

static bool
split(struct sender *s)
{
	char separator = s->r->conf->auth.tag;
	struct str detail;
	struct str user;

	if (!address_split(s->address, &s->local, &s->domain))
		return false;
	s->base = s->address;
	if (separator != '\0' && address_split_detail(s->local, separator, &user, &detail)) {
		s->base = arena_strf(&s->a, "%.*s@%.*s", STR_ARG(user), STR_ARG(s->domain));
		s->local = user;
	}
	return true;
}

/* *granted: the alias is there and names the login. */
static enum directory_found
ask_alias(struct sender *s, struct str name, bool *granted)
{
	struct alias al;
	struct err e;
	enum directory_found found = directory_alias(s->r->dir, name, &s->a, &al, &e);

	*granted = false;
	for (size_t i = 0; found == DIRECTORY_FOUND && i < al.nsenders; i++)
		*granted = *granted || str_eq(al.senders[i], s->login);
	return found;
}

/* An alias or account of exactly this name belongs to those it names, and to nobody else. */
static bool
judge_name(struct sender *s, struct str name, enum may_send *verdict)
{
	struct user u;
	struct err e;
	bool granted;
	enum directory_found alias = ask_alias(s, name, &granted);
	enum directory_found user = directory_user(s->r->dir, name, &s->a, &u, &e);

	if (alias == DIRECTORY_FAILED || user == DIRECTORY_FAILED)
		*verdict = say(s, MAY_SEND_LATER, "the directory does not answer");
	else if (granted)
		*verdict = say(s, MAY_SEND, "an alias that names the login as a sender");
	else if (alias == DIRECTORY_FOUND || user == DIRECTORY_FOUND)
		*verdict = say(s, MAY_NOT_SEND, "somebody else's address");
	else
		return false;
	return true;
}

static enum may_send
judge_role_name(struct sender *s)
{
	struct str postmaster;
	struct err e;
	bool failed = false;
	enum directory_found found;

	if (!resolve_own_domain(s->r, s->domain, &failed))
		return failed ? say(s, MAY_SEND_LATER, "the directory does not answer")
			      : say(s, MAY_NOT_SEND, "not an address of this server");
	found = resolve_postmaster(s->r, &s->a, &postmaster, &e);
	if (found == DIRECTORY_FAILED)
		return say(s, MAY_SEND_LATER, "the directory does not answer");
	if (found == DIRECTORY_FOUND && str_eq(postmaster, s->login))
		return say(s, MAY_SEND, "the login is the postmaster");
	return say(s, MAY_NOT_SEND, "the postmaster's address");
}

static enum may_send
judge_catch_all(struct sender *s)
{
	bool granted;

	switch (ask_alias(s, arena_strf(&s->a, "@%.*s", STR_ARG(s->domain)), &granted)) {
	case DIRECTORY_FAILED:
		return say(s, MAY_SEND_LATER, "the directory does not answer");
	case DIRECTORY_FOUND:
	case DIRECTORY_MISSING:
		break;
	}
	if (granted)
		return say(s, MAY_SEND, "a catch-all that names the login as a sender");
	return say(s, MAY_NOT_SEND, "no address of the login's");
}

static enum may_send
judge_login(struct sender *s)
{
	struct user u;
	struct err e;

	switch (directory_user(s->r->dir, s->login, &s->a, &u, &e)) {
	case DIRECTORY_FAILED:
		return say(s, MAY_SEND_LATER, "the directory does not answer");
	case DIRECTORY_MISSING:
		return say(s, MAY_NOT_SEND, "the login's account is gone");
	case DIRECTORY_FOUND:
		break;
	}
	return u.disabled ? say(s, MAY_NOT_SEND, "the login's account is disabled") : MAY_SEND;
}

static enum may_send
judge(struct sender *s, struct str text)
{
	enum may_send verdict = judge_login(s);

	if (verdict != MAY_SEND)
		return verdict;
	if (text.n == 0)
		return say(s, MAY_SEND, "the null sender");
	if (!identity_of_address(text, true, &s->a, &s->address) || !split(s))
		return say(s, MAY_NOT_SEND, "no address of an account");
	if (str_eq(s->address, s->login))
		return say(s, MAY_SEND, "the login's own address");
	if (judge_name(s, s->address, &verdict))
		return verdict;
	if (str_eq(s->base, s->login))
		return say(s, MAY_SEND, "the login's own address with a tag");
	if (!str_eq(s->base, s->address) && judge_name(s, s->base, &verdict))
		return verdict;
	return resolve_is_role_name(s->local) ? judge_role_name(s) : judge_catch_all(s);
}

enum may_send
resolve_may_send(const struct resolver *r, struct str login, struct str address, const char **why)
{
	struct sender s = { .r = r, .login = login, .why = "" };
	enum may_send verdict;

	arena_init(&s.a);
	verdict = judge(&s, address);
	arena_fini(&s.a);
	*why = s.why;
	return verdict;
}
