/* place.c - names of the client and the mailboxes they mean. */
#include "place.h"

#include "owners.h"
#include "rights.h"

bool
place_of(const struct imap_session *s, const struct command *c, struct str name, struct place *p)
{
	struct str address, rest;
	const struct owner *o;

	*p = (struct place){ .user = s->setup.user, .name = name, .quota = s->setup.quota };
	if (!owners_split(s, name, &address, &rest))
		return name.n > 0;
	o = owners_find(c, address);
	if (o == NULL || rest.n == 0)
		return false;
	*p = (struct place){ .user = o->user, .name = rest, .quota = o->quota };
	return true;
}

bool
place_is_own(const struct imap_session *s, const struct store_user *user)
{
	return user == s->setup.user;
}

struct store_done
session_done(struct imap_session *s, void (*fn)(void *ctx, const struct store_result *r))
{
	return (struct store_done){ fn, s, store_user_address(s->setup.user) };
}

struct store_view *
session_look(const struct imap_session *s, struct store_user *user, struct err *e)
{
	return store_view_open_as(user, store_user_address(s->setup.user), e);
}

/* RFC 4314 4: without "l" there is no such mailbox. */
static uint32_t
find(const struct imap_session *s, struct store_view *v, const struct place *p)
{
	uint32_t mailbox = store_find(v, p->name);

	return mailbox != 0 && (place_is_own(s, p->user) || rights_of(s, v, mailbox) != 0) ? mailbox : 0;
}

struct store_view *
place_look(struct imap_session *s, struct command *c, struct str name, struct place *p)
{
	bool known = place_of(s, c, name, p);
	struct err e;
	struct store_view *v = session_look(s, p->user, &e);

	if (v == NULL)
		done_unreadable(s, c, &e);
	else if (known)
		p->mailbox = find(s, v, p);
	return v;
}

bool
place_is_selected(const struct imap_session *s, const struct store_user *user, uint32_t mailbox)
{
	return s->box != NULL && s->box->user == user && s->box->mailbox == mailbox;
}

struct str
place_name(const struct imap_session *s, struct store_view *v, uint32_t mailbox, struct arena *a)
{
	struct str name = store_mailbox_name(v, mailbox, a), owner = store_view_owner(v);

	if (name.n == 0 || str_eq(owner, store_user_address(s->setup.user)))
		return name;
	return arena_strf(a, "%.*s%.*s", STR_ARG(owners_prefix(s, owner, a)), STR_ARG(name));
}
