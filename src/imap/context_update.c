/* context_update.c - what happened to the mailbox, and what it does to the results of each context.
 *
 *   leave  what is no result any more is told, while its numbers are good
 *   ask    the program is asked for messages that changed or came
 *   place  new results of a sorted list get their places, some at a time
 *   tell   … and are told */
#include "context.h"

#include "sort.h"

static enum step ask_step(struct imap_session *s, struct context *x);
static enum step tell_step(struct imap_session *s, struct context *x);

enum {
	COMPARED_PER_STEP = 20000,
};

/* --- taking changes in --- */

static void
sorted_common(const struct context *x, const struct uidset *uids, struct uidset *common)
{
	for (size_t i = 0; i < uids->n; i++)
		for (uint32_t uid = uids->p[i].first;; uid++) {
			if (rank_position(&x->rank, uid) != 0)
				uidset_add(common, uid, uid);
			if (uid == uids->p[i].last)
				break;
		}
}

static bool
is_leaving(struct context *x, const struct uidset *uids)
{
	if (x->sorted)
		sorted_common(x, uids, &x->leaving);
	else
		marks_common(&x->marks, uids, &x->leaving);
	if (uidset_empty(&x->leaving))
		return false;
	x->step = tell_step;
	return true;
}

/* Only what the client knows: what is gone may be said of UIDs that never were. */
bool
contexts_gone(struct selected *box, const struct uidset *uids)
{
	struct uidset seqs, known;
	bool any = false;

	if (box->contexts == NULL || uidset_empty(uids))
		return false;
	uidset_init(&seqs);
	uidset_init(&known);
	view_seqs(&box->view, uids, &seqs);
	view_uids(&box->view, &seqs, &known);
	for (struct context *x = box->contexts; x != NULL; x = x->next)
		any |= is_leaving(x, &known);
	uidset_fini(&seqs);
	uidset_fini(&known);
	return any;
}

void
contexts_ask(struct selected *box, const struct uidset *seqs)
{
	for (struct context *x = box->contexts; x != NULL && !uidset_empty(seqs); x = x->next) {
		uidset_copy(&x->asks, seqs);
		x->step = ask_step;
	}
}

/* --- asking the program --- */

static bool
is_result(const struct context *x, uint32_t uid)
{
	return x->sorted ? rank_position(&x->rank, uid) != 0 : marks_has(&x->marks, uid);
}

static void
compare_one(struct context *x, uint32_t seq)
{
	uint32_t uid = view_uid(&x->search->box->view, seq);
	bool is = uidset_has(&x->search->found, seq);
	bool was = is_result(x, uid);

	if (is && (!was || x->moves))
		uidset_add(&x->coming, uid, uid);
	if (was && (!is || x->moves))
		uidset_add(&x->leaving, uid, uid);
}

/* What it said, against what it said before. */
static enum step
compare_step(struct imap_session *s, struct context *x)
{
	uint32_t seq = uidset_next(&x->asks, x->compared + 1);

	(void)s;
	for (unsigned n = 0; n < COMPARED_PER_STEP && seq != 0; n++) {
		compare_one(x, seq);
		x->compared = seq;
		seq = uidset_next(&x->asks, seq + 1);
	}
	if (seq == 0)
		x->step = tell_step;
	return STEP_MORE;
}

/* The program's own steps end here. */
static enum step
answered_step(struct imap_session *s, struct command *run)
{
	const struct search *q = run->args;

	(void)s;
	q->context->asked = true;
	return STEP_DONE;
}

/* A step of the program; DONE when it has answered, or cannot. */
static enum step
run_program(struct imap_session *s, struct context *x)
{
	if (x->run.step(s, &x->run) != STEP_DONE)
		return STEP_MORE;
	x->failed |= !x->asked;
	return STEP_DONE;
}

static enum step
asking_step(struct imap_session *s, struct context *x)
{
	if (run_program(s, x) == STEP_MORE)
		return STEP_MORE;
	x->compared = 0;
	x->step = x->failed ? tell_step : compare_step;
	return STEP_MORE;
}

static enum step
ask_step(struct imap_session *s, struct context *x)
{
	x->asked = false;
	x->search->then = answered_step;
	x->step = asking_step;
	x->failed = search_again(s, &x->run, &x->asks) == STEP_DONE;
	if (x->failed)
		x->step = tell_step;
	return STEP_MORE;
}

/* --- places in a sorted list --- */

static enum step
placing_step(struct imap_session *s, struct context *x)
{
	if (run_program(s, x) == STEP_MORE)
		return STEP_MORE;
	if (!x->failed)
		context_tell_coming(s, x);
	x->step = tell_step;
	return STEP_MORE;
}

/* Some of those that are coming: their keys are made. */
static enum step
place_step(struct imap_session *s, struct context *x)
{
	struct search *q = x->search;
	uint32_t uid = uidset_first(&x->coming);

	uidset_clear(&x->placing);
	for (unsigned n = 0; n < CONTEXT_CHUNK && uid != 0; n++) {
		uidset_add(&x->placing, uid, uid);
		uid = uid < UINT32_MAX ? uidset_next(&x->coming, uid + 1) : 0;
	}
	uidset_remove_set(&x->coming, &x->placing);
	uidset_clear(&q->found);
	view_seqs(&q->box->view, &x->placing, &q->found);
	x->asked = false;
	q->each = context_add_sorted;
	q->after_each = answered_step;
	x->run.step = search_each_step;
	x->step = placing_step;
	(void)s;
	return STEP_MORE;
}

/* --- telling --- */

static enum step
tell_step(struct imap_session *s, struct context *x)
{
	if (x->failed) {
		x->step = NULL;
		return STEP_DONE;
	}
	if (!uidset_empty(&x->leaving)) {
		context_tell_leaving(s, x);
		return STEP_MORE;
	}
	if (!uidset_empty(&x->coming) && x->sorted)
		x->step = place_step;
	else if (!uidset_empty(&x->coming))
		context_tell_coming(s, x);
	else
		x->step = NULL;
	return x->step != NULL ? STEP_MORE : STEP_DONE;
}

/* What cannot be kept up to date is no context any more. */
static void
drop(struct imap_session *s, struct context *x)
{
	context_write_noupdate(s, context_tag(x), "this context is not updated any more");
	context_cancel(s->box, context_tag(x));
}

enum step
contexts_ask_step(struct imap_session *s)
{
	struct context *x = s->box->contexts;

	while (x != NULL && (x->step == NULL || x->step == tell_step))
		x = x->next;
	if (x == NULL)
		return STEP_DONE;
	x->step(s, x);
	return STEP_MORE;
}

enum step
contexts_step(struct imap_session *s)
{
	struct context *x = s->box->contexts;

	while (x != NULL && x->step == NULL)
		x = x->next;
	if (x == NULL)
		return STEP_DONE;
	if (x->step(s, x) == STEP_DONE && x->failed)
		drop(s, x);
	return STEP_MORE;
}
