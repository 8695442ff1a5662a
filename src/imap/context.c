/* context.c - the life of contexts (RFC 5267 4.3, 4.3.1, 4.3.5). */
#include "context.h"

#include <stdlib.h>

#include <postern/core/mem.h>

#include "sort.h"

static const char too_many[] = "too many contexts";
static const char too_large[] = "too many results to keep in order";

void
context_free(struct context *x)
{
	if (x == NULL)
		return;
	if (x->run.fini != NULL)
		x->run.fini(&x->run);
	arena_fini(&x->run.arena);
	marks_fini(&x->marks);
	rank_fini(&x->rank);
	uidset_fini(&x->saved);
	uidset_fini(&x->asks);
	uidset_fini(&x->leaving);
	uidset_fini(&x->coming);
	uidset_fini(&x->placing);
	free(x);
}

void
contexts_free(struct selected *box)
{
	while (box->contexts != NULL) {
		struct context *next = box->contexts->next;

		context_free(box->contexts);
		box->contexts = next;
	}
}

static struct context **
find(struct selected *box, struct str tag)
{
	struct context **at = &box->contexts;

	while (*at != NULL && !str_eq(context_tag(*at), tag))
		at = &(*at)->next;
	return at;
}

bool
context_cancel(struct selected *box, struct str tag)
{
	struct context **at = find(box, tag);
	struct context *x = *at;

	if (x == NULL)
		return false;
	*at = x->next;
	context_free(x);
	return true;
}

void
context_write_noupdate(struct imap_session *s, struct str tag, const char *why)
{
	buf_add_cstr(&s->out, "* NO [NOUPDATE ");
	out_quoted(&s->out, tag);
	buf_addf(&s->out, "] %s\r\n", why);
}

void
contexts_end_numbered(struct imap_session *s)
{
	struct context *x = s->box != NULL ? s->box->contexts : NULL;

	while (x != NULL) {
		struct context *next = x->next;

		if (!x->run.uid) {
			context_write_noupdate(s, context_tag(x), "there are no message numbers any more");
			context_cancel(s->box, context_tag(x));
		}
		x = next;
	}
}

/* --- limits --- */

static unsigned
count(const struct selected *box)
{
	unsigned n = 0;

	for (const struct context *x = box->contexts; x != NULL; x = x->next)
		n++;
	return n;
}

/* Of all contexts and of one that is not among them yet. */
static bool
fits_sorted(const struct selected *box, const struct context *more)
{
	size_t bytes = more->rank.bytes;

	for (const struct context *x = box->contexts; x != NULL; x = x->next)
		bytes += x != more ? x->rank.bytes : 0;
	return bytes <= CONTEXT_SORTED_MAX;
}

void
context_add_sorted(struct search *q, const struct mailkeys *k)
{
	struct context *x = q->context;
	struct buf key;

	if (x->refused != NULL)
		return;
	buf_init(&key, SIZE_MAX);
	sort_write_key((const struct sort *)q, &q->m, k, &key);
	rank_add(&x->rank, q->m.uid, buf_str(&key));
	x->failed = !fits_sorted(q->box, x);
	if (x->failed)
		x->refused = too_large;
	buf_fini(&key);
}

/* --- sets that mean what they meant --- */

/* RFC 5267 4.3: numbers are those at the time of the command. False: too many ranges. */
static bool
freeze_keys(struct search *q, struct search_key *k, size_t *left)
{
	struct uidset uids;
	bool ok = true;

	for (; k != NULL && ok; k = k->next) {
		if (k->members != NULL && !k->by_uid) {
			uidset_init(&uids);
			view_uids(&q->box->view, k->members, &uids);
			ok = uids.n <= *left;
			*left -= ok ? uids.n : 0;
			if (ok)
				search_keep_members(q, k, &uids);
			k->by_uid = true;
			uidset_fini(&uids);
		}
		ok = ok && freeze_keys(q, k->child, left);
	}
	return ok;
}

static bool
freeze(struct context *x)
{
	struct search *q = x->search;
	size_t left = CONTEXT_RANGES_MAX;

	if (q->uses_saved && q->saved->n > left)
		return false;
	if (q->uses_saved) {
		left -= q->saved->n;
		uidset_copy(&x->saved, q->saved);
	}
	q->saved = &x->saved;
	return freeze_keys(q, q->keys, &left);
}

/* --- from the command --- */

bool
context_begin(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;

	if (!(q->returns & RETURN_UPDATE))
		return true;
	if (*find(s->box, str_from(c->tag, c->tag_size)) != NULL)
		return false;
	q->context = NEW(struct context);
	q->context->search = q;
	if (count(s->box) == CONTEXTS_MAX)
		q->context->refused = too_many;
	q->context->sorted = q->each != NULL;
	q->context->moves = q->each != NULL && q->near_flags && ((const struct sort *)q)->by_score;
	return true;
}

/* What was needed to find and to answer is not kept. */
static void
take_over(struct context *x, struct command *c)
{
	x->run.uid = c->uid;
	x->run.tag_size = c->tag_size;
	memcpy(x->run.tag, c->tag, c->tag_size);
	x->run.arena = c->arena;
	x->run.args = c->args;
	x->run.fini = c->fini;
	arena_init(&c->arena);
	c->args = NULL;
	c->fini = NULL;
	if (x->sorted)
		sort_forget((struct sort *)x->search);
	search_forget(x->search);
}

static void
keep_results(struct context *x)
{
	struct uidset uids;

	if (x->sorted)
		return;
	uidset_init(&uids);
	view_uids(&x->search->box->view, &x->search->found, &uids);
	marks_add_set(&x->marks, &uids);
	uidset_fini(&uids);
}

void
context_keep(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;
	struct context *x = q->context;
	struct context **tail;

	if (!(q->returns & RETURN_UPDATE))
		return;
	if (x->refused == NULL && (s->box == NULL || q->box != s->box))
		x->refused = "the selected mailbox is not searched";
	if (x->refused == NULL && !freeze(x))
		x->refused = too_large;
	if (x->refused != NULL) {
		context_write_noupdate(s, str_from(c->tag, c->tag_size), x->refused);
		return;
	}
	keep_results(x);
	take_over(x, c);
	for (tail = &s->box->contexts; *tail != NULL;)
		tail = &(*tail)->next;
	*tail = x;
}
