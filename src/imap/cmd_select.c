/* cmd_select.c - SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 6.3.2, 6.3.3, 6.4.1, 6.4.2; RFC 3501 for RECENT,
 * UNSEEN; CONDSTORE, QRESYNC: RFC 7162 3.1.8, 3.2.5).
 *
 * SELECT: the store takes in what waits, then the view is recalled (boxmem.h) or filled in slices from snapshots (select_fill.c). What
 * changes between two slices is found by the first look for updates, for that starts at the MODSEQ of the first snapshot. */
#include "select.h"

#include <stdlib.h>

#include <postern/core/mem.h>
#include <postern/store/grams.h>

#include "boxmem.h"
#include "commands.h"
#include "condstore.h"
#include "context.h"
#include "idle.h"
#include "names.h"
#include "place.h"
#include "qresync.h"
#include "recent.h"
#include "rights.h"
#include "sync.h"

struct selected *
selected_new(struct store_user *user, uint32_t mailbox)
{
	struct selected *box = NEW(struct selected);

	store_user_ref(user);
	box->user = user;
	box->mailbox = mailbox;
	return box;
}

void
selected_free(struct selected *box)
{
	if (box == NULL)
		return;
	if (box->watch != NULL)
		store_watch_stop(box->watch);
	contexts_free(box);
	uidset_fini(&box->mine);
	uidset_fini(&box->untold);
	view_fini(&box->view);
	uidset_fini(&box->gone);
	uidset_fini(&box->recent);
	uidset_fini(&box->saved);
	uidset_fini(&box->own);
	uidset_fini(&box->batches.told);
	store_user_unref(box->user);
	free(box);
}

void
select_close(struct imap_session *s)
{
	if (s->box == NULL)
		return;
	selected_free(s->box);
	s->box = NULL;
	if (s->state == IN_SELECTED)
		s->state = IN_AUTH;
}

/* RFC 9051 7.1, CLOSED: what comes after it is of another mailbox. */
static void
close_with_words(struct imap_session *s)
{
	if (s->state == IN_SELECTED)
		buf_add_cstr(&s->out, "* OK [CLOSED] the mailbox is closed\r\n");
	select_close(s);
}

bool
select_drop_deleted(struct imap_session *s, const struct command *c)
{
	if (c->verb->run == cmd_delete_run || c->verb->run == cmd_setacl_run || c->verb->run == cmd_deleteacl_run) {
		close_with_words(s);
		return true;
	}
	session_bye(s, "", s->box->why != NULL ? s->box->why : "the mailbox was deleted");
	return false;
}

static void
on_event(void *ctx, const struct store_event *event)
{
	struct imap_session *s = ctx;

	s->box->dirty = true;
	if (event->kinds & STORE_EVENT_DELETED)
		s->box->deleted = true;
	if (event->kinds & STORE_EVENT_RIGHTS)
		rights_refresh(s);
	idle_wake(s);
}

/* --- arguments --- */

struct select_args {
	struct str name;
	bool condstore;
	bool resyncs;
	struct qresync qresync;
	struct resync resync;
	uint32_t unseen; /* the first UID without \Seen; BOXMEM_UNKNOWN: to be looked for */
};

static void
args_fini(struct command *c)
{
	struct select_args *a = c->args;

	resync_fini(&a->resync);
}

static void
select_param(struct lex *l, struct command *c, struct select_args *a)
{
	a->condstore = true;
	if (lex_word(l, "CONDSTORE"))
		return;
	if (!lex_word(l, "QRESYNC") || a->resyncs)
		lex_fail(l, "unknown parameter");
	a->resyncs = true;
	lex_sp(l);
	lex_qresync(l, &a->qresync);
	c->numbers = a->qresync.seqs.n > 0;
}

/* SP mailbox [SP "(" select-param *(SP select-param) ")"] (RFC 4466 2.1) */
bool
cmd_select_parse(struct lex *l, struct command *c)
{
	struct select_args *a = ARENA_NEW(&c->arena, struct select_args);

	c->args = a;
	c->fini = args_fini;
	lex_sp(l);
	a->name = lex_mailbox(l, c);
	if (!lex_take(l, ' '))
		return lex_ok(l);
	lex_want(l, '(');
	do
		select_param(l, c, a);
	while (lex_ok(l) && lex_take(l, ' '));
	lex_want(l, ')');
	return lex_ok(l);
}

/* --- opening --- */

