/* sync.c - from changes in the store to untagged responses.
 *
 * The store says what changed after a MODSEQ; the session's view says what the client knows. Invariants: a UID leaves
 * the view only together with its EXPUNGE response, and enters it only together with an EXISTS that counts it. */
#include "sync.h"

#include <stdlib.h>

#include <postern/core/mem.h>

#include "condstore.h"
#include "context.h"
#include "qresync.h"
#include "recent.h"
#include "rights.h"
#include "uidonly.h"

enum {
	LINES_PER_STEP = 256, /* responses between two looks at clock and buffer */
};

struct sync {
	struct uidset expunged;   /* sequence numbers still to be told, from the end */
	struct uidset vanished;   /* the same as UIDs, for a client of QRESYNC or UIDONLY … */
	size_t vanished_at;       /* … from this range on */
	struct uidset changed;    /* UIDs whose flags may have changed … */
	uint32_t next;            /* … from here on */
	uint32_t known_last;      /* messages above are new: their flags are not told */
	struct uidset gone;       /* what went since the last look */
	uint64_t since;
	bool taken;               /* the view has been changed */
	bool exists;
	bool told;                /* all of the above is told … */
	bool asked;               /* … and the contexts have been asked what it means to them */
};

void
sync_free(struct sync *y)
{
	if (y == NULL)
		return;
	uidset_fini(&y->expunged);
	uidset_fini(&y->vanished);
	uidset_fini(&y->changed);
	uidset_fini(&y->gone);
	free(y);
}

void
sync_own(struct selected *box, const struct store_result *r)
{
	box->dirty = true;
	uidset_clear(&box->own);
	box->own_modseq = 0;
	if (r->modseq == 0 || r->modseq != box->modseq + 1)
		return;
	box->own_modseq = r->modseq;
	if (r->uids != NULL)
		uidset_copy(&box->own, r->uids);
}

/* --- single responses --- */

static bool
is_recent(const struct imap_session *s, uint32_t uid)
{
	return !s->rev2 && uidset_has(&s->box->recent, uid);
}

void
sync_write_fetch(struct imap_session *s, uint32_t seq, const struct store_message *m, const struct str *keywords)
{
	uidonly_begin_fetch(s, seq, m->uid, UID_TOLD);
	buf_add_cstr(&s->out, "FLAGS ");
	out_flags(&s->out, m->flags, m->keywords, keywords, is_recent(s, m->uid));
	if (s->condstore) {
		buf_add_char(&s->out, ' ');
		condstore_write_modseq(s, m->modseq);
	}
	buf_add_cstr(&s->out, ")\r\n");
}

void
sync_write_fetch_modseq(struct imap_session *s, uint32_t seq, const struct store_message *m)
{
	uidonly_begin_fetch(s, seq, m->uid, UID_TOLD);
	condstore_write_modseq(s, m->modseq);
	buf_add_cstr(&s->out, ")\r\n");
}

void
sync_write_exists(struct imap_session *s)
{
	buf_addf(&s->out, "* %u EXISTS\r\n", s->box->view.count);
	if (!s->rev2)
		buf_addf(&s->out, "* %u RECENT\r\n", (unsigned)uidset_count(&s->box->recent));
}

static void
add_name(struct buf *out, struct str name, const char **sep)
{
	buf_add_cstr(out, *sep);
	buf_add(out, name);
	*sep = " ";
}

/* The system flags of these and all keywords. */
static void
add_names(struct buf *out, uint32_t flags, const struct str *keywords, size_t n)
{
	const char *sep = "";

	for (size_t i = 0; i < FLAG_NAMES; i++)
		if (flags & flag_names[i].flag)
			add_name(out, flag_names[i].name, &sep);
	for (size_t i = 0; i < n; i++)
		add_name(out, keywords[i], &sep);
}

/* RFC 9051 7.1: "\*" as long as there is room for new keywords; RFC 4314 5.1.1: only what the rights allow. */
static void
add_permanent(struct buf *out, unsigned rights, const struct str *keywords, size_t n)
{
	bool words = rights & STORE_RIGHT_WRITE;

	add_names(out, store_rights_flags(rights), keywords, words ? n : 0);
	if (words && n < STORE_KEYWORDS_MAX)
		buf_add_cstr(out, " \\*");
}

