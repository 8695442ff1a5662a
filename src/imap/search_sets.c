/* search_sets.c - what sets of sequence numbers and UIDs among the keys of SEARCH mean in the mailbox that is searched. */
#include "search.h"

void
search_keep_members(struct search *q, struct search_key *k, const struct uidset *set)
{
	k->members = ARENA_NEW(&q->sets, struct uidset);
	k->members->n = set->n;
	k->members->p = arena_array(&q->sets, set->n + 1, sizeof(*set->p));
	if (set->n > 0)
		memcpy(k->members->p, set->p, set->n * sizeof(*set->p));
}

/* "n:*" holds the last message and what comes behind it. */
static void
add_named(const struct view *view, const struct seq_set *set, struct uidset *out)
{
	uint32_t last = view_last_uid(view);

	view_named_uids(set, NULL, out);
	for (size_t i = 0; i < set->n && last != 0; i++)
		if (set->r[i].lo == 0 || set->r[i].hi == 0)
			uidset_add(out, last, last);
}

/* "$" is looked at as it is: it may be large, and keys are many. */
static void
apply_set(struct search *q, struct search_key *k)
{
	struct seq_set set = { .r = k->set.r, .n = k->set.n };
	struct uidset members;

	uidset_init(&members);
	k->by_uid = k->row != search_set_row();
	if (k->by_uid)
		add_named(&q->box->view, &set, &members);
	else
		view_apply(&q->box->view, &set, SEQ_NUMBERS_THERE, NULL, &members);
	search_keep_members(q, k, &members);
	q->uses_saved |= k->set.saved;
	uidset_fini(&members);
}

void
search_apply_sets(struct search *q, struct search_key *k)
{
	for (; k != NULL; k = k->next) {
		if (k->set.r != NULL)
			apply_set(q, k);
		search_apply_sets(q, k->child);
	}
}