/* What SELECT writes from one snapshot, before the messages are counted. */
static bool
begin_box(struct imap_session *s, struct command *c, struct store_view *v, const struct place *p)
{
	struct store_mailbox header;
	struct selected *box;

	if (p->mailbox == 0 || !store_mailbox(v, p->mailbox, &header))
		return false;
	box = selected_new(p->user, p->mailbox);
	box->examined = c->verb->run == cmd_examine_run;
	box->uidvalidity = header.uidvalidity;
	box->modseq = header.highestmodseq;
	box->told_modseq = header.highestmodseq;
	box->dirty = true;
	s->box = box;
	return true;
}

static void
mark_recent(struct imap_session *s, uint32_t uidnext)
{
	struct selected *box = s->box;
	struct str user = store_user_address(box->user);
	uint32_t floor = recent_floor(user, box->mailbox, uidnext);
	struct uidset seqs;
	uint32_t first = view_seq_from(&box->view, floor);

	uidset_init(&seqs);
	if (first <= box->view.count)
		uidset_add(&seqs, first, box->view.count);
	view_uids(&box->view, &seqs, &box->recent);
	uidset_fini(&seqs);
	if (!box->readonly)
		recent_told(user, box->mailbox, uidnext);
}

/* RFC 3501 6.3.1: UNSEEN tells the first message without \Seen, by its number. */
static void
write_unseen(struct imap_session *s, struct select_args *a, struct store_view *v)
{
	uint32_t seq;

	if (a->unseen == BOXMEM_UNKNOWN)
		a->unseen = store_first_unseen(v, s->box->mailbox);
	seq = view_seq(&s->box->view, a->unseen);

	if (seq != 0)
		buf_addf(&s->out, "* OK [UNSEEN %u] first unseen message\r\n", seq);
}

/* RFC 9051 6.3.2. For others LIST data are what LIST was asked for (RFC 3501 6.3.1), and some keep them until it is. */
static void
write_list(struct imap_session *s, struct command *c, struct store_view *v, const struct store_mailbox *header)
{
	buf_add_cstr(&s->out, "* LIST (");
	buf_add(&s->out, store_use_attribute(place_is_own(s, s->box->user) ? header->use : STORE_USE_NONE));
	buf_add_cstr(&s->out, ") \"/\" ");
	out_mailbox(&s->out, place_name(s, v, s->box->mailbox, &c->arena), c->names);
	buf_add_cstr(&s->out, "\r\n");
}

static void
write_box(struct imap_session *s, struct command *c, struct store_view *v, const struct store_mailbox *header)
{
	sync_write_flags(s, v);
	sync_write_exists(s);
	if (!s->rev2 && !s->uidonly)
		write_unseen(s, c->args, v);
	buf_addf(&s->out, "* OK [UIDVALIDITY %u] UIDs are good\r\n", s->box->uidvalidity);
	buf_addf(&s->out, "* OK [UIDNEXT %u] next UID\r\n", header->uidnext);
	condstore_write_highest(s, s->box->modseq);
	buf_add_cstr(&s->out, "* OK [MAILBOXID ");
	out_object_id(&s->out, OBJECT_MAILBOX, header->id);
	buf_add_cstr(&s->out, "] the same under any name\r\n");
	if (s->rev2)
		write_list(s, c, v, header);
}

static enum step
selected(struct imap_session *s, struct command *c)
{
	store_grams_refresh(s->box->user, s->box->mailbox); /* what came while nobody was here */
	return s->box->readonly ? done_ok_code(c, STR("READ-ONLY"), "done")
				: done_ok_code(c, STR("READ-WRITE"), "done");
}

static enum step
resync_step(struct imap_session *s, struct command *c)
{
	struct select_args *a = c->args;
	struct err e;
	struct store_view *v;
	enum step step;

	if (resync_tell_gone(&a->resync, s))
		return STEP_MORE;
	v = session_look(s, s->box->user, &e);
	if (v == NULL) {
		select_close(s);
		return done_unreadable(s, c, &e);
	}
	step = resync_tell_changed(&a->resync, s, v);
	store_view_close(v);
	return step == STEP_MORE ? step : selected(s, c);
}

/* RFC 7162 3.2.5.1: of the UIDs the client knows, or of all; with another UIDVALIDITY it knows none. */
static enum step
begin_resync(struct imap_session *s, struct command *c, struct store_view *v)
{
	struct select_args *a = c->args;
	const struct qresync *q = &a->qresync;
	struct uidset uids;
	uint32_t match;

	if (!a->resyncs || q->uidvalidity != s->box->uidvalidity)
		return selected(s, c);
	uidset_init(&uids);
	if (q->limited)
		view_named_uids(&q->known, &s->box->saved, &uids);
	else
		uidset_add(&uids, 1, UINT32_MAX);
	resync_look(&a->resync, s, v, q->modseq, &uids);
	match = qresync_match(&s->box->view, q);
	if (match > 0)
		uidset_remove(&a->resync.gone, 1, match);
	uidset_fini(&uids);
	c->step = resync_step;
	return STEP_MORE;
}

