/* notify_tell.c - events of mailboxes that are not selected, as STATUS and LIST (RFC 5465 5.1 to 5.5). */
#include "notify.h"

#include <stdlib.h>

#include "names.h"
#include "rights.h"
#include "status.h"

enum {
	LINES_PER_STEP = 64,
};

/* --- STATUS --- */

static unsigned
items_of(const struct imap_session *s, unsigned events, enum notify_status when)
{
	static const struct str flags[] = { STR_INIT("UIDVALIDITY"), STR_INIT("UNSEEN") };
	static const struct str messages[] = { STR_INIT("UIDVALIDITY"), STR_INIT("UIDNEXT"), STR_INIT("MESSAGES") };
	unsigned items = 0;

	for (size_t i = 0; events & (NOTIFY_NEW | NOTIFY_EXPUNGE) && i < sizeof(messages) / sizeof(*messages); i++)
		items |= status_item_of(messages[i]);
	for (size_t i = 0; events & NOTIFY_FLAGS && i < sizeof(flags) / sizeof(*flags); i++)
		items |= status_item_of(flags[i]);
	if (s->condstore || (events & NOTIFY_FLAGS && when == STATUS_AT_FIRST))
		items |= status_item_of(STR("HIGHESTMODSEQ"));
	return items;
}

void
notify_write_status(struct imap_session *s, struct store_view *v, uint32_t mailbox, struct str name, unsigned events,
    enum notify_status when)
{
	status_write(s, v, mailbox, name, items_of(s, events, when));
}

/* What happened, as far as it is wanted of the mailbox. */
static void
tell_mailbox(struct imap_session *s, struct store_view *v, uint32_t mailbox, struct str name, unsigned happened)
{
	struct store_entry e;
	unsigned events;

	store_look_up(v, name, &e);
	events = notify_events(s, name, e.subscribed) & happened;
	if (events != 0 && rights_of(s, v, mailbox) & STORE_RIGHT_READ)
		notify_write_status(s, v, mailbox, name, events, STATUS_CHANGED);
}

static void
tell_one_mailbox(struct imap_session *s, struct store_view *v)
{
	struct notify *n = s->notify;
	bool arrived = !uidset_empty(&n->arrived);
	uint32_t mailbox = uidset_first(arrived ? &n->arrived : &n->flagged);
	unsigned happened = arrived ? NOTIFY_NEW | NOTIFY_EXPUNGE : 0;
	struct arena arena;
	struct str name;

	if (uidset_has(&n->flagged, mailbox))
		happened |= NOTIFY_FLAGS;
	uidset_remove(&n->arrived, mailbox, mailbox);
	uidset_remove(&n->flagged, mailbox, mailbox);
	arena_init(&arena);
	name = store_mailbox_name(v, mailbox, &arena);
	if (name.n > 0 && !place_is_selected(s, s->setup.user, mailbox))
		tell_mailbox(s, v, mailbox, name, happened);
	arena_fini(&arena);
}

/* --- LIST --- */

static void
write_list(struct imap_session *s, const struct store_entry *e, const char *old)
{
	buf_addf(&s->out, "* LIST (%s%s%s", e->mailbox == 0 ? "\\NonExistent " : "",
	    e->children ? "\\HasChildren" : "\\HasNoChildren", e->subscribed ? " \\Subscribed" : "");
	if (e->mailbox != 0 && e->use != STORE_USE_NONE) {
		buf_add_char(&s->out, ' ');
		buf_add(&s->out, store_use_attribute(e->use));
	}
	buf_add_cstr(&s->out, ") \"/\" ");
	out_mailbox(&s->out, e->name, session_names(s));
	if (old != NULL) {
		buf_add_cstr(&s->out, " (\"OLDNAME\" (");
		out_mailbox(&s->out, str_of(old), session_names(s));
		buf_add_cstr(&s->out, "))");
	}
	buf_add_cstr(&s->out, "\r\n");
}

/* A renamed mailbox concerns who watches either name. */
static void
tell_name(struct imap_session *s, struct store_view *v, const struct name_news *news)
{
	struct store_entry e;
	unsigned wanted = 0;

	store_look_up(v, str_of(news->name), &e);
	if (news->kinds & STORE_EVENT_SUBSCRIBED)
		wanted |= notify_events(s, e.name, true) & NOTIFY_SUBSCRIPTION;
	if (news->kinds & (STORE_EVENT_CREATED | STORE_EVENT_DELETED | STORE_EVENT_RENAMED))
		wanted |= notify_events(s, e.name, e.subscribed) & NOTIFY_NAME;
	if (news->old != NULL)
		wanted |= notify_events(s, str_of(news->old), false) & NOTIFY_NAME;
	if (wanted != 0)
		write_list(s, &e, news->old);
}

static void
tell_one_name(struct imap_session *s, struct store_view *v)
{
	struct notify *n = s->notify;
	struct name_news *news = &n->names[n->told_names++];

	tell_name(s, v, news);
	free(news->name);
	free(news->old);
	*news = (struct name_news){ 0 };
	if (n->told_names == n->nnames)
		n->told_names = n->nnames = 0;
}

/* --- */

/* Names first: what is said of a mailbox is said of one that is known. False: nothing waits. */
static bool
tell_one(struct imap_session *s, struct store_view *v)
{
	const struct notify *n = s->notify;

	if (n->told_names < n->nnames)
		tell_one_name(s, v);
	else if (!uidset_empty(&n->arrived) || !uidset_empty(&n->flagged))
		tell_one_mailbox(s, v);
	else
		return false;
	return true;
}

static bool
waits(const struct notify *n)
{
	return n->nnames > 0 || !uidset_empty(&n->arrived) || !uidset_empty(&n->flagged);
}

enum step
notify_tell(struct imap_session *s)
{
	struct notify *n = s->notify;
	struct err e;
	struct store_view *v;

	if (n != NULL && n->overflow) {
		buf_add_cstr(&s->out, "* OK [NOTIFICATIONOVERFLOW] too much happened: nothing is notified any more\r\n");
		n->overflow = false;
	}
	if (n == NULL || !waits(n))
		return STEP_DONE;
	v = session_look(s, s->setup.user, &e);
	if (v == NULL)
		return STEP_DONE;
	for (unsigned i = 0; i < LINES_PER_STEP && tell_one(s, v); i++)
		;
	store_view_close(v);
	return waits(n) ? STEP_MORE : STEP_DONE;
}
