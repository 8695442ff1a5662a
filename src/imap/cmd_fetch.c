/* cmd_fetch.c - FETCH and UID FETCH: the walk over the messages (RFC 9051 6.4.5; CHANGEDSINCE, VANISHED: RFC 7162).
 *
 *   look   CHANGEDSINCE: the store says what changed and what is gone
 *   mark   BODY[…] sets \Seen: one commit for all messages that lack it, before anything is told
 *   walk   from message to message; what index and cache can answer is written here, many messages in one step
 *   parse  a message without cache row: its structure is made from the file
 *   items  the items of one message, one after another
 *   stream a long value, piece by piece */
#include "fetch.h"

#include "commands.h"
#include "limit.h"
#include "rights.h"
#include "sync.h"
#include "uidonly.h"

enum {
	MESSAGES_PER_STEP = 256,
	SCANNED_PER_STEP = 20000,
	OUT_PER_STEP = 48 * 1024, /* octets written before clock and buffer are looked at */
};

static enum step items_step(struct imap_session *s, struct command *c);

static enum step
finish(struct command *c)
{
	const struct fetch *f = c->args;

	if (f->unknown_cte)
		return done_no(c, "UNKNOWN-CTE", "a part cannot be decoded");
	if (f->failed)
		return done_no(c, "CORRUPTION", "a message could not be read");
	if (f->missing && !c->uid)
		return done_no(c, "EXPUNGEISSUED", "some of the messages are gone");
	return done_ok(c, "done");
}

/* --- one message --- */

static bool
has_item(const struct fetch *f, const struct fetch_row *row)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->items[i].row == row)
			return true;
	return false;
}

static void
write_unasked(struct imap_session *s, struct fetch *f, struct str name)
{
	const struct fetch_row *row = fetch_find(name, false);

	if (has_item(f, row))
		return;
	buf_add(&s->out, name);
	buf_add_char(&s->out, ' ');
	row->write(s, f, NULL);
	buf_add_char(&s->out, ' ');
}

/* RFC 9051 6.4.5: flags that change because of the FETCH are told with it; RFC 7162 3.2.4: with UID and MODSEQ. */
static void
begin_items(struct imap_session *s, struct fetch *f)
{
	uidonly_begin_fetch(s, f->seq, f->m.uid, UID_ASKED_FOR);
	f->item = 0;
	f->writing = true;
	if (!uidset_has(&f->seen, f->m.uid))
		return;
	if (s->condstore && !s->uidonly)
		write_unasked(s, f, STR("UID"));
	write_unasked(s, f, STR("FLAGS"));
	if (s->condstore)
		write_unasked(s, f, STR("MODSEQ"));
}

static void
skip_message(struct fetch *f)
{
	letter_close(&f->letter);
	f->writing = false;
	f->next = uidset_next(&f->seqs, f->seq + 1);
}

/* Writes items until one streams; then the message is done with. */
static enum fetch_went
write_items(struct imap_session *s, struct fetch *f)
{
	while (f->item < f->n) {
		const struct fetch_item *i = &f->items[f->item++];

		if (f->item > 1)
			buf_add_char(&s->out, ' ');
		buf_add(&s->out, i->label);
		if (i->row->write(s, f, i) == FETCH_STREAMS)
			return FETCH_STREAMS;
	}
	buf_add_cstr(&s->out, ")\r\n");
	skip_message(f);
	return FETCH_WRITTEN;
}

static enum step
stream_step(struct imap_session *s, struct command *c)
{
	struct fetch *f = c->args;
	enum step step = f->stream.step(s, f);

	s->in_literal = step != STEP_DONE;
	if (step == STEP_DONE)
		c->step = items_step;
	return step == STEP_DONE ? STEP_MORE : step;
}

static void
begin_stream(struct imap_session *s, struct command *c)
{
	s->in_literal = true;
	c->step = stream_step;
}

static enum step
items_step(struct imap_session *s, struct command *c)
{
	if (write_items(s, c->args) == FETCH_STREAMS)
		begin_stream(s, c);
	else
		c->step = fetch_walk_step;
	return STEP_MORE;
}

/* --- messages one after another --- */

