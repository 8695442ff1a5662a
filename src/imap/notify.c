/* notify.c - what a client asked NOTIFY for, and events on their way to it (RFC 5465 3.1, 5, 5.8). */
#include "notify.h"

#include <stdlib.h>

#include <postern/core/mem.h>

#include "fetch.h"
#include "idle.h"
#include "metadata.h"
#include "place.h"

enum {
	MESSAGE_KINDS = STORE_EVENT_NEW | STORE_EVENT_GONE | STORE_EVENT_FLAGS,
	NAME_KINDS = STORE_EVENT_CREATED | STORE_EVENT_DELETED | STORE_EVENT_RENAMED,
};

/* --- what is asked for --- */

static void
forget_names(struct notify *n)
{
	for (size_t i = 0; i < n->nnames; i++) {
		free(n->names[i].name);
		free(n->names[i].old);
	}
	free(n->names);
	n->names = NULL;
	n->nnames = n->told_names = n->cap_names = 0;
}

static void
forget_news(struct notify *n)
{
	uidset_clear(&n->arrived);
	uidset_clear(&n->flagged);
	forget_names(n);
}

static void
forget_set(struct notify *n)
{
	if (n->set != NULL && n->set->news != NULL)
		fetch_fini(n->set->news);
	n->set = NULL;
	arena_fini(&n->arena);
}

void
notify_free(struct imap_session *s)
{
	struct notify *n = s->notify;

	if (n == NULL)
		return;
	store_watch_stop(n->watch);
	forget_set(n);
	forget_news(n);
	uidset_fini(&n->arrived);
	uidset_fini(&n->flagged);
	free(n);
	s->notify = NULL;
}

void
notify_overflow(struct imap_session *s)
{
	struct notify *n = s->notify;

	forget_set(n);
	forget_news(n);
	n->overflow = true;
}

unsigned
notify_selected(const struct imap_session *s)
{
	if (s->notify == NULL)
		return NOTIFY_MESSAGES;
	return s->notify->set != NULL ? s->notify->set->selected : 0;
}

/* RFC 5465 6: groups add up; NONE is for a mailbox that others would mean, too. */
unsigned
notify_set_events(const struct notify_set *set, struct str name, bool subscribed)
{
	unsigned found = 0;

	for (size_t i = 0; i < set->n; i++) {
		if (!filter_has(&set->group[i].filter, name, WHOSE_OWN, subscribed))
			continue;
		if (set->group[i].events == 0)
			return 0;
		found |= set->group[i].events;
	}
	return found;
}

unsigned
notify_events(const struct imap_session *s, struct str name, bool subscribed)
{
	const struct notify_set *set = s->notify->set;

	return set != NULL ? notify_set_events(set, name, subscribed) : 0;
}

bool
notify_wants_metadata(const struct imap_session *s, struct store_view *v, uint32_t mailbox, struct str name)
{
	const struct notify_set *set = s->notify != NULL ? s->notify->set : NULL;
	struct store_entry e;

	if (set == NULL)
		return false;
	if (mailbox == 0)
		return set->events & NOTIFY_SERVER_METADATA;
	store_look_up(v, name, &e);
	return notify_events(s, name, e.subscribed) & NOTIFY_METADATA;
}

void
notify_own(struct imap_session *s, const struct store_user *user, const struct store_result *r)
{
	if (s->notify == NULL || r->uids == NULL || uidset_empty(r->uids))
		return;
	if (place_is_selected(s, user, r->mailbox))
		uidset_add_set(&s->box->mine, r->uids);
	else if (user == s->setup.user)
		s->notify->own = r->mailbox;
}

/* --- events --- */

static bool
waits_already(const struct notify *n, struct str name)
{
	for (size_t i = n->told_names; i < n->nnames; i++)
		if (n->names[i].old == NULL && str_eq(str_of(n->names[i].name), name))
			return true;
	return false;
}

static void
add_name(struct imap_session *s, unsigned kinds, struct str name, struct str old)
{
	struct notify *n = s->notify;

	if (name.n == 0 || n->overflow || (old.n == 0 && waits_already(n, name)))
		return;
	if (n->nnames == NOTIFY_NAMES_MAX) {
		notify_overflow(s);
		return;
	}
	if (n->nnames == n->cap_names) {
		n->cap_names = n->cap_names > 0 ? 2 * n->cap_names : 8;
		n->names = mem_resize(n->names, n->cap_names * sizeof(*n->names));
	}
	n->names[n->nnames++] = (struct name_news){ kinds, mem_cstr(name), old.n > 0 ? mem_cstr(old) : NULL };
}

/* RFC 5465 5.4: when a mailbox is made or deleted, the name above it is concerned, too. */
static void
take_name(struct imap_session *s, const struct store_event *event)
{
	size_t slash = str_rfind(event->name, '/');

	add_name(s, event->kinds, event->name, event->old_name);
	if (event->kinds & (STORE_EVENT_CREATED | STORE_EVENT_DELETED) && slash < event->name.n)
		add_name(s, event->kinds, str_sub(event->name, 0, slash), STR(""));
}

/* The one change of the session's own command; with others' in the same commit it is told. */
static bool
is_own(struct notify *n, const struct store_event *event)
{
	bool own = n->own == event->mailbox && event->modseq == event->before + 1;

	if (n->own == event->mailbox)
		n->own = 0;
	return own;
}

static void
take_messages(struct imap_session *s, const struct store_event *event)
{
	struct notify *n = s->notify;

	if (is_own(n, event) || place_is_selected(s, s->setup.user, event->mailbox))
		return;
	if (event->kinds & (STORE_EVENT_NEW | STORE_EVENT_GONE))
		uidset_add(&n->arrived, event->mailbox, event->mailbox);
	if (event->kinds & STORE_EVENT_FLAGS)
		uidset_add(&n->flagged, event->mailbox, event->mailbox);
}

static void
on_event(void *ctx, const struct store_event *event)
{
	struct imap_session *s = ctx;
	const struct notify_set *set = s->notify->set;

	if (set == NULL || s->closed)
		return;
	if (event->kinds & MESSAGE_KINDS && set->events & NOTIFY_MESSAGES)
		take_messages(s, event);
	if (event->kinds & NAME_KINDS && set->events & NOTIFY_NAME && event->by != s)
		take_name(s, event);
	if (event->kinds & STORE_EVENT_SUBSCRIBED && set->events & NOTIFY_SUBSCRIPTION && event->by != s)
		add_name(s, event->kinds, event->name, STR(""));
	idle_wake_later(s);
}

/* What others change of annotations is heard of by the news that ENABLE METADATA brings. */
void
notify_set(struct imap_session *s, struct command *c, struct notify_set *set)
{
	struct notify *n = s->notify;

	if (n == NULL) {
		n = s->notify = NEW(struct notify);
		n->watch = store_watch_start(s->setup.user, 0, on_event, s);
	}
	forget_set(n);
	forget_news(n);
	n->overflow = false;
	n->arena = c->arena;
	n->set = set;
	arena_init(&c->arena);
	if (s->box != NULL)
		s->box->dirty = true; /* what has accumulated is looked for */
	if (set->events & (NOTIFY_METADATA | NOTIFY_SERVER_METADATA))
		metadata_listen(s);
}
