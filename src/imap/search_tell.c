/* search_tell.c - what SEARCH and SORT answer: ESEARCH (RFC 9051 7.3.4, RFC 4731), SEARCH (RFC 3501 7.2.5), SORT (RFC 5256
 * 4), MODSEQ in each (RFC 7162 3.1.6, 3.1.10), "$" (RFC 5182), PARTIAL (RFC 9394). */
#include "context.h"

enum {
	NUMBERS_PER_STEP = 1000,
};

enum step
search_finish(struct imap_session *s, struct command *c)
{
	const struct search *q = c->args;

	if (q->failed)
		return done_no(c, "CORRUPTION", "some messages could not be searched");
	context_keep(s, c);
	if (q->missing && !c->uid)
		return done_ok_code(c, STR("EXPUNGEISSUED"), "some of the messages are gone");
	return done_ok(c, "done");
}

/* --- "$" --- */

/* RFC 9051 6.4.4.1, table 4; RFC 9394 3.2, table 1: what is told is saved, but with ALL or COUNT everything is. */
static void
choose_saved(const struct search *q, struct numbers *saved)
{
	unsigned some = q->returns & (RETURN_MIN | RETURN_MAX | RETURN_PARTIAL);

	if (some == 0 || q->returns & (RETURN_ALL | RETURN_COUNT)) {
		for (size_t i = 0; i < q->seqs.n; i++)
			numbers_add(saved, q->seqs.p[i].first, q->seqs.p[i].last);
		return;
	}
	if (q->seqs.n > 0 && some & RETURN_MIN)
		numbers_add(saved, numbers_first(&q->seqs), numbers_first(&q->seqs));
	if (some & RETURN_PARTIAL)
		numbers_cut(&q->seqs, &q->partial, saved);
	if (q->seqs.n > 0 && some & RETURN_MAX)
		numbers_add(saved, numbers_last(&q->seqs), numbers_last(&q->seqs));
}

/* What ends in NO saves nothing. */
static void
save(struct imap_session *s, const struct search *q)
{
	struct numbers chosen = { 0 };
	struct uidset seqs;

	uidset_clear(&s->box->saved);
	if (q->failed)
		return;
	uidset_init(&seqs);
	choose_saved(q, &chosen);
	numbers_set(&chosen, &seqs);
	view_uids(&s->box->view, &seqs, &s->box->saved);
	uidset_fini(&seqs);
	numbers_fini(&chosen);
}

/* --- the answer --- */

/* RFC 4731 3.2: MIN and MAX alone tell the mod-sequences of what they name. */
static uint64_t
told_modseq(const struct search *q)
{
	unsigned ends = q->returns & (RETURN_MIN | RETURN_MAX);

	if (ends == 0 || q->returns & (RETURN_ALL | RETURN_COUNT | RETURN_PARTIAL))
		return q->highest;
	if (ends == RETURN_MIN)
		return q->first_modseq;
	if (ends == RETURN_MAX || q->last_modseq > q->first_modseq)
		return q->last_modseq;
	return q->first_modseq;
}

static void
write_modseq(struct imap_session *s, const struct search *q, const char *before, const char *after)
{
	if (!q->modseq || q->told.n == 0)
		return;
	buf_add_cstr(&s->out, before);
	buf_add_u64(&s->out, told_modseq(q));
	buf_add_cstr(&s->out, after);
}

/* The next number of the results, q->at being in their ranges. */
static uint32_t
next_told(struct search *q)
{
	const struct uid_range *r = &q->told.p[q->at];
	uint32_t number = q->at_number != 0 ? q->at_number : r->first;

	q->at_number = number < r->last ? number + 1 : 0;
	q->at += number == r->last;
	return number;
}

/* "* SORT n n n", some numbers at a time. */
static enum step
tell_numbers_step(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;

	for (unsigned n = 0; n < NUMBERS_PER_STEP && q->at < q->told.n; n++) {
		buf_add_char(&s->out, ' ');
		buf_add_u64(&s->out, next_told(q));
	}
	if (q->at < q->told.n)
		return STEP_MORE;
	write_modseq(s, q, " (MODSEQ ", ")");
	buf_add_cstr(&s->out, "\r\n");
	return search_finish(s, c);
}

static enum step
end_esearch(struct imap_session *s, struct command *c)
{
	const struct search *q = c->args;

	write_modseq(s, q, " MODSEQ ", "");
	buf_add_cstr(&s->out, "\r\n");
	return q->told_step != NULL ? q->told_step(s, c) : search_finish(s, c);
}

