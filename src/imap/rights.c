/* rights.c - the rights of the session's user, and what follows from them for the selected mailbox (RFC 4314 4, 5). */
#include "rights.h"

#include "names.h"
#include "owners.h"

static const char *const NOPERM = "NOPERM";

unsigned
rights_of(const struct imap_session *s, struct store_view *v, uint32_t mailbox)
{
	struct str who = store_user_address(s->setup.user);
	unsigned rights = store_rights(v, mailbox, who);

	return rights & STORE_RIGHT_LOOKUP || str_eq(who, store_view_owner(v)) ? rights : 0;
}

static bool
lacks(struct command *c, unsigned have, unsigned want)
{
	if ((have & want) == want)
		return false;
	done_no(c, NOPERM, "the access rights of the mailbox do not allow it");
	return true;
}

bool
rights_have(const struct imap_session *s, struct command *c, struct store_view *v, uint32_t mailbox, unsigned want)
{
	return !lacks(c, rights_of(s, v, mailbox), want);
}

bool
rights_still(const struct imap_session *s, struct command *c, struct store_view *v, uint32_t mailbox, unsigned want)
{
	unsigned rights = rights_of(s, v, mailbox);

	if (rights != 0 || str_eq(store_view_owner(v), store_user_address(s->setup.user)))
		return !lacks(c, rights, want);
	done_no(c, "NONEXISTENT", "no such mailbox");
	return false;
}

bool
rights_annotate(const struct imap_session *s, struct command *c, struct store_view *v, uint32_t mailbox)
{
	unsigned rights = rights_of(s, v, mailbox);

	return !lacks(c, rights & STORE_RIGHTS_ANNOTATE ? rights : 0, STORE_RIGHT_LOOKUP);
}

bool
rights_selected(const struct imap_session *s, struct command *c, unsigned want)
{
	return !lacks(c, s->box->rights, want);
}

bool
rights_find(struct imap_session *s, struct command *c, struct str name, unsigned want, enum refused where, struct place *p)
{
	struct store_view *v = place_look(s, c, name, p);
	bool ok = false;

	if (v == NULL)
		return false;
	if (p->mailbox == 0)
		done_no(c, where == REFUSED_TARGET ? "TRYCREATE" : "NONEXISTENT", "no such mailbox");
	else
		ok = rights_have(s, c, v, p->mailbox, want);
	store_view_close(v);
	return ok;
}

/* The nearest mailbox above the name; 0: there is none. */
static uint32_t
nearest_above(struct store_view *v, struct str name)
{
	uint32_t mailbox = 0;

	while (mailbox == 0 && name.n > 0) {
		name = str_sub(name, 0, str_rfind(name, '/') < name.n ? str_rfind(name, '/') : 0);
		mailbox = name.n > 0 ? store_find(v, name) : 0;
	}
	return mailbox;
}

static bool
may_create(const struct imap_session *s, struct command *c, struct store_view *v, const struct place *p)
{
	uint32_t above = nearest_above(v, p->name);

	if (above == 0 && place_is_own(s, p->user))
		return true;
	return !lacks(c, above != 0 ? rights_of(s, v, above) : 0, STORE_RIGHT_CREATE);
}

/* A guest renames a mailbox alone: what lies below it may not be his to rename, nor to know of. */
static bool
may_rename(const struct imap_session *s, struct command *c, struct store_view *v, const struct place *p)
{
	struct store_entry e;

	if (place_is_own(s, p->user) && !owners_has_name(s, p->name))
		return p->mailbox == 0 || rights_have(s, c, v, p->mailbox, STORE_RIGHT_DELETE_BOX);
	if (p->mailbox == 0) {
		done_no(c, "NONEXISTENT", "no such mailbox");
		return false;
	}
	store_look_up(v, p->name, &e);
	if (rights_have(s, c, v, p->mailbox, STORE_RIGHT_DELETE_BOX) && !e.children && !str_eq_nocase(p->name, STR("INBOX")))
		return true;
	if (c->reply.text.n == 0)
		done_no(c, "CANNOT", "only its owner can rename it with what lies below it");
	return false;
}

bool
rights_rename(struct imap_session *s, struct command *c, struct str from, struct str to, struct place *p, struct place *new)
{
	struct store_view *v = place_look(s, c, from, p);
	bool ok;

	if (v == NULL)
		return false;
	ok = may_rename(s, c, v, p);
	if (ok && (!place_of(s, c, to, new) || new->user != p->user)) {
		done_no(c, "CANNOT", "a mailbox stays with its owner");
		ok = false;
	}
	ok = ok && may_create(s, c, v, new);
	store_view_close(v);
	return ok;
}

bool
rights_create(struct imap_session *s, struct command *c, struct str name, struct place *p)
{
	struct store_view *v = place_look(s, c, name, p);
	bool ok;

	if (v == NULL)
		return false;
	ok = !(place_is_own(s, p->user) && owners_has_name(s, name)) && may_create(s, c, v, p);
	if (!ok)
		done_no(c, NOPERM, "no mailbox may be made here");
	store_view_close(v);
	return ok;
}

void
rights_refresh(struct imap_session *s)
{
	struct selected *box = s->box;
	struct err e;
	struct store_view *v = box != NULL ? session_look(s, box->user, &e) : NULL;
	unsigned rights;

	if (v == NULL)
		return;
	rights = rights_of(s, v, box->mailbox);
	store_view_close(v);
	if (rights == box->rights)
		return;
	box->rights = rights;
	box->rights_changed = true;
	box->dirty = true;
	box->readonly = box->examined || !(rights & RIGHTS_TO_CHANGE);
	if (rights & STORE_RIGHT_READ)
		return;
	box->deleted = true;
	box->why = "the mailbox may not be read any more";
}

void
rights_out(struct buf *out, unsigned rights)
{
	struct buf letters;

	buf_init(&letters, 64);
	store_rights_write(&letters, rights);
	out_astring(out, buf_str(&letters));
	buf_fini(&letters);
}

void
rights_write(struct imap_session *s, struct str mailbox, unsigned rights)
{
	buf_add_cstr(&s->out, "* MYRIGHTS ");
	out_mailbox(&s->out, mailbox, session_names(s));
	buf_add_char(&s->out, ' ');
	rights_out(&s->out, rights);
	buf_add_cstr(&s->out, "\r\n");
}

bool
rights_tell_uids(const struct imap_session *s, const struct place *p)
{
	struct err e;
	struct store_view *v = session_look(s, p->user, &e);
	bool ok = v != NULL && rights_of(s, v, p->mailbox) & STORE_RIGHT_READ;

	if (v != NULL)
		store_view_close(v);
	return ok;
}
