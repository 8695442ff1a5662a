/* owners.c - names of others' mailboxes, and their accounts opened one after another. */
#include "owners.h"

#include <postern/store/rights.h>

#include "command.h"

static const struct str USERS = STR_INIT("Users");
static const struct str SHARED = STR_INIT("Shared");

/* --- names --- */

static bool
is_below(struct str name, struct str level)
{
	return str_starts(name, level) && (name.n == level.n || name.p[level.n] == '/');
}

static bool
offers_shared(const struct imap_session *s)
{
	return s->setup.shared_owner.n > 0;
}

bool
owners_has_name(const struct imap_session *s, struct str name)
{
	return s->setup.store != NULL && (is_below(name, USERS) || (offers_shared(s) && is_below(name, SHARED)));
}

bool
owners_split(const struct imap_session *s, struct str name, struct str *owner, struct str *rest)
{
	*owner = *rest = STR("");
	if (!owners_has_name(s, name))
		return false;
	if (is_below(name, USERS)) {
		*rest = str_sub(name, USERS.n + 1, name.n);
		str_cut(rest, '/', owner);
	} else {
		*owner = s->setup.shared_owner;
		*rest = str_sub(name, SHARED.n + 1, name.n);
	}
	return true;
}

struct str
owners_prefix(const struct imap_session *s, struct str owner, struct arena *a)
{
	if (offers_shared(s) && str_eq(owner, s->setup.shared_owner))
		return arena_strf(a, "%.*s/", STR_ARG(SHARED));
	return arena_strf(a, "%.*s/%.*s/", STR_ARG(USERS), STR_ARG(owner));
}

/* --- who is needed --- */

static struct owner *
find(const struct command *c, struct str address)
{
	for (struct owner *o = c->owners; o != NULL; o = o->next)
		if (str_eq(o->address, address))
			return o;
	return NULL;
}

static void
want(struct command *c, struct str address)
{
	struct owner *o, **at = &c->owners;

	if (find(c, address) != NULL)
		return;
	o = ARENA_NEW(&c->arena, struct owner);
	o->address = arena_str(&c->arena, address);
	while (*at != NULL)
		at = &(*at)->next;
	*at = o;
}

void
owners_note(struct command *c, struct str name)
{
	const struct imap_session *s = c->session;
	struct str owner, rest;

	if (owners_split(s, name, &owner, &rest) && owner.n > 0 &&
	    store_is_shared(s->setup.store, owner, store_user_address(s->setup.user)))
		want(c, owner);
}

/* An address with the separator in it would be another name: such a user is nobody's host. */
void
owners_note_all(struct command *c)
{
	const struct imap_session *s = c->session;
	struct str *all;
	size_t n = s->setup.store != NULL ? store_owners(s->setup.store, store_user_address(s->setup.user), &c->arena, &all) : 0;

	for (size_t i = 0; i < n; i++)
		if (!str_has(all[i], '/'))
			want(c, all[i]);
}

const struct owner *
owners_find(const struct command *c, struct str address)
{
	const struct owner *o = find(c, address);

	return o != NULL && o->user != NULL ? o : NULL;
}

void
owners_free(struct command *c)
{
	for (struct owner *o = c->owners; o != NULL; o = o->next)
		if (o->user != NULL)
			store_user_unref(o->user);
	c->owners = NULL;
}

/* --- opening them --- */

static struct owner *
next(const struct command *c)
{
	struct owner *o = c->owners;

	while (o != NULL && o->asked)
		o = o->next;
	return o;
}

bool
owners_are_due(const struct command *c)
{
	return next(c) != NULL;
}

static enum step
open_step(struct imap_session *s, struct command *c)
{
	struct owner *o = next(c);

	if (o == NULL) {
		c->step = c->then;
		return STEP_MORE;
	}
	o->asked = true;
	s->opening = o;
	s->ops->open_owner(s->ctx, o->address);
	return STEP_WAIT;
}

enum step
owners_open(struct imap_session *s, struct command *c, enum step (*then)(struct imap_session *s, struct command *c))
{
	(void)s;
	c->then = then;
	c->step = open_step;
	return STEP_MORE;
}

void
imap_session_owner(struct imap_session *s, struct store_user *user, uint64_t quota)
{
	struct owner *o = s->opening;

	if (user != NULL)
		store_user_ref(user);
	s->opening = NULL;
	o->user = user;
	o->quota = quota;
	command_go_on(s, open_step);
}
