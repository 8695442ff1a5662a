/* cmd_expunge.c - EXPUNGE and UID EXPUNGE (RFC 9051 6.4.3, 6.4.9; HIGHESTMODSEQ: RFC 7162 3.2.7, 3.2.9). The EXPUNGE
 * responses are the updates that follow. */
#include "commands.h"
#include "condstore.h"
#include "rights.h"

struct expunge_args {
	struct seq_set set;
};

bool
cmd_expunge_parse(struct lex *l, struct command *c)
{
	struct expunge_args *a = ARENA_NEW(&c->arena, struct expunge_args);

	c->args = a;
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

enum step
cmd_expunge_run(struct imap_session *s, struct command *c)
{
	const struct expunge_args *a = c->args;
	struct store_done done = { on_expunged, s };
	struct uidset seqs;
	struct uidset uids;

	if (!rights_selected(s, c, STORE_RIGHT_EXPUNGE))
		return STEP_DONE;
	if (!c->uid)
		return command_wait(c, store_expunge(s->setup.user, s->box->mailbox, NULL, done));
	uidset_init(&seqs);
	uidset_init(&uids);
	view_apply(&s->box->view, &a->set, SEQ_UIDS, &s->box->saved, &seqs);
	view_uids(&s->box->view, &seqs, &uids);
	command_wait(c, store_expunge(s->setup.user, s->box->mailbox, &uids, done));
	uidset_fini(&seqs);
	uidset_fini(&uids);
	return STEP_WAIT;
}
