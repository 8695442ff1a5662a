/* search_may.c - SEARCH asks the search index (store/grams.h) before it looks: a block of messages at a time, all
 * needles together. What the index does not rule out is looked into, so the answer is the same with and without it. */
#include "search.h"

static bool
has_needle(const struct search_key *k)
{
	return k->row->level >= LEVEL_KEYS && k->needle.n >= STORE_GRAM_SIZE;
}

static unsigned
count(const struct search_key *k)
{
	unsigned n = 0;

	for (; k != NULL; k = k->next)
		n += has_needle(k) + count(k->child);
	return n;
}

static void
gather(struct search_may *may, struct search_key *k)
{
	for (; k != NULL; k = k->next) {
		if (has_needle(k)) {
			store_needle_init(&may->needles[may->n], k->needle);
			k->may = &may->may[may->n++];
		}
		gather(may, k->child);
	}
}

void
search_may_begin(struct search *q, struct arena *a)
{
	struct search_may *may = &q->may;
	unsigned n = store_grams_on(q->box->user) ? count(q->keys) : 0;

	may->block = UINT32_MAX;
	if (n == 0)
		return;
	may->needles = arena_array(a, n, sizeof(*may->needles));
	may->may = arena_array(a, n, sizeof(*may->may));
	gather(may, q->keys);
}

bool
search_may_match(struct search *q, struct store_view *v, uint32_t uid)
{
	struct search_may *may = &q->may;

	if (may->n == 0)
		return true;
	if (uid / STORE_GRAM_BLOCK != may->block) {
		may->block = uid / STORE_GRAM_BLOCK;
		may->on = store_grams_find(v, q->box->mailbox, uid, may->needles, may->n, may->may);
	}
	for (const struct search_key *k = q->keys; k != NULL && may->on; k = k->next)
		if (k->may != NULL && !store_may_hold(k->may, uid))
			return false;
	return true;
}

/* Who looks for words once does it again: from now on the mailbox is indexed. */
void
search_may_end(struct search *q)
{
	if (q->may.n > 0 && q->deepest > LEVEL_ENVELOPE)
		store_grams_follow(q->box->user, q->box->mailbox);
}
