/* metadata_news.c - what other sessions changed of the annotations, told to a client that enabled METADATA: names only,
 * with the next command or at once during IDLE (RFC 5464 4.4.2). */
#include "metadata.h"

#include <stdlib.h>

#include <postern/core/mem.h>

#include "idle.h"
#include "names.h"
#include "notify.h"

struct change {
	uint32_t mailbox;
	char *entry;
};

struct metadata_news {
	struct store_watch *watch;
	struct change *changes;
	size_t n;
	bool enabled; /* all is told, not just what NOTIFY asks for */
};

static bool
is_known(const struct metadata_news *m, uint32_t mailbox, struct str entry)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->changes[i].mailbox == mailbox && str_eq(str_of(m->changes[i].entry), entry))
			return true;
	return false;
}

static void
forget_changes(struct metadata_news *m)
{
	while (m->n > 0)
		free(m->changes[--m->n].entry);
}

/* Who enabled METADATA counts on hearing all. */
static void
too_many(struct imap_session *s)
{
	if (s->metadata->enabled || s->notify == NULL) {
		session_bye(s, "", "too many changes of annotations to tell");
		return;
	}
	forget_changes(s->metadata);
	notify_overflow(s);
}

static void
on_event(void *ctx, const struct store_event *event)
{
	struct imap_session *s = ctx;
	struct metadata_news *m = s->metadata;
	struct str names = event->entries, entry;

	if (!(event->kinds & STORE_EVENT_METADATA) || event->by == s || s->closed)
		return;
	while (str_cut(&names, '\0', &entry)) {
		if (is_known(m, event->mailbox, entry))
			continue;
		if (m->n == METADATA_PENDING_MAX) {
			too_many(s);
			return;
		}
		m->changes[m->n++] = (struct change){ event->mailbox, mem_cstr(entry) };
	}
	idle_wake(s);
}

void
metadata_listen(struct imap_session *s)
{
	struct metadata_news *m;

	if (s->metadata != NULL)
		return;
	m = s->metadata = NEW(struct metadata_news);
	m->changes = mem_array(METADATA_PENDING_MAX, sizeof *m->changes);
	m->watch = store_watch_start(s->setup.user, 0, on_event, s);
}

void
metadata_enable(struct imap_session *s)
{
	metadata_listen(s);
	s->metadata->enabled = true;
}

void
metadata_free(struct imap_session *s)
{
	struct metadata_news *m = s->metadata;

	if (m == NULL)
		return;
	store_watch_stop(m->watch);
	forget_changes(m);
	free(m->changes);
	free(m);
	s->metadata = NULL;
}

/* One response for all changes of a mailbox that stand together; nothing when it is no more. */
static size_t
tell_some(struct imap_session *s, struct store_view *v, size_t from)
{
	const struct metadata_news *m = s->metadata;
	uint32_t mailbox = m->changes[from].mailbox;
	struct arena a;
	struct str name;
	size_t to = from;
	bool told;

	arena_init(&a);
	name = mailbox != 0 ? store_mailbox_name(v, mailbox, &a) : STR("");
	told = (mailbox == 0 || name.n > 0) && (m->enabled || notify_wants_metadata(s, v, mailbox, name));
	if (told) {
		buf_add_cstr(&s->out, "* METADATA ");
		out_mailbox(&s->out, name, session_names(s));
	}
	for (; to < m->n && m->changes[to].mailbox == mailbox; to++) {
		if (!told)
			continue;
		buf_add_char(&s->out, ' ');
		out_astring(&s->out, str_of(m->changes[to].entry));
	}
	if (told)
		buf_add_cstr(&s->out, "\r\n");
	arena_fini(&a);
	return to;
}

void
metadata_tell(struct imap_session *s)
{
	struct metadata_news *m = s->metadata;
	struct store_view *v;
	struct err e;

	if (m == NULL || m->n == 0)
		return;
	v = session_look(s, s->setup.user, &e);
	if (v == NULL)
		return;
	for (size_t i = 0; i < m->n;)
		i = tell_some(s, v, i);
	store_view_close(v);
	forget_changes(m);
}