static enum step
parse_step(struct imap_session *s, struct command *c)
{
	struct fetch *f = c->args;

	if (letter_parse(&f->letter, s) == STEP_MORE)
		return STEP_MORE;
	c->step = fetch_walk_step;
	if (f->letter.tree != NULL)
		return STEP_MORE;
	f->failed = true;
	skip_message(f);
	return STEP_MORE;
}

enum ready { READY, NOT_PARSED, UNREADABLE };

/* Has what the items need, or opens the file to make it. */
static enum ready
prepare(struct imap_session *s, struct fetch *f, struct store_view *v)
{
	unsigned needs = f->flags;
	struct str row;
	bool ready;

	if (needs & (FETCH_TREE | FETCH_LINES) && !f->letter.has_row && store_rows_find(&f->rows, f->m.uid, &row))
		letter_take_row(&f->letter, row);
	if (needs & FETCH_LINES && !letter_keeps(&f->letter, f->lines))
		needs |= FETCH_TREE | FETCH_FILE;
	ready = !(needs & FETCH_TREE) || letter_take_tree(&f->letter);
	if ((!ready || needs & FETCH_FILE) && !letter_open(&f->letter, s, v))
		return UNREADABLE;
	return ready ? READY : NOT_PARSED;
}

/* The record of the next message into f->m; false: it is gone. */
static bool
next_message(struct imap_session *s, struct fetch *f, struct store_scan *scan)
{
	uint32_t uid = view_uid(&s->box->view, f->next);

	f->seq = f->next;
	if (f->letter.tree != NULL && f->letter.uid == uid)
		return true;
	if (!store_scan_find(scan, uid, &f->m))
		return false;
	letter_begin(&f->letter, s->box->user, s->box->mailbox, &f->m);
	return true;
}

/* What is ready of the message. False: the step ends here, another goes on. */
static bool
write_ready(struct imap_session *s, struct command *c)
{
	struct fetch *f = c->args;

	begin_items(s, f);
	if (write_items(s, f) == FETCH_WRITTEN)
		return true;
	begin_stream(s, c);
	return false;
}

/* One message. False: the step ends here, another goes on. */
static bool
one_message(struct imap_session *s, struct command *c, struct store_view *v, struct store_scan *scan)
{
	struct fetch *f = c->args;

	if (!next_message(s, f, scan)) {
		f->missing = true;
		skip_message(f);
		return true;
	}
	if (f->changedsince && f->m.modseq <= f->resync.since) {
		skip_message(f);
		return true;
	}
	switch (prepare(s, f, v)) {
	case READY:
		return write_ready(s, c);
	case NOT_PARSED:
		c->step = parse_step;
		return false;
	case UNREADABLE:
		f->failed = true;
		skip_message(f);
		return true;
	}
	return false;
}

static void
walk(struct imap_session *s, struct command *c, struct store_view *v)
{
	struct fetch *f = c->args;
	struct str keywords[STORE_KEYWORDS_MAX];
	struct store_scan scan;
	size_t begin = s->out.n;
	unsigned n = 0;

	if (store_keywords(v, s->box->mailbox, keywords) > s->box->keywords)
		sync_write_flags(s, v);
	f->keywords = keywords;
	f->view = v;
	store_scan_open(&scan, v, s->box->mailbox, view_uid(&s->box->view, f->next));
	store_rows_open(&f->rows, v, s->box->mailbox, STORE_CACHE_ROWS);
	while (f->next != 0 && n++ < MESSAGES_PER_STEP && s->out.n - begin < OUT_PER_STEP)
		if (!one_message(s, c, v, &scan))
			break;
	store_rows_close(&f->rows);
	store_scan_close(&scan);
	f->keywords = NULL;
	f->view = NULL;
}

enum step
fetch_walk_step(struct imap_session *s, struct command *c)
{
	struct fetch *f = c->args;
	struct err e;
	struct store_view *v;

	if (f->next == 0)
		return finish(c);
	v = session_look(s, s->box->user, &e);
	if (v == NULL)
		return done_unreadable(s, c, &e);
	walk(s, c, v);
	store_view_close(v);
	return STEP_MORE;
}

/* --- \Seen --- */

