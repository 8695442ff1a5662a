/* cmd_copy.c - COPY, MOVE and their UID forms (RFC 9051 6.4.7, 6.4.8; COPYUID: RFC 4315). */
#include "commands.h"
#include "condstore.h"
#include "limit.h"
#include "names.h"
#include "notify.h"
#include "rights.h"

struct copy_args {
	struct seq_set set;
	struct str target;
	struct place to;
	struct str copyuid; /* of a MOVE to another user */
};

bool
cmd_copy_parse(struct lex *l, struct command *c)
{
	struct copy_args *a = ARENA_NEW(&c->arena, struct copy_args);

	c->args = a;
	lex_sp(l);
	a->set = lex_seq_set(l);
	lex_sp(l);
	a->target = lex_mailbox(l, c);
	return lex_ok(l);
}

/* "COPYUID validity source target": the n-th of the one became the n-th of the other. */
static struct str
copyuid(struct imap_session *s, struct command *c, const struct store_result *r)
{
	const struct copy_args *a = c->args;
	struct buf code;
	struct str text;

	if (!rights_tell_uids(s, &a->to))
		return STR("");
	buf_init(&code, SIZE_MAX);
	buf_addf(&code, "COPYUID %u ", r->uidvalidity);
	uidset_write(r->source, &code);
	buf_add_char(&code, ' ');
	uidset_write(r->uids, &code);
	text = arena_str(&c->arena, buf_str(&code));
	buf_fini(&code);
	return text;
}

static bool
took_some(const struct store_result *r)
{
	return r->source != NULL && r->uids != NULL && !uidset_empty(r->source);
}

static void
on_copied(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);

	notify_own(s, ((const struct copy_args *)c->args)->to.user, r);
	s->box->dirty = true;
	if (r->code != STORE_OK)
		done_refused(c, r, REFUSED_TARGET);
	else if (took_some(r))
		done_ok_code(c, copyuid(s, c, r), "done");
	else
		done_ok(c, "no such message, nothing copied");
	command_finish(s);
}

/* RFC 9051 6.4.8: COPYUID comes before the EXPUNGE responses, in an untagged OK. */
static void
tell_moved(struct imap_session *s, struct str code)
{
	struct reply told = { REPLY_OK, code, STR_INIT("moved") };

	if (code.n > 0)
		reply_write(&s->out, STR("*"), &told);
}

/* RFC 6851 4.4: then HIGHESTMODSEQ in the tagged one. */
static void
done_moved(struct imap_session *s, struct command *c, const struct store_result *r)
{
	done_ok_code(c, s->condstore && r->modseq != 0 ? condstore_code(c, r->modseq) : STR(""), "done");
}

static void
on_moved(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);

	notify_own(s, ((const struct copy_args *)c->args)->to.user, r);
	s->box->dirty = true;
	if (r->code != STORE_OK) {
		done_refused(c, r, REFUSED_TARGET);
	} else {
		tell_moved(s, took_some(r) ? copyuid(s, c, r) : STR(""));
		done_moved(s, c, r);
	}
	command_finish(s);
}

/* What was moved to another user is gone here, or could not be removed: then it is in both. */
static void
on_removed(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);
	const struct copy_args *a = c->args;

	s->box->dirty = true;
	tell_moved(s, a->copyuid);
	if (r->code != STORE_OK)
		done_refused(c, r, REFUSED_HERE);
	else
		done_moved(s, c, r);
	command_finish(s);
}

/* MOVE to another user: the copies are durable before anything goes (RFC 6851 3.3). */
static void
on_carried(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);
	struct copy_args *a = c->args;

	notify_own(s, a->to.user, r);
	if (r->code == STORE_OK && took_some(r)) {
		a->copyuid = copyuid(s, c, r);
		command_wait(c, store_remove(s->box->user, s->box->mailbox, r->source, session_done(s, on_removed)));
		return;
	}
	if (r->code != STORE_OK)
		done_refused(c, r, REFUSED_TARGET);
	else
		done_ok(c, "no such message, nothing moved");
	command_finish(s);
}

enum copy_how { COPY_KEEPS, COPY_MOVES };

static void
submit(struct imap_session *s, struct command *c, enum copy_how how, const struct uidset *uids)
{
	const struct copy_args *a = c->args;
	const struct selected *box = s->box;

	if (a->to.user != box->user)
		command_wait(c, store_carry(box->user, box->mailbox, uids, a->to.user, a->to.mailbox, a->to.quota,
		    session_done(s, how == COPY_KEEPS ? on_copied : on_carried)));
	else if (how == COPY_KEEPS)
		command_wait(c, store_copy(box->user, box->mailbox, uids, a->to.mailbox, a->to.quota,
		    session_done(s, on_copied)));
	else
		command_wait(c, store_move(box->user, box->mailbox, uids, a->to.mailbox, session_done(s, on_moved)));
}

/* RFC 9738 3.1: COPY is all or nothing, MOVE begins with the last messages. */
static enum step
limit_copy(struct imap_session *s, struct command *c, enum copy_how how, struct uidset *seqs)
{
	if (how == COPY_KEEPS)
		return limit_refuse_save(s, c, uidset_count(seqs), seqs);
	limit_cut(s, c, seqs);
	return STEP_MORE;
}

static enum step
copy_or_move(struct imap_session *s, struct command *c, enum copy_how how)
{
	struct copy_args *a = c->args;
	struct selected *box = s->box;
	struct uidset seqs;
	struct uidset uids;
	enum step step = STEP_WAIT;

	if (how == COPY_MOVES && !rights_selected(s, c, STORE_RIGHT_DELETE | STORE_RIGHT_EXPUNGE))
		return STEP_DONE;
	uidset_init(&seqs);
	uidset_init(&uids);
	if (!view_apply(&box->view, &a->set, c->uid ? SEQ_UIDS : SEQ_NUMBERS, &box->saved, &seqs)) {
		step = done_bad(c, "no such message");
	} else if (!rights_find(s, c, a->target, STORE_RIGHT_INSERT, REFUSED_TARGET, &a->to)) {
		step = STEP_DONE;
	} else if (uidset_empty(&seqs)) {
		step = done_ok(c, "no such message, nothing copied");
	} else if (limit_copy(s, c, how, &seqs) == STEP_DONE) {
		step = STEP_DONE;
	} else {
		view_uids(&box->view, &seqs, &uids);
		submit(s, c, how, &uids);
	}
	uidset_fini(&seqs);
	uidset_fini(&uids);
	return step;
}

enum step
cmd_copy_run(struct imap_session *s, struct command *c)
{
	return copy_or_move(s, c, COPY_KEEPS);
}

enum step
cmd_move_run(struct imap_session *s, struct command *c)
{
	return copy_or_move(s, c, COPY_MOVES);
}
