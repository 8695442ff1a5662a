/* sync.c - from changes in the store to untagged responses.
 *
 * The store says what changed after a MODSEQ; the session's view says what the client knows. Invariants: a UID leaves
 * the view only together with its EXPUNGE response, and enters it only together with an EXISTS that counts it. */
#include "sync.h"

#include <stdlib.h>

#include <postern/core/mem.h>

#include "condstore.h"
#include "context.h"
#include "news.h"
#include "notify.h"
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
	bool told;                /* all of the above is told: */
	struct news *news;        /* what follows from it */
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
	news_free(y->news);
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

/* --- taking changes in --- */

/* Takes new messages into the view; those that are recent for this session become so. */
static void
take_new(struct imap_session *s, struct store_view *v)
{
	struct selected *box = s->box;
	struct store_mailbox header;
	struct store_message m;
	struct store_scan scan;
	uint32_t floor;

	if (!store_mailbox(v, box->mailbox, &header))
		return;
	floor = recent_floor(store_user_address(box->user), box->mailbox, header.uidnext);
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
		recent_told(store_user_address(box->user), box->mailbox, header.uidnext);
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

/* Flags that NOTIFY does not ask for wait until it does; the client's state stays behind them (RFC 7162 6). */
static void
put_off_flags(const struct imap_session *s, struct sync *y)
{
	struct selected *box = s->box;

	if (notify_selected(s) & NOTIFY_FLAGS) {
		uidset_add_set(&y->changed, &box->untold);
		y->since = uidset_empty(&box->untold) ? y->since : box->untold_since;
		uidset_clear(&box->untold);
		return;
	}
	box->untold_since = uidset_empty(&box->untold) ? y->since : box->untold_since;
	uidset_add_set(&box->untold, &y->changed);
	if (view_next_uid(&box->view) != 0)
		uidset_remove(&box->untold, view_next_uid(&box->view), UINT32_MAX);
	y->told = true;
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
	take_new(s, v);
	y->exists = box->view.count != count;
	box->batches.arrived += box->view.count - count;
}

/* RFC 5267 4.3.4: what leaves a context is told before the numbers move. */
static bool
begin(struct imap_session *s, const struct command *c, struct store_view *v, struct sync *y)
{
	if (!gather(s->box, v, y))
		return false;
	put_off_flags(s, y);
	if (!contexts_gone(s->box, &y->gone))
		take(s, c, v, y);
	return true;
}

static enum step
begin_step(struct imap_session *s, struct command *c)
{
	struct sync *y = NEW(struct sync);
	struct err e;
	struct store_view *v = session_look(s, s->box->user, &e);
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
	if (uidset_empty(&s->box->gone) && uidset_empty(&s->box->untold))
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
	v = session_look(s, s->box->user, &e);
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
	struct store_view *v = session_look(s, s->box->user, &e);
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

/* Contexts, and data of new messages. */
static enum step
tell_news(struct imap_session *s, struct sync *y)
{
	struct view *view = &s->box->view;

	if (y->news == NULL)
		y->news = news_new(s, &y->changed,
		    y->known_last < UINT32_MAX ? view_seq_from(view, y->known_last + 1) : UINT32_MAX);
	return news_step(s, y->news);
}

/* RFC 5465 3.1, 6.1: of the selected mailbox a client hears what it asks for. */
static bool
is_wanted(const struct imap_session *s, const struct command *c)
{
	return notify_selected(s) != 0 || c->verb->flags & VERB_EXPUNGES;
}

bool
sync_is_due(const struct imap_session *s, const struct command *c)
{
	return s->box != NULL && s->box->dirty && is_wanted(s, c);
}

enum step
sync_updates(struct imap_session *s, struct command *c)
{
	struct sync *y = s->sync;

	if (s->box == NULL || (y == NULL && !is_wanted(s, c)))
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
	return tell_news(s, y) == STEP_MORE ? STEP_MORE : end(s);
}
