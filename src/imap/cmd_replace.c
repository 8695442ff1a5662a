/* cmd_replace.c - REPLACE and UID REPLACE (RFC 8508): an APPEND that takes a message away in the same commit. Its
 * message comes as APPEND's does (append.c). */
#include "append.h"

#include "commands.h"
#include "notify.h"
#include "condstore.h"
#include "rights.h"
#include "sync.h"

/* SP seq-number SP mailbox append-message */
bool
cmd_replace_parse(struct lex *l, struct command *c)
{
	struct append_args *a = ARENA_NEW(&c->arena, struct append_args);

	lex_sp(l);
	a->replaced = lex_seq_set(l);
	if (lex_ok(l) && (a->replaced.saved || a->replaced.n != 1 || a->replaced.r[0].lo != a->replaced.r[0].hi))
		lex_fail(l, "expected one message");
	return append_parse(l, c, a, 1);
}

/* RFC 8508 4.1: what STORE of \Deleted and EXPUNGE need. */
bool
replace_may(struct imap_session *s, struct command *c)
{
	return rights_selected(s, c, STORE_RIGHT_DELETE | STORE_RIGHT_EXPUNGE);
}

uint32_t
replace_find(struct imap_session *s, struct command *c)
{
	const struct append_args *a = c->args;
	struct uidset seqs;
	uint32_t uid;

	uidset_init(&seqs);
	if (!view_apply(&s->box->view, &a->replaced, c->uid ? SEQ_UIDS : SEQ_NUMBERS, &s->box->saved, &seqs))
		done_bad(c, "no such message");
	else
		done_no(c, "NONEXISTENT", "no such message");
	uid = view_uid(&s->box->view, uidset_first(&seqs));
	uidset_fini(&seqs);
	return uid;
}

/* RFC 8508 4.3: APPENDUID in an untagged OK, before the EXPUNGE; 4.5: HIGHESTMODSEQ as after UID EXPUNGE. */
static void
on_replaced(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);
	struct reply told = { REPLY_OK, { 0 }, STR_INIT("the replacement") };

	notify_own(s, s->append->to.user, r);
	s->box->dirty = true;
	if (r->code != STORE_OK) {
		done_refused(c, r, REFUSED_TARGET);
	} else {
		told.code = append_uid_code(s, c, &s->append->to, r);
		if (told.code.n > 0)
			reply_write(&s->out, STR("*"), &told);
		done_ok_code(c, s->condstore ? condstore_code(c, r->modseq) : STR(""), "done");
	}
	command_finish(s);
}

enum step
cmd_replace_run(struct imap_session *s, struct command *c)
{
	enum append_copied copied = append_gather(s, c);
	struct store_new message = { 0 };
	uint32_t uid;

	if (copied != APPEND_COPIED)
		return copied == APPEND_COPYING ? STEP_MORE : STEP_DONE;
	if (!replace_may(s, c))
		return STEP_DONE;
	uid = replace_find(s, c);
	if (uid == 0)
		return STEP_DONE;
	append_fill(s, &message, c->args, 0);
	s->append->n = 0; /* the stage is the store's */
	return command_wait(c, store_replace(s->box->user, s->append->to.mailbox, &message, s->box->mailbox, uid,
	    s->append->to.quota,
	    session_done(s, on_replaced)));
}
