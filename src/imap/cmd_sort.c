/* cmd_sort.c - SORT and UID SORT (RFC 5256 3; RETURN: RFC 5267 3): a SEARCH whose results are put in order.
 *
 *   search  cmd_search.c finds them
 *   recall  the order is known (sortmem.h), or:
 *   each    search_each.c gives each with its keys; its values are kept
 *   order   sorting, in steps (sort_key.c)
 *   take    the order becomes numbers
 *   tell    search_tell.c */
#include "sort.h"

#include <stdlib.h>

#include <postern/core/mem.h>

#include "commands.h"
#include "context.h"
#include "sortmem.h"

enum {
	COMPARISONS_PER_STEP = 20000,
	NUMBERS_PER_STEP = 20000,
};

/* --- grammar --- */

/* ["REVERSE" SP] sort-key */
static void
criterion(struct lex *l, struct sort *o)
{
	struct sort_criterion k = { .reverse = lex_word(l, "REVERSE") };

	if (k.reverse)
		lex_sp(l);
	k.row = sort_find(lex_atom(l));
	if (k.row == NULL)
		lex_fail(l, "unknown sort criterion");
	if (o->nby == SORT_CRITERIA_MAX)
		lex_fail(l, "too many sort criteria");
	if (!lex_ok(l))
		return;
	o->by[o->nby++] = k;
	o->search.wants_keys |= k.row->keys;
	o->search.keys_only &= k.row->keys;
	o->search.scored |= k.row->scored;
	o->by_score |= k.row->scored;
}

void
sort_forget(struct sort *o)
{
	free(o->seq);
	free(o->values);
	o->seq = NULL;
	o->values = NULL;
	ranks_fini(&o->texts);
	o->texts = (struct ranks){ 0 };
	order_fini(&o->order);
}

static void
args_fini(struct command *c)
{
	struct sort *o = c->args;

	search_fini(&o->search);
	sort_forget(o);
	free(o->uids);
}

/* SP [search-return-opts SP] "(" criteria ")" SP charset 1*(SP search-key) */
bool
cmd_sort_parse(struct lex *l, struct command *c)
{
	struct sort *o = ARENA_NEW(&c->arena, struct sort);

	search_init(&o->search);
	o->search.keys_only = true;
	ranks_init(&o->texts, SORT_TEXT_MAX);
	c->args = o;
	c->fini = args_fini;
	lex_sp(l);
	search_parse_returns(l, &o->search);
	lex_want(l, '(');
	do
		criterion(l, o);
	while (lex_ok(l) && lex_take(l, ' '));
	lex_want(l, ')');
	lex_sp(l);
	search_parse_charset(l, &o->search);
	search_parse_keys(l, c, &o->search);
	return lex_ok(l);
}

/* --- steps --- */

/* MIN and MAX name the first and the last in the order asked for (RFC 5267 3.1). */
static void
find_ends(struct imap_session *s, struct sort *o, struct store_view *v)
{
	struct search *q = &o->search;
	struct store_message m;

	if (store_message(v, s->box->mailbox, view_uid(&s->box->view, numbers_first(&q->seqs)), &m))
		q->first_modseq = m.modseq;
	if (store_message(v, s->box->mailbox, view_uid(&s->box->view, numbers_last(&q->seqs)), &m))
		q->last_modseq = m.modseq;
}

static enum step
ends_step(struct imap_session *s, struct command *c)
{
	struct err e;
	struct store_view *v = session_look(s, s->box->user, &e);

	if (v == NULL)
		return done_unreadable(s, c, &e);
	find_ends(s, c->args, v);
	store_view_close(v);
	c->step = search_tell_step;
	return STEP_MORE;
}

static void
take(struct command *c, uint32_t seq, uint32_t uid)
{
	struct search *q = c->args;
	uint32_t number = c->uid ? uid : seq;

	numbers_add(&q->seqs, seq, seq);
	numbers_add(&q->told, number, number);
}

