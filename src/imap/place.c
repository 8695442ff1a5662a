/* place.c - names of the client and the mailboxes they mean. */
#include "place.h"

bool
place_of(const struct imap_session *s, const struct command *c, struct str name, struct place *p)
{
	(void)c;
	*p = (struct place){ .user = s->setup.user, .name = name, .quota = s->setup.quota };
	return name.n > 0;
}

struct store_view *
session_look(const struct imap_session *s, struct store_user *user, struct err *e)
{
	(void)s;
	return store_view_open(user, e);
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
		p->mailbox = store_find(v, p->name);
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
	(void)s;
	return store_mailbox_name(v, mailbox, a);
}
