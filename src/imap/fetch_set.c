/* fetch_set.c - which messages a FETCH is about: the set, PARTIAL, CHANGEDSINCE, MESSAGELIMIT, in this order. */
#include "fetch.h"

#include "limit.h"
#include "progress.h"

/* RFC 9394 3.3: positions among the messages of the set, before anything else is looked at. */
static void
cut(struct uidset *seqs, const struct partial *partial)
{
	struct numbers all = { 0 };
	struct numbers part = { 0 };

	numbers_add_set(&all, seqs);
	numbers_cut(&all, partial, &part);
	uidset_clear(seqs);
	numbers_set(&part, seqs);
	numbers_fini(&all);
	numbers_fini(&part);
}

/* The numbers of the messages meant; CHANGEDSINCE: only of those that may have changed. */
bool
fetch_find_messages(struct imap_session *s, struct command *c)
{
	struct fetch *f = c->args;
	struct uidset changed;
	bool ok;

	uidset_clear(&f->seqs);
	ok = view_apply(&s->box->view, &f->set, c->uid ? SEQ_UIDS : SEQ_NUMBERS, &s->box->saved, &f->seqs);
	if (f->partial.given)
		cut(&f->seqs, &f->partial);
	if (f->looked) {
		uidset_init(&changed);
		view_seqs(&s->box->view, &f->resync.changed, &changed);
		uidset_keep_set(&f->seqs, &changed);
		uidset_fini(&changed);
	}
	if (f->looked || !f->changedsince)
		limit_cut(s, c, &f->seqs);
	f->next = uidset_first(&f->seqs);
	return ok;
}

bool
fetch_progress(const struct imap_session *s, const struct command *c, struct progress *p)
{
	const struct fetch *f = c->args;

	(void)s;
	if (f->writing)
		return false;
	p->goal = uidset_count(&f->seqs);
	p->done = f->next != 0 ? progress_below(&f->seqs, f->next) : p->goal;
	return true;
}
