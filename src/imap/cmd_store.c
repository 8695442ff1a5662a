/* cmd_store.c - STORE and UID STORE (RFC 9051 6.4.6; UNCHANGEDSINCE: RFC 7162 3.1.3).
 *
 * The request is one commit for all messages. Then the new flags are told, unless .SILENT, in steps; the updates that
 * follow leave out what this commit did (sync.h), so that nothing is told twice and what others did is. */
#include "commands.h"
#include "flags.h"
#include "limit.h"
#include "sync.h"

enum {
	MESSAGES_PER_STEP = 256,
};

struct store_args {
	struct seq_set set;
	enum store_flags_mode mode;
	bool silent;
	struct flag_args flags;
	bool conditional;   /* UNCHANGEDSINCE … */
	uint64_t unchangedsince;
	struct uidset uids;   /* the messages meant */
	struct uidset told;   /* those that are told */
	struct uidset failed; /* those that had changed: told with all their flags */
	uint32_t next;        /* the next one to be told */
	bool missing;       /* some have been expunged by somebody else */
};

static void
args_fini(struct command *c)
{
	struct store_args *a = c->args;

	uidset_fini(&a->uids);
	uidset_fini(&a->told);
	uidset_fini(&a->failed);
}

/* "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")", once */
static void
store_modifiers(struct lex *l, struct store_args *a)
{
	if (!lex_take(l, '('))
		return;
	if (!lex_word(l, "UNCHANGEDSINCE"))
		lex_fail(l, "unknown STORE modifier");
	lex_sp(l);
	a->conditional = true;
	a->unchangedsince = lex_number64(l);
	lex_want(l, ')');
	lex_sp(l);
}

/* ["+" / "-"] "FLAGS" [".SILENT"] */
static void
store_item(struct lex *l, struct store_args *a)
{
	a->mode = lex_take(l, '+') ? STORE_FLAGS_ADD : lex_take(l, '-') ? STORE_FLAGS_REMOVE : STORE_FLAGS_REPLACE;
	if (lex_word(l, "FLAGS.SILENT"))
		a->silent = true;
	else if (!lex_word(l, "FLAGS"))
		lex_fail(l, "expected FLAGS");
}

bool
cmd_store_parse(struct lex *l, struct command *c)
{
	struct store_args *a = ARENA_NEW(&c->arena, struct store_args);

	c->args = a;
	c->fini = args_fini;
	lex_sp(l);
	a->set = lex_seq_set(l);
	lex_sp(l);
	store_modifiers(l, a);
	store_item(l, a);
	lex_sp(l);
	lex_store_flags(l, &a->flags);
	c->condstore = a->conditional;
	return lex_ok(l);
}

/* A message that others expunged has no flags to tell (RFC 2180 4.2). */
static void
tell_one(struct imap_session *s, struct store_view *v, struct store_args *a, const struct str *keywords, uint32_t uid)
{
	struct store_message m;

	if (!store_message(v, s->box->mailbox, uid, &m))
		a->missing = true;
	else if (a->silent && !uidset_has(&a->failed, uid))
		sync_write_fetch_modseq(s, view_seq(&s->box->view, uid), &m);
	else
		sync_write_fetch(s, view_seq(&s->box->view, uid), &m, keywords);
}

/* "MODIFIED 7,9": numbers or UIDs, as the command had them. */
static struct str
modified(struct imap_session *s, struct command *c)
{
	const struct store_args *a = c->args;
	struct uidset seqs;
	struct buf code;
	struct str text;

	uidset_init(&seqs);
	buf_init(&code, SIZE_MAX);
	view_seqs(&s->box->view, &a->failed, &seqs);
	buf_add_cstr(&code, "MODIFIED ");
	uidset_write(c->uid ? &a->failed : &seqs, &code);
	text = arena_str(&c->arena, buf_str(&code));
	buf_fini(&code);
	uidset_fini(&seqs);
	return text;
}

static enum step
finish(struct imap_session *s, struct command *c)
{
	const struct store_args *a = c->args;

	if (a->missing && !c->uid)
		done_no(c, "EXPUNGEISSUED", "some of the messages are gone");
	else
		done_ok(c, uidset_empty(&a->failed) ? "done" : "some of the messages had changed");
	if (!uidset_empty(&a->failed))
		c->reply.code = modified(s, c);
	return STEP_DONE;
}

static enum step
tell_step(struct imap_session *s, struct command *c)
{
	struct store_args *a = c->args;
	struct str keywords[STORE_KEYWORDS_MAX];
	struct err e;
	struct store_view *v = session_look(s, s->box->user, &e);

	if (v == NULL)
		return done_unreadable(s, c, &e);
	if (store_keywords(v, s->box->mailbox, keywords) > s->box->keywords)
		sync_write_flags(s, v);
	for (unsigned n = 0; n < MESSAGES_PER_STEP && a->next != 0; n++) {
		tell_one(s, v, a, keywords, a->next);
		a->next = a->next < UINT32_MAX ? uidset_next(&a->told, a->next + 1) : 0;
	}
	store_view_close(v);
	return a->next != 0 ? STEP_MORE : finish(s, c);
}

/* RFC 7162 3.1.3: with UNCHANGEDSINCE every message is told of; what else is silent tells the new mod-sequences. */
static void
choose_told(const struct imap_session *s, struct store_args *a, const struct store_result *r)
{
	if (!a->silent || a->conditional)
		uidset_copy(&a->told, &a->uids);
	else if (s->condstore && r->uids != NULL)
		uidset_copy(&a->told, r->uids);
	if (r->failed != NULL)
		uidset_copy(&a->failed, r->failed);
	a->next = uidset_first(&a->told);
}

static void
on_stored(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);
	struct store_args *a = c->args;

	if (r->code != STORE_OK) {
		done_refused(c, r, REFUSED_HERE);
		command_finish(s);
		return;
	}
	sync_own(s->box, r);
	choose_told(s, a, r);
	command_go_on(s, tell_step);
}

/* What others did until now is told first, so that it can be told apart from what this command does. */
static enum step
submit_step(struct imap_session *s, struct command *c)
{
	struct store_args *a = c->args;
	struct store_flags flags = {
		.mailbox = s->box->mailbox,
		.uids = &a->uids,
		.mode = a->mode,
		.flags = a->flags.flags,
		.keywords = a->flags.keywords,
		.nkeywords = a->flags.n,
		.conditional = a->conditional,
		.unchangedsince = a->unchangedsince,
	};

	if (sync_updates(s, c) == STEP_MORE)
		return STEP_MORE;
	return command_wait(c, store_flags(s->box->user, &flags, session_done(s, on_stored)));
}

enum step
cmd_store_run(struct imap_session *s, struct command *c)
{
	struct store_args *a = c->args;
	struct selected *box = s->box;
	struct uidset seqs;
	bool ok;

	uidset_init(&seqs);
	ok = view_apply(&box->view, &a->set, c->uid ? SEQ_UIDS : SEQ_NUMBERS, &box->saved, &seqs);
	limit_cut(s, c, &seqs);
	view_uids(&box->view, &seqs, &a->uids);
	uidset_fini(&seqs);
	if (!ok)
		return done_bad(c, "no such message");
	if (uidset_empty(&a->uids))
		return done_ok(c, "no such message");
	c->step = submit_step;
	return STEP_MORE;
}
