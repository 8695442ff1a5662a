/* cmd_list.c - LIST and LSUB: which names, with which attributes (RFC 9051 6.3.9, 7.3.1; RFC 3501 6.3.9).
 *
 * One look at all names of the user, each decided once (RFC 9051 6.3.9.3); the answer is written in steps from the
 * command's memory. */
#include "list.h"

#include <postern/core/map.h>

#include "commands.h"
#include "names.h"
#include "owners.h"
#include "pattern.h"
#include "rights.h"
#include "status.h"

enum {
	NAMES_PER_STEP = 64,
	OUT_PER_STEP = 64 * 1024,    /* bytes after which a step ends */
	WORK_PER_STEP = 1000 * 1000, /* pattern bytes times name bytes: the most that matching can cost */
};

enum name_state {
	NAME_MATCHES = 1 << 0,      /* one of the patterns */
	NAME_LEVEL = 1 << 1,        /* a pattern that ends in "%": a level of hierarchy counts, too */
	NAME_SELECTED = 1 << 2,     /* meets the selection criteria */
	NAME_CHILD = 1 << 3,        /* a name below meets them … */
	NAME_CHILD_UNSEEN = 1 << 4, /* … and is not returned itself */
};

void
list_fini(struct command *c)
{
	struct list_args *a = c->args;

	allnames_fini(&a->listing.names);
}

/* --- which names --- */

static unsigned
match_patterns(const struct list_args *a, struct str name)
{
	unsigned state = 0;

	for (size_t i = 0; i < a->n; i++) {
		if (!pattern_match(a->patterns[i], name))
			continue;
		state |= NAME_MATCHES;
		if (a->patterns[i].p[a->patterns[i].n - 1] == '%')
			state |= NAME_LEVEL;
	}
	return state;
}

/* The criteria are cumulative; without any, a name has to be a mailbox. */
static bool
meets_criteria(const struct list_args *a, const struct store_entry *e)
{
	if (!(a->options & LIST_CRITERIA))
		return e->mailbox != 0;
	if (a->options & LIST_SELECT_SUBSCRIBED && !e->subscribed)
		return false;
	return !(a->options & LIST_SELECT_USE) || e->use != STORE_USE_NONE;
}

/* Tells all levels above a selected name of it. */
static void
mark_parents(const struct map *by_name, const struct store_entry *e, unsigned state)
{
	struct str parent = e->name;
	unsigned marks = NAME_CHILD | (state & NAME_MATCHES ? 0 : NAME_CHILD_UNSEEN);

	for (;;) {
		unsigned char *at;

		parent.n = str_rfind(parent, '/') < parent.n ? str_rfind(parent, '/') : 0;
		if (parent.n == 0)
			return;
		at = map_get(by_name, parent);
		if (at != NULL)
			*at |= (unsigned char)marks;
	}
}

static void
mark_all_parents(struct listing *g)
{
	struct map by_name;

	map_init(&by_name);
	for (size_t i = 0; i < g->names.n; i++)
		map_put(&by_name, g->names.entries[i].name, &g->states[i]);
	for (size_t i = 0; i < g->names.n; i++)
		if (g->states[i] & NAME_SELECTED)
			mark_parents(&by_name, &g->names.entries[i], g->states[i]);
	map_fini(&by_name);
}

/* Decides about one name; returns what that may have cost. */
static size_t
decide(struct listing *g, const struct list_args *a)
{
	const struct store_entry *e = &g->names.entries[g->next];
	unsigned state = match_patterns(a, e->name);

	if (meets_criteria(a, e))
		state |= NAME_SELECTED;
	g->states[g->next++] = (unsigned char)state;
	return a->bytes * e->name.n;
}

/* RFC 9051 6.3.9.3: a name that meets the criteria; a parent of one that is not returned itself (RECURSIVEMATCH); or a
 * level of hierarchy that "%" reaches. */
