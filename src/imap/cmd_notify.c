/* cmd_notify.c - NOTIFY (RFC 5465 3.1, 5, 6, 8). */
#include "notify.h"

#include "commands.h"
#include "fetch.h"
#include "names.h"
#include "owners.h"
#include "rights.h"

enum {
	NAMES_PER_STEP = 64,
};

static const struct {
	const char *name;
	enum notify_event event;
} events[] = {
	{ "MessageNew", NOTIFY_NEW },
	{ "MessageExpunge", NOTIFY_EXPUNGE },
	{ "FlagChange", NOTIFY_FLAGS },
	{ "MailboxName", NOTIFY_NAME },
	{ "SubscriptionChange", NOTIFY_SUBSCRIPTION },
	{ "MailboxMetadataChange", NOTIFY_METADATA },
	{ "ServerMetadataChange", NOTIFY_SERVER_METADATA },
};
enum { EVENTS = sizeof(events) / sizeof(*events) };

struct notify_args {
	struct notify_set *set;
	bool none;
	/* the look at all names */
	struct arena names;
	struct store_entry *entries;
	size_t n;
	size_t next;
};

/* --- grammar --- */

static unsigned
event_name(struct lex *l)
{
	struct str name = lex_atom(l);

	for (size_t i = 0; i < EVENTS; i++)
		if (str_eq_nocase(name, str_of(events[i].name)))
			return events[i].event;
	return NOTIFY_UNKNOWN;
}

static bool
is_selected(const struct notify_group *g)
{
	return g->filter.kind & (FILTER_SELECTED | FILTER_SELECTED_DELAYED);
}

/* [SP "(" fetch-att *(SP fetch-att) ")"]: a blank may as well belong to the next event. */
static void
news(struct lex *l, struct notify_set *set, const struct notify_group *g)
{
	struct lex before = *l;

	if (!lex_take(l, ' ') || cur_peek(&l->c) != '(') {
		*l = before;
		return;
	}
	if (!is_selected(g) || set->news != NULL)
		lex_fail(l, "data of new messages are for the selected mailbox, once");
	if (lex_ok(l))
		set->news = lex_fetch_unasked(l);
}

/* "(" event *(SP event) ")" / "NONE" */
static void
group_events(struct lex *l, struct notify_set *set, struct notify_group *g)
{
	if (lex_word(l, "NONE"))
		return;
	lex_want(l, '(');
	do {
		unsigned event = event_name(l);

		g->events |= event;
		if (event == NOTIFY_NEW)
			news(l, set, g);
	} while (lex_ok(l) && lex_take(l, ' '));
	lex_want(l, ')');
}

/* RFC 5465 5: what cannot be asked for alone; 6.1: what is no event of the selected mailbox. */
static void
check_group(struct lex *l, const struct notify_group *g)
{
	unsigned both = g->events & (NOTIFY_NEW | NOTIFY_EXPUNGE);

	if (g->events & NOTIFY_UNKNOWN)
		return;
	if (both != 0 && both != (NOTIFY_NEW | NOTIFY_EXPUNGE))
		lex_fail(l, "MessageNew and MessageExpunge go together");
	if (g->events & NOTIFY_FLAGS && both == 0)
		lex_fail(l, "FlagChange needs MessageNew and MessageExpunge");
	if (is_selected(g) && g->events & ~(unsigned)NOTIFY_MESSAGES)
		lex_fail(l, "no event of messages");
}

static void
take_group(struct lex *l, struct notify_set *set, const struct notify_group *g)
{
	set->events |= g->events;
	if (!is_selected(g)) {
		if (set->n < NOTIFY_GROUPS_MAX)
			set->group[set->n++] = *g;
		else
			set->too_many = true;
		return;
	}
	if (set->has_selected)
		lex_fail(l, "the selected mailbox is named twice");
	set->has_selected = true;
	set->selected = g->events;
	set->delayed = g->filter.kind == FILTER_SELECTED_DELAYED;
}

/* "(" filter-mailboxes SP events ")" */
static void
group(struct lex *l, struct command *c, struct notify_set *set)
{
	struct notify_group g = { .events = 0 };

	lex_want(l, '(');
	if (lex_ok(l))
		g.filter = lex_filter(l, c, FILTER_SELECTED | FILTER_SELECTED_DELAYED | FILTER_OTHERS);
	lex_sp(l);
	if (lex_ok(l))
		group_events(l, set, &g);
	lex_want(l, ')');
	check_group(l, &g);
	if (lex_ok(l))
		take_group(l, set, &g);
}

static void
args_fini(struct command *c)
{
	struct notify_args *a = c->args;

	if (a->set->news != NULL)
		fetch_fini(a->set->news);
	arena_fini(&a->names);
}