/* "RELEVANCY (n n n)" of what is told, or of all results (RFC 6203 4), some at a time. */
static enum step
tell_scores_step(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;

	for (unsigned n = 0; n < NUMBERS_PER_STEP && q->at < q->told.n; n++) {
		uint32_t number = next_told(q);

		buf_addf(&s->out, q->scores_told ? " %u" : " RELEVANCY (%u",
		    scores_of(&q->scores, c->uid ? number : view_uid(&q->box->view, number)));
		q->scores_told = true;
	}
	if (q->at < q->told.n)
		return STEP_MORE;
	buf_add_cstr(&s->out, q->scores_told ? ")" : "");
	return end_esearch(s, c);
}

/* A sequence-set, some ranges at a time: those of ALL, or of PARTIAL. */
static enum step
tell_ranges_step(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;

	for (unsigned n = 0; n < NUMBERS_PER_STEP && q->at < q->told.n; n++, q->at++) {
		const struct uid_range *r = &q->told.p[q->at];

		buf_addf(&s->out, q->at > 0 ? ",%u" : "%u", r->first);
		if (r->last != r->first)
			buf_addf(&s->out, ":%u", r->last);
	}
	if (q->at < q->told.n)
		return STEP_MORE;
	if (q->returns & RETURN_PARTIAL)
		buf_add_char(&s->out, ')');
	if (!(q->returns & RETURN_RELEVANCY))
		return end_esearch(s, c);
	q->at = 0;
	c->step = tell_scores_step;
	return STEP_MORE;
}

/* "PARTIAL (range results)"; told becomes these results. */
static void
begin_partial(struct imap_session *s, struct search *q)
{
	struct numbers part = { 0 };

	buf_add_cstr(&s->out, " PARTIAL (");
	partial_write(&q->partial, &s->out);
	buf_add_char(&s->out, ' ');
	numbers_cut(&q->told, &q->partial, &part);
	numbers_fini(&q->told);
	q->told = part;
	if (q->told.n == 0)
		buf_add_cstr(&s->out, "NIL");
}

static void
begin_ranges(struct imap_session *s, struct search *q)
{
	if (q->returns & RETURN_PARTIAL)
		begin_partial(s, q);
	else if (q->returns & RETURN_ALL && q->told.n > 0)
		buf_add_cstr(&s->out, " ALL ");
	else
		q->at = q->told.n;
}

/* Without a match only COUNT is left, and a PARTIAL of nothing. */
static enum step
tell_esearch(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;

	buf_add_cstr(&s->out, "* ESEARCH (TAG ");
	out_quoted(&s->out, str_from(c->tag, c->tag_size));
	buf_add(&s->out, q->correlator);
	buf_add_cstr(&s->out, c->uid ? ") UID" : ")");
	if (q->told.n > 0 && q->returns & RETURN_MIN)
		buf_addf(&s->out, " MIN %u", numbers_first(&q->told));
	if (q->told.n > 0 && q->returns & RETURN_MAX)
		buf_addf(&s->out, " MAX %u", numbers_last(&q->told));
	if (q->returns & RETURN_COUNT)
		buf_addf(&s->out, " COUNT %u", (unsigned)q->told.count);
	begin_ranges(s, q);
	c->step = tell_ranges_step;
	return STEP_MORE;
}

/* SEARCH's results are in the order of the mailbox. */
static void
order_results(const struct command *c)
{
	struct search *q = c->args;
	struct uidset uids;

	if (q->ordered)
		return;
	uidset_init(&uids);
	view_uids(&q->box->view, &q->found, &uids);
	numbers_add_set(&q->seqs, &q->found);
	numbers_add_set(&q->told, c->uid ? &uids : &q->found);
	uidset_fini(&uids);
}

enum step
search_tell_step(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;

	c->progress = NULL; /* the answer takes several steps */
	order_results(c);
	if (q->returns & RETURN_SAVE)
		save(s, q);
	if ((q->returns & ~(unsigned)(RETURN_UPDATE | RETURN_CONTEXT)) == (RETURN_GIVEN | RETURN_SAVE))
		return search_finish(s, c);
	if (q->returns & RETURN_GIVEN)
		return tell_esearch(s, c);
	if (q->response == NULL) {
		q->returns = RETURN_ALL;
		return tell_esearch(s, c);
	}
	buf_addf(&s->out, "* %s", q->response);
	c->step = tell_numbers_step;
	return STEP_MORE;
}