static bool
is_returned(const struct list_args *a, const struct store_entry *e, unsigned state)
{
	if (!(state & NAME_MATCHES))
		return false;
	if (state & NAME_SELECTED)
		return true;
	if (a->options & LIST_RECURSIVE)
		return state & NAME_CHILD_UNSEEN && (!(a->options & LIST_LSUB) || state & NAME_LEVEL);
	return !(a->options & LIST_CRITERIA) && e->mailbox == 0 && e->children && state & NAME_LEVEL;
}

/* --- how they are told --- */

static void
add_attribute(struct buf *out, const char *name, const char **sep)
{
	buf_add_cstr(out, *sep);
	buf_add_cstr(out, name);
	*sep = " ";
}

/* RFC 9051 7.3.1: what SELECT would refuse is \Noselect, a mailbox without the right to read it, too. */
static void
write_attributes(struct imap_session *s, const struct list_args *a, const struct store_entry *e, unsigned rights)
{
	const char *sep = "";

	if (e->mailbox == 0 && (s->rev2 || a->options & LIST_EXTENDED))
		add_attribute(&s->out, "\\NonExistent", &sep);
	else if (!(rights & STORE_RIGHT_READ))
		add_attribute(&s->out, "\\Noselect", &sep);
	add_attribute(&s->out, e->children ? "\\HasChildren" : "\\HasNoChildren", &sep);
	if (a->options & LIST_RETURN_SUBSCRIBED && e->subscribed)
		add_attribute(&s->out, "\\Subscribed", &sep);
	if (e->use != STORE_USE_NONE && e->mailbox != 0) {
		buf_add_cstr(&s->out, sep);
		buf_add(&s->out, store_use_attribute(e->use));
	}
}

/* RFC 9051 6.3.9.6: which criteria the names below meet. */
static void
write_childinfo(struct imap_session *s, const struct list_args *a)
{
	const char *sep = "";

	buf_add_cstr(&s->out, " (\"CHILDINFO\" (");
	if (a->options & LIST_SELECT_SUBSCRIBED)
		add_attribute(&s->out, "\"SUBSCRIBED\"", &sep);
	if (a->options & LIST_SELECT_USE)
		add_attribute(&s->out, "\"SPECIAL-USE\"", &sep);
	buf_add_cstr(&s->out, "))");
}

static void
write_lsub(struct imap_session *s, const struct store_entry *e, unsigned state)
{
	buf_add_cstr(&s->out, state & NAME_SELECTED ? "* LSUB () \"/\" " : "* LSUB (\\Noselect) \"/\" ");
	out_mailbox(&s->out, e->name, session_names(s));
	buf_add_cstr(&s->out, "\r\n");
}

static void
write_name(struct imap_session *s, const struct list_args *a, const struct store_entry *e, unsigned state, unsigned rights)
{
	buf_add_cstr(&s->out, "* LIST (");
	write_attributes(s, a, e, rights);
	buf_add_cstr(&s->out, ") \"/\" ");
	out_mailbox(&s->out, e->name, session_names(s));
	if (a->options & LIST_RECURSIVE && state & NAME_CHILD)
		write_childinfo(s, a);
	buf_add_cstr(&s->out, "\r\n");
}

/* What is told of a mailbox behind its line. */
static void
write_more(struct imap_session *s, struct store_view *v, struct list_args *a, const struct store_entry *e, unsigned rights)
{
	struct arena arena;

	if (a->options & LIST_RETURN_STATUS && rights & STORE_RIGHT_READ)
		status_write(s, v, e->mailbox, e->name, a->status);
	if (a->options & LIST_RETURN_MYRIGHTS)
		rights_write(s, e->name, rights);
	if (!(a->options & LIST_RETURN_METADATA) || !(rights & STORE_RIGHTS_ANNOTATE))
		return;
	arena_init(&arena);
	metadata_write(s, v, e->mailbox, e->name, &a->metadata, &arena);
	arena_fini(&arena);
}