void
sync_write_flags(struct imap_session *s, struct store_view *v)
{
	struct str keywords[STORE_KEYWORDS_MAX];
	size_t n = store_keywords(v, s->box->mailbox, keywords);

	buf_add_cstr(&s->out, "* FLAGS (");
	add_names(&s->out, STORE_FLAGS_ALL, keywords, n);
	buf_add_cstr(&s->out, ")\r\n* OK [PERMANENTFLAGS (");
	if (!s->box->readonly)
		add_permanent(&s->out, s->box->rights, keywords, n);
	buf_add_cstr(&s->out, ")] flags that stay\r\n");
	s->box->keywords = n;
	s->box->rights_changed = false;
}

/* --- taking changes in --- */

void
sync_take_new(struct imap_session *s, struct store_view *v)
{
	struct selected *box = s->box;
	struct store_mailbox header;
	struct store_message m;
	struct store_scan scan;
	uint32_t floor;

	if (!store_mailbox(v, box->mailbox, &header))
		return;
	floor = recent_floor(store_user_address(s->setup.user), box->mailbox, header.uidnext);
	if (view_next_uid(&box->view) == 0)
		return;
	store_scan_open(&scan, v, box->mailbox, view_next_uid(&box->view));
	while (store_scan_next(&scan, &m)) {
		view_append(&box->view, m.uid, m.uid);
		if (m.uid >= floor)
			uidset_add(&box->recent, m.uid, m.uid);
	}
	store_scan_close(&scan);
	if (!box->readonly)
		recent_told(store_user_address(s->setup.user), box->mailbox, header.uidnext);
}

/* RFC 7162 3.2.10.2: VANISHED names only what the client has been told of. */
static void
vanish(const struct selected *box, struct sync *y)
{
	struct uidset seqs;

	uidset_init(&seqs);
	view_seqs(&box->view, &box->gone, &seqs);
	view_uids(&box->view, &seqs, &y->vanished);
	uidset_fini(&seqs);
}

/* RFC 7162 3.2.10, RFC 9586 3.6. */
static bool
tells_vanished(const struct imap_session *s)
{
	return s->qresync || s->uidonly;
}

static void
take_gone(struct imap_session *s, struct sync *y)
{
	struct selected *box = s->box;

	if (uidset_empty(&box->gone))
		return;
	if (tells_vanished(s))
		vanish(box, y);
	view_remove(&box->view, &box->gone, &y->expunged);
	box->batches.gone += uidset_count(&y->expunged);
	if (tells_vanished(s))
		uidset_clear(&y->expunged);
	uidset_remove_set(&box->recent, &box->gone);
	uidset_clear(&box->gone);
}

static bool
may_expunge(const struct command *c)
{
	return (c->uid && !c->numbers) || !(c->verb->flags & VERB_NO_EXPUNGE);
}

/* What happened since the last look; the mailbox may be gone meanwhile. */
static bool
gather(struct selected *box, struct store_view *v, struct sync *y)
{
	struct store_changes changes;
	bool ok;

	uidset_init(&changes.changed);
	uidset_init(&changes.gone);
	ok = store_changes(v, box->mailbox, box->modseq, &changes);
	if (ok) {
		y->since = box->modseq;
		box->modseq = changes.highestmodseq;
		uidset_add_set(&box->gone, &changes.gone);
		uidset_copy(&y->changed, &changes.changed);
		uidset_copy(&y->gone, &changes.gone);
	}
	uidset_fini(&changes.changed);
	uidset_fini(&changes.gone);
	return ok;
}

/* Changes the view, and leaves in *y what is to be written. */
static void
take(struct imap_session *s, const struct command *c, struct store_view *v, struct sync *y)
{
	struct selected *box = s->box;
	uint32_t count;

	y->taken = true;
	y->known_last = view_last_uid(&box->view);
	y->next = 1;
	if (may_expunge(c))
		take_gone(s, y);
	count = box->view.count;
	sync_take_new(s, v);
	y->exists = box->view.count != count;
	box->batches.arrived += box->view.count - count;
}

/* RFC 5267 4.3.4: what leaves a context is told before the numbers move. */
static bool
begin(struct imap_session *s, const struct command *c, struct store_view *v, struct sync *y)
{
	if (!gather(s->box, v, y))
		return false;
	if (!contexts_gone(s->box, &y->gone))
		take(s, c, v, y);
	return true;
}

static enum step
begin_step(struct imap_session *s, struct command *c)
{
	struct sync *y = NEW(struct sync);
	struct err e;
	struct store_view *v = store_view_open(s->setup.user, &e);
	bool ok = v != NULL && begin(s, c, v, y);

	s->box->dirty = false;
	if (ok && s->box->rights_changed)
		sync_write_flags(s, v);
	if (v != NULL)
		store_view_close(v);
	if (!ok) {
		sync_free(y);
		return STEP_DONE;
	}
	s->sync = y;
	return STEP_MORE;
}

