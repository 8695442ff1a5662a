/* search_each.c - the messages that were found, one after another with record and envelope, for SORT and THREAD. What the
 * cache has is not looked for in the file. */
#include "search.h"

#include <postern/message/imapdata.h>

#include "cacherow.h"

enum {
	MESSAGES_PER_STEP = 1000,
};

static enum step parse_step(struct imap_session *s, struct command *c);

static void
next(struct search *q)
{
	q->next = q->next < UINT32_MAX ? uidset_next(&q->found, q->next + 1) : 0;
}

/* A message that is gone meanwhile is no result any more. */
static void
drop(struct search *q)
{
	uidset_remove(&q->found, q->next, q->next);
}

static const struct mime_envelope *
cached_envelope(struct search *q, struct store_view *v)
{
	struct str row, preview, data;

	arena_reset(&q->folds);
	if (!store_cache(v, q->box->mailbox, q->m.uid, &row) || !cacherow_read(row, &preview, &data))
		return NULL;
	return imapdata_read_envelope(&q->folds, data);
}

/* False: its envelope has to be made from the file first. */
static bool
one(struct search *q, struct store_view *v)
{
	const struct mime_envelope *e = q->envelopes ? cached_envelope(q, v) : NULL;

	if (!q->envelopes || e != NULL) {
		q->each(q, e);
		return true;
	}
	letter_begin(&q->letter, q->box->mailbox, &q->m);
	if (letter_open(&q->letter, q->s, v))
		return false;
	q->failed = true;
	drop(q);
	return true;
}

static void
walk(struct search *q, struct command *c, struct store_view *v)
{
	struct store_scan scan;

	store_scan_open(&scan, v, q->box->mailbox, view_uid(&q->box->view, q->next));
	for (unsigned n = 0; n < MESSAGES_PER_STEP && q->next != 0; n++) {
		if (!store_scan_find(&scan, view_uid(&q->box->view, q->next), &q->m)) {
			drop(q);
		} else if (!one(q, v)) {
			c->step = parse_step;
			break;
		}
		next(q);
	}
	store_scan_close(&scan);
}

static enum step
each_step(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;
	struct err e;
	struct store_view *v;

	if (q->next == 0) {
		c->step = q->after_each;
		return STEP_MORE;
	}
	v = store_view_open(s->setup.user, &e);
	if (v == NULL)
		return done_unreadable(s, c, &e);
	walk(q, c, v);
	store_view_close(v);
	return STEP_MORE;
}

static enum step
parse_step(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;

	if (letter_parse(&q->letter, s) == STEP_MORE)
		return STEP_MORE;
	if (q->letter.tree != NULL) {
		q->each(q, q->letter.tree->root->envelope);
	} else {
		q->failed = true;
		drop(q);
	}
	letter_close(&q->letter);
	next(q);
	c->step = each_step;
	return STEP_MORE;
}

enum step
search_each_step(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;

	(void)s;
	q->next = uidset_first(&q->found);
	c->step = each_step;
	return STEP_MORE;
}

int64_t
search_sent_date(const struct store_message *m, const struct mime_envelope *e)
{
	struct date d;

	return e->date.p != NULL && date_parse_mail(e->date, &d) ? d.seconds : m->internal_date;
}
