/* cmd_esearch.c - ESEARCH: one search in several mailboxes (MULTISEARCH, RFC 7377).
 *
 *   refresh  what waits is taken in, as before LIST
 *   choose   which mailboxes the sources mean; the selected one comes last
 *   open     one after another: its numbers, as SELECT would make them
 *   search   cmd_search.c, as in the selected mailbox
 *   tell     search_tell.c, if anything was found
 *
 * What the client sees of the selected mailbox is searched, of others what is there. */
#include "multisearch.h"

#include "commands.h"
#include "context.h"
#include "names.h"
#include "owners.h"
#include "rights.h"
#include "select.h"

enum {
	NAMES_PER_STEP = 2000,
};

static enum step open_step(struct imap_session *s, struct command *c);

/* --- grammar --- */

static void
args_fini(struct command *c)
{
	struct multisearch *a = c->args;

	search_fini(&a->search);
	selected_free(a->other);
	buf_fini(&a->correlator);
	allnames_fini(&a->names);
}

/* "IN" SP "(" filter-mailboxes *(SP filter-mailboxes) ")" SP; no scope option is defined (RFC 7377 4). */
static void
sources(struct lex *l, struct command *c, struct multisearch *a)
{
	if (!lex_word(l, "IN")) {
		a->sources = FILTER_SELECTED;
		return;
	}
	lex_sp(l);
	lex_want(l, '(');
	do {
		if (a->n == MULTISEARCH_SOURCES_MAX)
			lex_fail(l, "too many sources");
		if (!lex_ok(l))
			return;
		a->filter[a->n] = lex_filter(l, c, FILTER_SELECTED | FILTER_OTHERS | FILTER_SUBTREE_ONE);
		a->sources |= a->filter[a->n++].kind;
	} while (lex_ok(l) && lex_take(l, ' '));
	lex_want(l, ')');
	lex_sp(l);
}

/* SP [source-options SP] [search-return-opts SP] search-program */
bool
cmd_esearch_parse(struct lex *l, struct command *c)
{
	struct multisearch *a = ARENA_NEW(&c->arena, struct multisearch);

	search_init(&a->search);
	buf_init(&a->correlator, SIZE_MAX);
	c->args = a;
	c->fini = args_fini;
	c->uid = true; /* RFC 7377 2.1: the answer is in UIDs */
	lex_sp(l);
	sources(l, c, a);
	search_parse_program(l, c, &a->search);
	if (a->search.returns & RETURN_SAVE && a->sources != FILTER_SELECTED)
		lex_fail(l, "SAVE is for the selected mailbox alone");
	return lex_ok(l);
}

/* --- one mailbox after another --- */

static void
leave_other(struct multisearch *a)
{
	if (a->other == NULL)
		return;
	selected_free(a->other);
	a->other = NULL;
	a->search.box = NULL;
}

static enum step
next_mailbox(struct imap_session *s, struct command *c)
{
	struct multisearch *a = c->args;

	leave_other(a);
	if (a->at == a->nmailboxes)
		return search_finish(s, c);
	c->step = open_step;
	return STEP_MORE;
}

static enum step
told_step(struct imap_session *s, struct command *c)
{
	return next_mailbox(s, c);
}

/* RFC 7377 2.1: nothing is said of a mailbox without a match. */
static enum step
found_step(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;

	if (!uidset_empty(&q->found)) {
		c->step = search_tell_step;
		return STEP_MORE;
	}
	if (q->returns & RETURN_SAVE)
		uidset_clear(&s->box->saved);
	return next_mailbox(s, c);
}

/* RFC 7377 2.1: MAILBOX and UIDVALIDITY behind TAG. */
static void
write_correlator(struct imap_session *s, struct command *c, struct store_view *v, const struct selected *box)
{
	struct multisearch *a = c->args;
	struct arena arena;

	arena_init(&arena);
	buf_clear(&a->correlator);
	buf_add_cstr(&a->correlator, " MAILBOX ");
	out_mailbox(&a->correlator, place_name(s, v, box->mailbox, &arena), session_names(s));
	buf_addf(&a->correlator, " UIDVALIDITY %u", box->uidvalidity);
	a->search.correlator = buf_str(&a->correlator);
	arena_fini(&arena);
}

static enum step
fill_step(struct imap_session *s, struct command *c)
{
	struct multisearch *a = c->args;
	struct err e;
	struct store_view *v = session_look(s, a->other->user, &e);
	bool filled;

	if (v == NULL)
		return done_unreadable(s, c, &e);
	filled = select_fill(a->other, v);
	store_view_close(v);
	return filled ? search_begin_in(s, c, a->other) : STEP_MORE;
}

static void
begin_other(struct command *c, struct store_user *user, const struct store_mailbox *header)
{
	struct multisearch *a = c->args;

	a->other = selected_new(user, header->number);
	a->other->uidvalidity = header->uidvalidity;
	c->step = fill_step;
}