static enum step
taken(struct command *c)
{
	struct sort *o = c->args;

	o->search.ordered = true;
	c->step = o->search.modseq && o->n > 0 ? ends_step : search_tell_step;
	return STEP_MORE;
}

/* All messages were sorted: that is worth remembering. */
static void
remember(struct imap_session *s, struct sort *o)
{
	struct err e;
	struct store_view *v = o->uids != NULL ? session_look(s, s->box->user, &e) : NULL;

	if (v != NULL)
		sortmem_keep(o, v);
	store_view_close(v);
}

static enum step
take_step(struct imap_session *s, struct command *c)
{
	struct sort *o = c->args;

	for (unsigned n = 0; n < NUMBERS_PER_STEP && o->at < o->n; n++, o->at++) {
		uint32_t seq = o->seq[o->order.p[o->at]];
		uint32_t uid = view_uid(&s->box->view, seq);

		take(c, seq, uid);
		if (o->uids != NULL)
			o->uids[o->at] = uid;
	}
	if (o->at < o->n)
		return STEP_MORE;
	remember(s, o);
	return taken(c);
}

/* The messages that were found, in the known order. A new one among them is not known: then all are sorted. */
static enum step
known_step(struct imap_session *s, struct command *c)
{
	struct sort *o = c->args;
	struct search *q = &o->search;

	for (unsigned n = 0; n < NUMBERS_PER_STEP && o->at < o->nuids; n++, o->at++) {
		uint32_t uid = o->uids[o->at];
		uint32_t seq = view_seq(&s->box->view, uid);

		if (!uidset_has(&q->found, seq))
			continue;
		take(c, seq, uid);
		o->n++;
	}
	if (o->at < o->nuids)
		return STEP_MORE;
	if (o->n == uidset_count(&q->found))
		return taken(c);
	numbers_fini(&q->seqs);
	numbers_fini(&q->told);
	free(o->uids);
	o->uids = NULL;
	o->n = o->at = 0;
	c->step = search_each_step;
	return STEP_MORE;
}

/* Who wants to be told of changes needs the keys of every message (context.h). */
static enum step
recall_step(struct imap_session *s, struct command *c)
{
	struct sort *o = c->args;
	struct err e;
	struct store_view *v;

	c->step = search_each_step;
	if (o->search.context != NULL || o->by_score)
		return STEP_MORE;
	v = session_look(s, s->box->user, &e);
	if (v == NULL)
		return done_unreadable(s, c, &e);
	if (sortmem_recall(o, v))
		c->step = known_step;
	store_view_close(v);
	return STEP_MORE;
}

static enum step
order_one_step(struct imap_session *s, struct command *c)
{
	struct sort *o = c->args;

	(void)s;
	if (sort_step(o, COMPARISONS_PER_STEP))
		c->step = take_step;
	return STEP_MORE;
}

static enum step
begin_order_step(struct imap_session *s, struct command *c)
{
	struct sort *o = c->args;

	if (o->texts.octets.over)
		return done_no(c, "LIMIT", "too much to sort");
	if (o->n == s->box->view.count && !o->by_score) {
		o->nuids = o->n;
		o->uids = mem_array(o->n + 1, sizeof(*o->uids));
	}
	c->step = order_one_step;
	return STEP_MORE;
}

/* Beyond the limit nothing is kept any more; the end of the walk tells. */
static void
keep(struct search *q, const struct mailkeys *k)
{
	struct sort *o = (struct sort *)q;

	if (!o->texts.octets.over)
		sort_add(o, &q->m, k, q->next);
	if (q->context != NULL)
		context_add_sorted(q, k);
}

enum step
cmd_sort_run(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;

	q->then = recall_step;
	q->each = keep;
	q->after_each = begin_order_step;
	if (!context_begin(s, c))
		return done_bad(c, "this tag has a context already");
	q->response = "SORT";
	q->twice = true;
	return search_begin(s, c);
}
