/* search_within.c - the messages that can match at all: those in every set that the whole search demands. Only they are
 * looked at, and only they count for MESSAGELIMIT (RFC 9738 3.1). */
#include "search.h"

#include "progress.h"

enum {
	SETS_MAX = 4, /* sets that are cut with each other: each may be long, and one is usual */
};

/* What a set key means, as sequence numbers. */
static void
key_numbers(const struct search *q, const struct search_key *k, struct uidset *seqs)
{
	if (k->by_uid)
		view_seqs(&q->box->view, k->members, seqs);
	else
		uidset_copy(seqs, k->members);
	if (k->set.saved)
		view_seqs(&q->box->view, q->saved, seqs);
}

void
search_find_within(struct search *q)
{
	struct uidset seqs;
	unsigned n = 0;

	uidset_clear(&q->within);
	if (q->box->view.count > 0)
		uidset_add(&q->within, 1, q->box->view.count);
	uidset_init(&seqs);
	for (const struct search_key *k = q->keys; k != NULL && n < SETS_MAX; k = k->next) {
		if (k->members == NULL)
			continue;
		n++;
		uidset_clear(&seqs);
		key_numbers(q, k, &seqs);
		uidset_keep_set(&q->within, &seqs);
	}
	uidset_fini(&seqs);
}

/* Where the walk is; a second one for SORT and THREAD counts as much again. */
bool
search_progress(const struct imap_session *s, const struct command *c, struct progress *p)
{
	const struct search *q = c->args;
	uint64_t all = q->only != NULL ? uidset_count(q->only) : q->box->view.count;

	(void)s;
	p->goal = q->twice ? 2 * all : all;
	if (q->next == 0)
		p->done = p->goal;
	else
		p->done = (q->again ? all : 0) + (q->only != NULL ? progress_below(q->only, q->next) : q->next - 1);
	return true;
}