/* As they are now: they may have been taken away since the command began. What changes from here on is heard of. */
static bool
take_rights(struct imap_session *s, struct command *c, struct store_view *v)
{
	struct selected *box = s->box;

	box->rights = rights_of(s, v, box->mailbox);
	box->readonly = box->examined || !(box->rights & RIGHTS_TO_CHANGE);
	return rights_still(s, c, v, box->mailbox, STORE_RIGHT_READ);
}

static enum step
finish(struct imap_session *s, struct command *c, struct store_view *v)
{
	const struct select_args *a = c->args;
	struct store_mailbox header;

	if (!store_mailbox(v, s->box->mailbox, &header)) {
		select_close(s);
		return done_no(c, "NONEXISTENT", "no such mailbox");
	}
	if (!take_rights(s, c, v)) {
		select_close(s);
		return STEP_DONE;
	}
	mark_recent(s, header.uidnext);
	write_box(s, c, v, &header);
	if (place_is_own(s, s->box->user))
		boxmem_keep(&header, s->box->modseq, &s->box->view, a->unseen);
	s->box->watch = store_watch_start(s->box->user, s->box->mailbox, on_event, s);
	s->state = IN_SELECTED;
	return begin_resync(s, c, v);
}

static enum step
fill_step(struct imap_session *s, struct command *c)
{
	struct err e;
	struct store_view *v = session_look(s, s->box->user, &e);
	enum step step = STEP_MORE;

	if (v == NULL) {
		select_close(s);
		return done_unreadable(s, c, &e);
	}
	if (select_fill(s->box, v))
		step = finish(s, c, v);
	store_view_close(v);
	return step;
}

static enum step
open_step(struct imap_session *s, struct command *c)
{
	struct select_args *a = c->args;
	struct place place;
	struct store_view *v = place_look(s, c, a->name, &place);
	enum step step = STEP_MORE;

	if (v == NULL)
		return STEP_DONE;
	if (!begin_box(s, c, v, &place)) {
		store_view_close(v);
		return done_no(c, "NONEXISTENT", "no such mailbox");
	}
	c->step = fill_step;
	a->unseen = BOXMEM_UNKNOWN;
	if (place_is_own(s, s->box->user) && select_recall(s->box, v, &a->unseen))
		step = finish(s, c, v);
	store_view_close(v);
	return step;
}

static void
on_refreshed(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;

	(void)r; /* a mailbox that cannot be refreshed is still what the index says */
	command_answered(s);
	command_go_on(s, open_step);
}

/* The mailbox that was selected is closed whatever comes of the new one (RFC 9051 6.3.2). */
enum step
cmd_select_run(struct imap_session *s, struct command *c)
{
	const struct select_args *a = c->args;
	struct place place;

	if (a->resyncs && !s->qresync)
		return done_bad(c, "QRESYNC has not been enabled");
	close_with_words(s);
	if (a->condstore)
		condstore_enable(s);
	if (!rights_find(s, c, a->name, STORE_RIGHT_READ, REFUSED_HERE, &place))
		return STEP_DONE;
	return command_wait(c, store_refresh(place.user, place.mailbox, session_done(s, on_refreshed)));
}

enum step
cmd_examine_run(struct imap_session *s, struct command *c)
{
	return cmd_select_run(s, c);
}

/* --- closing --- */

enum step
cmd_unselect_run(struct imap_session *s, struct command *c)
{
	select_close(s);
	return done_ok(c, "done");
}

static void
on_expunged(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);

	select_close(s);
	if (r->code != STORE_OK)
		done_refused(c, r, REFUSED_HERE);
	else
		done_ok(c, "done");
	command_finish(s);
}

/* RFC 9051 6.4.1: what has \Deleted goes, without EXPUNGE responses; not when read-only, nor without the
 * right (RFC 4314 4). */
enum step
cmd_close_run(struct imap_session *s, struct command *c)
{
	if (s->box->readonly || !(s->box->rights & STORE_RIGHT_EXPUNGE))
		return cmd_unselect_run(s, c);
	return command_wait(c,
	    store_expunge(s->box->user, s->box->mailbox, NULL, session_done(s, on_expunged)));
}