static enum step
end(struct imap_session *s)
{
	sync_free(s->sync);
	s->sync = NULL;
	if (uidset_empty(&s->box->gone))
		s->box->told_modseq = s->box->modseq;
	s->box->own_modseq = 0;
	uidset_fini(&s->box->own);
	return STEP_DONE;
}

static enum step
leave_step(struct imap_session *s, const struct command *c)
{
	struct err e;
	struct store_view *v;

	if (contexts_step(s) == STEP_MORE)
		return STEP_MORE;
	v = store_view_open(s->setup.user, &e);
	if (v == NULL)
		return end(s);
	take(s, c, v, s->sync);
	store_view_close(v);
	return STEP_MORE;
}

/* --- telling them --- */

/* From the highest number down, so that none is renumbered by another. */
static enum step
tell_expunged(struct imap_session *s, struct sync *y)
{
	for (unsigned lines = 0; lines < LINES_PER_STEP && !uidset_empty(&y->expunged); lines++) {
		uint32_t seq = uidset_last(&y->expunged);

		buf_addf(&s->out, "* %u EXPUNGE\r\n", seq);
		uidset_remove(&y->expunged, seq, seq);
	}
	return STEP_MORE;
}

static bool
is_own(const struct selected *box, const struct store_message *m)
{
	return m->modseq == box->own_modseq && uidset_has(&box->own, m->uid);
}

/* The flags of one message, if they changed and the client does not know. */
static bool
tell_message(struct imap_session *s, struct store_view *v, const struct str *keywords, uint32_t uid)
{
	struct store_message m;
	uint32_t seq = view_seq(&s->box->view, uid);

	if (seq == 0 || !store_message(v, s->box->mailbox, uid, &m) || m.modseq <= s->sync->since || is_own(s->box, &m))
		return false;
	sync_write_fetch(s, seq, &m, keywords);
	return true;
}

static enum step
tell_changed(struct imap_session *s, struct sync *y)
{
	struct str keywords[STORE_KEYWORDS_MAX];
	struct err e;
	struct store_view *v = store_view_open(s->setup.user, &e);
	uint32_t uid = v != NULL ? uidset_next(&y->changed, y->next) : 0;

	if (v != NULL && store_keywords(v, s->box->mailbox, keywords) > s->box->keywords)
		sync_write_flags(s, v);
	for (unsigned n = 0; n < LINES_PER_STEP && uid != 0 && uid <= y->known_last; n++) {
		tell_message(s, v, keywords, uid);
		uid = uid < UINT32_MAX ? uidset_next(&y->changed, uid + 1) : 0;
	}
	if (v != NULL)
		store_view_close(v);
	y->next = uid;
	y->told = uid == 0 || uid > y->known_last;
	return STEP_MORE;
}

/* Messages that changed or are new, as the client numbers them. */
static void
ask_contexts(struct imap_session *s, struct sync *y)
{
	struct selected *box = s->box;
	uint32_t first = y->known_last < UINT32_MAX ? view_seq_from(&box->view, y->known_last + 1) : UINT32_MAX;
	struct uidset seqs;

	y->asked = true;
	if (box->contexts == NULL)
		return;
	uidset_init(&seqs);
	view_seqs(&box->view, &y->changed, &seqs);
	if (first <= box->view.count)
		uidset_add(&seqs, first, box->view.count);
	contexts_ask(box, &seqs);
	uidset_fini(&seqs);
}

static enum step
tell_contexts(struct imap_session *s, struct sync *y)
{
	if (!y->asked)
		ask_contexts(s, y);
	return contexts_step(s);
}

enum step
sync_updates(struct imap_session *s, struct command *c)
{
	struct sync *y = s->sync;

	if (s->box == NULL)
		return STEP_DONE;
	if (y == NULL)
		return s->box->dirty || (may_expunge(c) && !uidset_empty(&s->box->gone)) ? begin_step(s, c) : STEP_DONE;
	if (!y->taken)
		return leave_step(s, c);
	if (!uidset_empty(&y->expunged))
		return tell_expunged(s, y);
	if (y->vanished_at < y->vanished.n) {
		qresync_write_vanished(&s->out, &y->vanished, &y->vanished_at, VANISHED_NOW);
		return STEP_MORE;
	}
	if (y->exists) {
		y->exists = false;
		sync_write_exists(s);
	}
	if (!y->told)
		return tell_changed(s, y);
	return tell_contexts(s, y) == STEP_MORE ? STEP_MORE : end(s);
}
