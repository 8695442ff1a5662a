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

struct walk {
	struct store_view *view;
	struct store_scan records;
	struct store_rows_walk keys;
	bool all_there;
};

/* When nothing has changed since the view was last compared, each of its messages is there. */
static bool
all_there(const struct search *q, struct store_view *v)
{
	struct store_mailbox header;

	return store_mailbox(v, q->box->mailbox, &header) && header.highestmodseq == q->box->modseq
	    && uidset_empty(&q->box->gone);
}

static void
walk_open(struct walk *w, const struct search *q, struct store_view *v)
{
	w->view = v;
	w->all_there = q->keys_only && all_there(q, v);
	store_scan_open(&w->records, v, q->box->mailbox, view_uid(&q->box->view, q->next));
	store_rows_open(&w->keys, v, q->box->mailbox, STORE_KEYS);
}

static void
walk_close(struct walk *w)
{
	store_rows_close(&w->keys);
	store_scan_close(&w->records);
}

static bool
find_keys(struct walk *w, uint32_t uid, struct mailkeys *k)
{
	struct str row;

	return store_rows_find(&w->keys, uid, &row) && mailkeys_read(row, k);
}

/* Without the record, where that does. */
static bool
one_by_keys(struct search *q, struct walk *w, uint32_t uid)
{
	struct mailkeys k;

	if (!w->all_there || !find_keys(w, uid, &k) || !(k.flags & MAILKEYS_DATED))
		return false;
	q->m.uid = uid;
	q->each(q, &k);
	return true;
}

/* False: its keys have to be made from the file first. */
static bool
one(struct search *q, struct walk *w)
{
	struct mailkeys k;

	if (!q->wants_keys || find_keys(w, q->m.uid, &k)) {
		q->each(q, q->wants_keys ? &k : NULL);
		return true;
	}
	letter_begin(&q->letter, q->box->user, q->box->mailbox, &q->m);
	if (letter_open(&q->letter, q->s, w->view))
		return false;
	q->failed = true;
	drop(q);
	return true;
}

static void
walk(struct search *q, struct command *c, struct store_view *v)
{
	struct walk w;

	walk_open(&w, q, v);
	for (unsigned n = 0; n < MESSAGES_PER_STEP && q->next != 0; n++) {
		uint32_t uid = view_uid(&q->box->view, q->next);

		if (one_by_keys(q, &w, uid)) {
			next(q);
			continue;
		}
		if (!store_scan_find(&w.records, uid, &q->m)) {
			drop(q);
		} else if (!one(q, &w)) {
			c->step = parse_step;
			break;
		}
		next(q);
	}
	walk_close(&w);
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
	v = session_look(s, q->box->user, &e);
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
	q->again = true;
	c->step = each_step;
	return STEP_MORE;
}