/* A mailbox that was deleted meanwhile, or may not be read, is none (RFC 7377 2.2). */
static enum step
open_mailbox(struct imap_session *s, struct command *c, struct store_view *v, const struct place *p)
{
	static const unsigned wanted = STORE_RIGHT_LOOKUP | STORE_RIGHT_READ;
	struct multisearch *a = c->args;
	struct store_mailbox header;

	if (!store_mailbox(v, p->mailbox, &header) || (rights_of(s, v, p->mailbox) & wanted) != wanted)
		return next_mailbox(s, c);
	if (!place_is_selected(s, p->user, p->mailbox))
		begin_other(c, p->user, &header);
	write_correlator(s, c, v, a->other != NULL ? a->other : s->box);
	return STEP_MORE;
}

static enum step
open_step(struct imap_session *s, struct command *c)
{
	struct multisearch *a = c->args;
	struct err e;
	const struct place *p = &a->mailboxes[a->at++];
	struct store_view *v = session_look(s, p->user, &e);
	enum step step;

	if (v == NULL)
		return done_unreadable(s, c, &e);
	step = open_mailbox(s, c, v, p);
	store_view_close(v);
	if (step == STEP_DONE || a->other != NULL || !place_is_selected(s, p->user, p->mailbox))
		return step;
	return search_begin_in(s, c, s->box);
}

/* --- which mailboxes --- */

static bool
is_meant(const struct imap_session *s, const struct multisearch *a, const struct store_entry *e, const struct store_user *user)
{
	enum whose whose = place_is_own(s, user) ? WHOSE_OWN : WHOSE_OTHERS;

	if (e->mailbox == 0)
		return false;
	if (a->sources & FILTER_SELECTED && place_is_selected(s, user, e->mailbox))
		return true;
	for (size_t i = 0; i < a->n; i++)
		if (filter_has(&a->filter[i], e->name, whose, e->subscribed))
			return true;
	return false;
}

/* An UPDATE is about the selected mailbox (RFC 7377 2.2): the search in it is the one that a context keeps. */
static enum step
begin(struct imap_session *s, struct command *c)
{
	struct multisearch *a = c->args;

	a->selected |= s->box != NULL && a->sources & FILTER_SELECTED; /* whosever it is */
	if (a->selected)
		a->mailboxes[a->nmailboxes++] = (struct place){ .user = s->box->user, .mailbox = s->box->mailbox };
	return next_mailbox(s, c);
}

static enum step
choose_step(struct imap_session *s, struct command *c)
{
	struct multisearch *a = c->args;

	for (size_t n = 0; n < NAMES_PER_STEP && a->next < a->names.n; n++, a->next++) {
		const struct store_entry *e = &a->names.entries[a->next];
		struct store_user *user = a->names.users[a->next];

		if (!is_meant(s, a, e, user))
			continue;
		if (place_is_selected(s, user, e->mailbox))
			a->selected = true;
		else
			a->mailboxes[a->nmailboxes++] = (struct place){ .user = user, .mailbox = e->mailbox };
	}
	return a->next < a->names.n ? STEP_MORE : begin(s, c);
}

static enum step
list_step(struct imap_session *s, struct command *c)
{
	struct multisearch *a = c->args;

	if (allnames_step(&a->names, s, &c->arena) == STEP_MORE)
		return STEP_MORE;
	a->mailboxes = arena_array(&c->arena, a->names.n + 1, sizeof(*a->mailboxes));
	c->step = choose_step;
	return STEP_MORE;
}

static enum step
begin_list_step(struct imap_session *s, struct command *c)
{
	struct multisearch *a = c->args;

	c->step = list_step;
	return allnames_begin(&a->names, s, c, &c->arena);
}

static void
on_refreshed(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;

	(void)r;
	command_answered(s);
	command_go_on(s, begin_list_step);
}

static enum step
refresh_step(struct imap_session *s, struct command *c)
{
	return command_wait(c, store_refresh(s->setup.user, 0, session_done(s, on_refreshed)));
}

/* The selected mailbox alone is searched as it was told. */
static enum step
begin_selected(struct imap_session *s, struct command *c)
{
	struct multisearch *a = c->args;

	a->mailboxes = arena_array(&c->arena, 1, sizeof(*a->mailboxes));
	a->selected = true;
	return begin(s, c);
}

enum step
cmd_esearch_run(struct imap_session *s, struct command *c)
{
	struct multisearch *a = c->args;

	if (s->box == NULL && (a->sources & FILTER_SELECTED || a->search.returns & RETURN_UPDATE))
		return done_bad(c, "no mailbox is selected");
	if (!context_begin(s, c))
		return done_bad(c, "this tag has a context already");
	a->search.then = found_step;
	a->search.told_step = told_step;
	if (search_is_refused(s, c))
		return STEP_DONE;
	if (a->sources == FILTER_SELECTED)
		return begin_selected(s, c);
	for (size_t i = 0; i < a->n; i++)
		if (filter_means_others(s, &a->filter[i]))
			owners_note_all(c);
	return owners_open(s, c, refresh_step);
}