static void
write_entry(struct imap_session *s, struct store_view *v, struct list_args *a, const struct listing *g, size_t i)
{
	const struct store_entry *e = &g->names.entries[i];
	unsigned rights;

	if (!is_returned(a, e, g->states[i]))
		return;
	rights = e->mailbox != 0 ? rights_of(s, v, e->mailbox) : 0;
	if (e->mailbox != 0 && rights == 0)
		return; /* another's, which may not be seen any more */
	if (a->options & LIST_LSUB)
		write_lsub(s, e, g->states[i]);
	else
		write_name(s, a, e, g->states[i], rights);
	if (e->mailbox != 0 && g->states[i] & NAME_SELECTED)
		write_more(s, v, a, e, rights);
}

static bool
is_next(const struct listing *g, const struct store_user *user)
{
	return g->next < g->names.n && g->names.users[g->next] == user;
}

/* Names of one owner. */
static enum step
write_step(struct imap_session *s, struct command *c)
{
	struct list_args *a = c->args;
	struct listing *g = &a->listing;
	struct store_user *user = g->next < g->names.n ? g->names.users[g->next] : s->setup.user;
	struct err e;
	struct store_view *v = session_look(s, user, &e);
	size_t begin = s->out.n;

	if (v == NULL)
		return done_unreadable(s, c, &e);
	for (size_t n = 0; n < NAMES_PER_STEP && is_next(g, user) && s->out.n - begin < OUT_PER_STEP; n++)
		write_entry(s, v, a, g, g->next++);
	store_view_close(v);
	return g->next < g->names.n ? STEP_MORE : done_ok(c, "done");
}

static enum step
decide_step(struct imap_session *s, struct command *c)
{
	struct list_args *a = c->args;
	struct listing *g = &a->listing;
	size_t work = 0;

	(void)s;
	while (g->next < g->names.n && work < WORK_PER_STEP)
		work += decide(g, a);
	if (g->next < g->names.n)
		return STEP_MORE;
	if (a->options & LIST_RECURSIVE)
		mark_all_parents(g);
	g->next = 0;
	c->step = write_step;
	return STEP_MORE;
}

static enum step
collect_step(struct imap_session *s, struct command *c)
{
	struct list_args *a = c->args;
	struct listing *g = &a->listing;

	if (allnames_step(&g->names, s, &c->arena) == STEP_MORE)
		return STEP_MORE;
	g->states = arena_alloc(&c->arena, g->names.n + 1);
	c->step = decide_step;
	return STEP_MORE;
}

static enum step
begin_step(struct imap_session *s, struct command *c)
{
	struct list_args *a = c->args;

	c->step = collect_step;
	return allnames_begin(&a->listing.names, s, c, &c->arena);
}

static void
on_refreshed(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;

	(void)r;
	command_answered(s);
	command_go_on(s, begin_step);
}

/* LIST reference "": the separator and the root of the reference (RFC 9051 6.3.9). */
static enum step
write_root(struct imap_session *s, struct command *c)
{
	buf_add_cstr(&s->out, "* LIST (\\Noselect) \"/\" \"\"\r\n");
	return done_ok(c, "done");
}

static enum step
refresh_step(struct imap_session *s, struct command *c)
{
	return command_wait(c, store_refresh(s->setup.user, 0, session_done(s, on_refreshed)));
}

/* Could a pattern match a name of another user's mailbox? By what it has before its first wildcard. */
static bool
means_others(const struct imap_session *s, const struct list_args *a)
{
	for (size_t i = 0; i < a->n; i++) {
		struct str pattern = a->patterns[i], level;
		size_t wild = str_find(pattern, '*') < str_find(pattern, '%') ? str_find(pattern, '*') : str_find(pattern, '%');

		level = str_sub(pattern, 0, wild);
		if (owners_has_name(s, level) || (wild < pattern.n && (str_starts(STR("Users/"), level) || str_starts(STR("Shared/"), level))))
			return true;
	}
	return false;
}

enum step
cmd_list_run(struct imap_session *s, struct command *c)
{
	const struct list_args *a = c->args;

	if (a->root)
		return write_root(s, c);
	if (means_others(s, a))
		owners_note_all(c);
	return owners_open(s, c, refresh_step);
}

enum step
cmd_lsub_run(struct imap_session *s, struct command *c)
{
	return cmd_list_run(s, c);
}
