/* search_each.c - the messages that were found, one after another with record and keys, for SORT and THREAD. What the cache has is
 * not looked for in the file. */
#include "search.h"

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

/* False: its keys have to be made from the file first. */
static bool
one(struct search *q, struct store_view *v, struct store_rows_walk *rows)
{
	struct mailkeys k;
	struct str row;

	if (!q->wants_keys || (store_rows_find(rows, q->m.uid, &row) && mailkeys_read(row, &k))) {
		q->each(q, q->wants_keys ? &k : NULL);
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
	struct store_rows_walk rows;
	struct store_scan scan;

	store_scan_open(&scan, v, q->box->mailbox, view_uid(&q->box->view, q->next));
	store_rows_open(&rows, v, q->box->mailbox, STORE_KEYS);
	for (unsigned n = 0; n < MESSAGES_PER_STEP && q->next != 0; n++) {
		if (!store_scan_find(&scan, view_uid(&q->box->view, q->next), &q->m)) {
			drop(q);
		} else if (!one(q, v, &rows)) {
			c->step = parse_step;
			break;
		}
		next(q);
	}
	store_rows_close(&rows);
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

/* As the cache would have them. */
static void
each_parsed(struct search *q)
{
	struct mailkeys k;
	struct buf row;

	buf_init(&row, SIZE_MAX);
	mailkeys_write(&row, q->letter.tree->root->envelope);
	if (mailkeys_read(buf_str(&row), &k))
		q->each(q, &k);
	buf_fini(&row);
}

static enum step
parse_step(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;

	if (letter_parse(&q->letter, s) == STEP_MORE)
		return STEP_MORE;
	if (q->letter.tree != NULL) {
		each_parsed(q);
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
