/* cmd_expunge.c - EXPUNGE and UID EXPUNGE (RFC 9051 6.4.3, 6.4.9; HIGHESTMODSEQ: RFC 7162 3.2.7, 3.2.9). The EXPUNGE
 * responses are the updates that follow. */
#include "commands.h"
#include "condstore.h"
#include "limit.h"
#include "rights.h"

enum {
	SCANNED_PER_STEP = 20000,
};

struct expunge_args {
	struct seq_set set;
	struct uidset seqs; /* the messages meant */
	uint32_t next;      /* the next to be looked at, 0: none */
};

static void
args_fini(struct command *c)
{
	struct expunge_args *a = c->args;

	uidset_fini(&a->seqs);
}

bool
cmd_expunge_parse(struct lex *l, struct command *c)
{
	struct expunge_args *a = ARENA_NEW(&c->arena, struct expunge_args);

	c->args = a;
	c->fini = args_fini;
	lex_sp(l);
	a->set = lex_seq_set(l);
	return lex_ok(l);
}

static void
on_expunged(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);

	s->box->dirty = true;
	if (r->code != STORE_OK)
		done_refused(c, r, REFUSED_HERE);
	else if (s->condstore && r->modseq != 0)
		done_ok_code(c, condstore_code(c, r->modseq), "done");
	else
		done_ok(c, "done");
	command_finish(s);
}

static enum step
submit(struct imap_session *s, struct command *c)
{
	const struct expunge_args *a = c->args;
	struct uidset uids;

	uidset_init(&uids);
	view_uids(&s->box->view, &a->seqs, &uids);
	command_wait(c, store_expunge(s->box->user, s->box->mailbox, &uids, session_done(s, on_expunged)));
	uidset_fini(&uids);
	return STEP_WAIT;
}

/* RFC 9738 3.1: only messages with \Deleted count. The others leave the set, some at a time. */
static enum step
deleted_step(struct imap_session *s, struct command *c)
{
	struct expunge_args *a = c->args;
	struct store_message m;
	struct err e;
	struct store_view *v = session_look(s, s->box->user, &e);

	if (v == NULL)
		return done_unreadable(s, c, &e);
	for (unsigned n = 0; n < SCANNED_PER_STEP && a->next != 0; n++) {
		if (!store_message(v, s->box->mailbox, view_uid(&s->box->view, a->next), &m) || !(m.flags & STORE_DELETED))
			uidset_remove(&a->seqs, a->next, a->next);
		a->next = uidset_next(&a->seqs, a->next + 1);
	}
	store_view_close(v);
	if (a->next != 0)
		return STEP_MORE;
	limit_cut(s, c, &a->seqs);
	return submit(s, c);
}

enum step
cmd_uid_expunge_run(struct imap_session *s, struct command *c)
{
	struct expunge_args *a = c->args;

	if (!rights_selected(s, c, STORE_RIGHT_EXPUNGE))
		return STEP_DONE;
	view_apply(&s->box->view, &a->set, SEQ_UIDS, &s->box->saved, &a->seqs);
	if (!limit_is_passed(s, uidset_count(&a->seqs)))
		return submit(s, c);
	a->next = uidset_first(&a->seqs);
	c->step = deleted_step;
	return STEP_MORE;
}

/* RFC 9738 3.1: no limit here. */
enum step
cmd_expunge_run(struct imap_session *s, struct command *c)
{
	if (!rights_selected(s, c, STORE_RIGHT_EXPUNGE))
		return STEP_DONE;
	return command_wait(c, store_expunge(s->box->user, s->box->mailbox, NULL, session_done(s, on_expunged)));
}