/* Sequence numbers may have changed while flags were set (UID FETCH lets EXPUNGE through). */
static enum step
begin_walk(struct imap_session *s, struct command *c)
{
	fetch_find_messages(s, c);
	c->step = fetch_walk_step;
	return STEP_MORE;
}

static void
on_marked(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);

	if (r->code == STORE_OK) {
		sync_own(s->box, r);
	} else if (r->code != STORE_NOPERM) { /* without "s" a message is read all the same (RFC 4314 4) */
		done_refused(c, r, REFUSED_HERE);
		command_finish(s);
		return;
	}
	command_go_on(s, begin_walk);
}

static enum step
mark_step(struct imap_session *s, struct command *c)
{
	struct fetch *f = c->args;
	struct store_flags flags = { .mailbox = s->box->mailbox, .uids = &f->seen, .mode = STORE_FLAGS_ADD,
		.flags = STORE_SEEN };

	if (sync_updates(s, c) == STEP_MORE)
		return STEP_MORE;
	return command_wait(c, store_flags(s->box->user, &flags, session_done(s, on_marked)));
}

/* Collects the UIDs of messages without \Seen, some at a time. */
static enum step
unseen_step(struct imap_session *s, struct command *c)
{
	struct fetch *f = c->args;
	struct err e;
	struct store_view *v = session_look(s, s->box->user, &e);
	struct store_message m;
	unsigned n = 0;

	if (v == NULL)
		return done_unreadable(s, c, &e);
	for (; f->next != 0 && n < SCANNED_PER_STEP; n++) {
		uint32_t uid = view_uid(&s->box->view, f->next);

		if (store_message(v, s->box->mailbox, uid, &m) && !(m.flags & STORE_SEEN)
		    && (!f->changedsince || m.modseq > f->resync.since))
			uidset_add(&f->seen, uid, uid);
		f->next = uidset_next(&f->seqs, f->next + 1);
	}
	store_view_close(v);
	if (f->next == 0)
		c->step = uidset_empty(&f->seen) ? begin_walk : mark_step;
	return STEP_MORE;
}

static enum step
begin(struct imap_session *s, struct command *c)
{
	const struct fetch *f = c->args;

	bool marks = f->flags & FETCH_SEEN && !s->box->readonly && s->box->rights & STORE_RIGHT_SEEN;

	c->step = marks ? unseen_step : begin_walk;
	return STEP_MORE;
}

/* --- CHANGEDSINCE --- */

/* RFC 7162 3.2.6: before any FETCH response. */
static enum step
gone_step(struct imap_session *s, struct command *c)
{
	struct fetch *f = c->args;

	if (resync_tell_gone(&f->resync, s))
		return STEP_MORE;
	return f->next != 0 ? begin(s, c) : done_ok(c, "done");
}

static enum step
look_step(struct imap_session *s, struct command *c)
{
	struct fetch *f = c->args;
	struct err e;
	struct store_view *v = session_look(s, s->box->user, &e);
	struct uidset uids;

	if (v == NULL)
		return done_unreadable(s, c, &e);
	uidset_init(&uids);
	if (c->uid)
		view_named_uids(&f->set, &s->box->saved, &uids);
	else
		view_uids(&s->box->view, &f->seqs, &uids);
	resync_look(&f->resync, s, v, f->resync.since, &uids);
	uidset_fini(&uids);
	store_view_close(v);
	if (!f->vanished)
		uidset_clear(&f->resync.gone);
	f->looked = true;
	fetch_find_messages(s, c);
	c->step = gone_step;
	return STEP_MORE;
}

enum step
cmd_fetch_run(struct imap_session *s, struct command *c)
{
	const struct fetch *f = c->args;

	c->progress = fetch_progress;
	if (f->vanished && !s->qresync)
		return done_bad(c, "QRESYNC has not been enabled");
	if (f->partial.given && limit_refuse(s, c, partial_size(&f->partial), NULL) == STEP_DONE)
		return STEP_DONE;
	if (!fetch_find_messages(s, c))
		return done_bad(c, "no such message");
	if (f->changedsince) {
		c->step = look_step;
		return STEP_MORE;
	}
	return f->next != 0 ? begin(s, c) : done_ok(c, "no such message");
}
