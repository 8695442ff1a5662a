/* news.c - contexts and data of new messages, in their order. */
#include "news.h"

#include <stdlib.h>

#include <postern/core/mem.h>

#include "context.h"
#include "fetch.h"
#include "notify.h"

struct news {
	enum step (*step)(struct imap_session *s, struct news *n);
	struct uidset fresh;  /* numbers of new messages that others made, still to be told */
	struct command run;   /* the FETCH under way; args NULL: none */
	enum step (*then)(struct imap_session *s, struct news *n);
};

static enum step ask_step(struct imap_session *s, struct news *n);
static enum step contexts_tell_step(struct imap_session *s, struct news *n);

static void
end_fetch(struct news *n)
{
	if (n->run.args != NULL)
		fetch_fini(n->run.args);
	arena_fini(&n->run.arena);
	n->run = (struct command){ 0 };
}

void
news_free(struct news *n)
{
	if (n == NULL)
		return;
	end_fetch(n);
	uidset_fini(&n->fresh);
	free(n);
}

/* RFC 5465 5.2: what the client put there itself it knows. */
static void
take_fresh(const struct imap_session *s, struct news *n, uint32_t first)
{
	struct selected *box = s->box;
	struct uidset mine;

	if (first <= box->view.count)
		uidset_add(&n->fresh, first, box->view.count);
	uidset_init(&mine);
	view_seqs(&box->view, &box->mine, &mine);
	uidset_remove_set(&n->fresh, &mine);
	uidset_fini(&mine);
	uidset_clear(&box->mine);
}

struct news *
news_new(struct imap_session *s, const struct uidset *changed, uint32_t fresh)
{
	struct news *n = NEW(struct news);
	struct uidset seqs;

	n->step = ask_step;
	uidset_init(&seqs);
	view_seqs(&s->box->view, changed, &seqs);
	if (fresh <= s->box->view.count)
		uidset_add(&seqs, fresh, s->box->view.count);
	contexts_ask(s->box, &seqs);
	uidset_fini(&seqs);
	take_fresh(s, n, fresh);
	return n;
}

/* --- FETCH --- */

static enum step
fetch_step(struct imap_session *s, struct news *n)
{
	if (n->run.step(s, &n->run) != STEP_DONE)
		return STEP_MORE;
	end_fetch(n);
	n->step = n->then;
	return STEP_MORE;
}

/* Data of these messages: all that is wanted of new ones, once. */
static void
begin_fetch(struct imap_session *s, struct news *n, const struct uidset *seqs, bool with_contexts)
{
	struct fetch *f;

	arena_init(&n->run.arena);
	f = fetch_new_unasked(&n->run.arena);
	n->run.uid = true;
	n->run.args = f;
	if (s->notify != NULL && s->notify->set != NULL && s->notify->set->news != NULL)
		fetch_add_unasked(&n->run.arena, f, s->notify->set->news);
	for (const struct context *x = s->box->contexts; with_contexts && x != NULL; x = x->next)
		if (x->search->update != NULL && !uidset_empty(&x->coming))
			fetch_add_unasked(&n->run.arena, f, x->search->update);
	fetch_begin_unasked(s, &n->run, seqs);
	n->step = fetch_step;
}

/* New messages that come to contexts which want data of them. */
static void
find_coming(const struct imap_session *s, const struct news *n, struct uidset *seqs)
{
	for (const struct context *x = s->box->contexts; x != NULL; x = x->next)
		if (x->search->update != NULL)
			view_seqs(&s->box->view, &x->coming, seqs);
	uidset_keep_set(seqs, &n->fresh);
}

/* --- in their order --- */

static enum step
end_step(struct imap_session *s, struct news *n)
{
	(void)s;
	(void)n;
	return STEP_DONE;
}

static enum step
contexts_tell_step(struct imap_session *s, struct news *n)
{
	bool wanted = s->notify != NULL && s->notify->set != NULL && s->notify->set->news != NULL;

	if (contexts_step(s) == STEP_MORE)
		return STEP_MORE;
	n->then = n->step = end_step;
	if (wanted && !uidset_empty(&n->fresh))
		begin_fetch(s, n, &n->fresh, false);
	return STEP_MORE;
}

static enum step
ask_step(struct imap_session *s, struct news *n)
{
	struct uidset seqs;

	if (contexts_ask_step(s) == STEP_MORE)
		return STEP_MORE;
	uidset_init(&seqs);
	find_coming(s, n, &seqs);
	n->then = n->step = contexts_tell_step;
	if (!uidset_empty(&seqs))
		begin_fetch(s, n, &seqs, true);
	uidset_remove_set(&n->fresh, &seqs);
	uidset_fini(&seqs);
	return STEP_MORE;
}

enum step
news_step(struct imap_session *s, struct news *n)
{
	return n->step(s, n);
}