/* SP ("NONE" / "SET" [SP "STATUS"] 1*(SP event-group)) */
bool
cmd_notify_parse(struct lex *l, struct command *c)
{
	struct notify_args *a = ARENA_NEW(&c->arena, struct notify_args);

	a->set = ARENA_NEW(&c->arena, struct notify_set);
	arena_init(&a->names);
	c->args = a;
	c->fini = args_fini;
	lex_keep(l); /* what is asked for outlives the command */
	lex_sp(l);
	a->none = lex_word(l, "NONE");
	if (a->none)
		return lex_ok(l);
	if (!lex_word(l, "SET"))
		return lex_fail(l, "expected SET or NONE");
	lex_sp(l);
	a->set->status = lex_word(l, "STATUS");
	if (a->set->status)
		lex_sp(l);
	do
		group(l, c, a->set);
	while (lex_ok(l) && lex_take(l, ' '));
	return lex_ok(l);
}

/* --- the command --- */

/* RFC 5465 3.1: with the names of all events there are. */
static enum step
refuse_event(struct command *c)
{
	struct buf code;

	buf_init(&code, SIZE_MAX);
	buf_add_cstr(&code, "BADEVENT (");
	for (size_t i = 0; i < EVENTS; i++)
		buf_addf(&code, i > 0 ? " %s" : "%s", events[i].name);
	buf_add_char(&code, ')');
	done_no(c, "", "no such event here");
	c->reply.code = arena_str(&c->arena, buf_str(&code));
	buf_fini(&code);
	return STEP_DONE;
}

/* What was accumulated for the selected mailbox is told by the updates that follow (RFC 5465 3.1). The reply's words are static. */
static enum step
accept(struct imap_session *s, struct command *c)
{
	struct notify_args *a = c->args;

	arena_fini(&a->names);
	c->args = NULL;
	c->fini = NULL;
	notify_set(s, c, a->set);
	return done_ok(c, "done");
}

static void
write_no_access(struct imap_session *s, struct str name)
{
	buf_add_cstr(&s->out, "* LIST (\\NoAccess) \"/\" ");
	out_mailbox(&s->out, name, session_names(s));
	buf_add_cstr(&s->out, "\r\n");
}

/* RFC 5465 3.1: what may not be read is told; with STATUS, how each mailbox stands whose messages are watched, but the selected one. */
static void
look_at(struct imap_session *s, struct store_view *v, const struct store_entry *e, const struct notify_set *set)
{
	unsigned wanted = e->mailbox != 0 ? notify_set_events(set, e->name, e->subscribed) : 0;

	if (wanted != 0 && !(rights_of(s, v, e->mailbox) & STORE_RIGHT_READ))
		write_no_access(s, e->name);
	else if (set->status && wanted & NOTIFY_MESSAGES && !place_is_selected(s, s->setup.user, e->mailbox))
		notify_write_status(s, v, e->mailbox, e->name, wanted, STATUS_AT_FIRST);
}

static enum step
look_step(struct imap_session *s, struct command *c)
{
	struct notify_args *a = c->args;
	struct err e;
	struct store_view *v = session_look(s, s->setup.user, &e);

	if (v == NULL)
		return done_unreadable(s, c, &e);
	if (a->entries == NULL)
		a->n = store_list(v, &a->names, &a->entries);
	for (size_t n = 0; n < NAMES_PER_STEP && a->next < a->n; n++, a->next++)
		look_at(s, v, &a->entries[a->next], a->set);
	store_view_close(v);
	return a->next < a->n ? STEP_MORE : accept(s, c);
}

static void
on_refreshed(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;

	(void)r;
	command_answered(s);
	command_go_on(s, look_step);
}

/* One watch hears of all the user's own mailboxes; there is none for others'. */
static bool
names_others(const struct imap_session *s, const struct notify_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		for (size_t k = 0; k < set->group[i].filter.n; k++)
			if (owners_has_name(s, set->group[i].filter.names[k]))
				return true;
	return false;
}

enum step
cmd_notify_run(struct imap_session *s, struct command *c)
{
	const struct notify_args *a = c->args;

	if (a->set->events & NOTIFY_UNKNOWN)
		return refuse_event(c);
	if (names_others(s, a->set))
		return done_no(c, "NOTIFICATIONOVERFLOW", "another user's mailbox is watched while it is selected"); /* RFC 5465 3.1 */
	if (a->set->too_many)
		return done_no(c, "NOTIFICATIONOVERFLOW", "too many groups of events");
	c->step = look_step;
	if (!a->set->status)
		return a->set->n > 0 ? STEP_MORE : accept(s, c);
	return command_wait(c, store_refresh(s->setup.user, 0, session_done(s, on_refreshed)));
}
