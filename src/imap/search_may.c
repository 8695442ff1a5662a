/* search_may.c - SEARCH asks the search index (store/grams.h) before it looks: a block of messages at a time, all
 * needles together. What the index does not rule out is looked into, so the answer is the same with and without it.
 *
 * Of a key behind FUZZY each word is cut into pieces (fuzzy.h): a message may match when it may hold a piece of each word. */
#include "search.h"

struct search_may_word {
	struct store_may *key;  /* what is known of its key */
	unsigned first;         /* its pieces among the needles */
	unsigned n;
};

static bool
is_cut(const struct search_key *k)
{
	return k->fuzzy != NULL && k->fuzzy->n > 0;
}

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
		n += has_needle(k) + (is_cut(k) ? k->fuzzy->n * FUZZY_PIECES_MAX : 0) + count(k->child);
	return n;
}

static void
add_word(struct search_may *may, struct search_key *k, const struct fuzzy_word *word, struct arena *a)
{
	struct str piece[FUZZY_PIECES_MAX];
	unsigned n = fuzzy_pieces(word, STORE_GRAM_SIZE, a, piece);

	if (n == 0)
		return;
	if (k->may == NULL)
		k->may = ARENA_NEW(a, struct store_may);
	may->word[may->nwords++] = (struct search_may_word){ k->may, may->n, n };
	for (unsigned i = 0; i < n; i++)
		store_needle_init(&may->needles[may->n++], piece[i]);
}

static void
gather(struct search_may *may, struct search_key *k, struct arena *a)
{
	for (; k != NULL; k = k->next) {
		k->may = NULL;
		if (is_cut(k)) {
			for (unsigned i = 0; i < k->fuzzy->n; i++)
				add_word(may, k, &k->fuzzy->word[i], a);
		} else if (has_needle(k)) {
			store_needle_init(&may->needles[may->n], k->needle);
			k->may = &may->may[may->n++];
		}
		gather(may, k->child, a);
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
	may->word = arena_array(a, n, sizeof(*may->word));
	gather(may, q->keys, a);
}

/* One of the pieces, of every word. */
static void
join_words(struct search_may *may)
{
	enum { WORDS = sizeof(may->may->bits) / sizeof(*may->may->bits) };

	for (unsigned i = 0; i < may->nwords; i++)
		memset(may->word[i].key, 0xff, sizeof(*may->word[i].key));
	for (unsigned i = 0; i < may->nwords; i++)
		for (unsigned at = 0; at < WORDS; at++) {
			const struct search_may_word *w = &may->word[i];
			uint64_t any = 0;

			for (unsigned piece = 0; piece < w->n; piece++)
				any |= may->may[w->first + piece].bits[at];
			w->key->bits[at] &= any;
		}
}

/* Some key that has to match cannot. */
static bool
is_ruled_out(const struct search_key *k, uint32_t uid)
{
	for (; k != NULL; k = k->next)
		if ((k->may != NULL && !store_may_hold(k->may, uid)) || (search_demands_all(k) && is_ruled_out(k->child, uid)))
			return true;
	return false;
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
		if (may->on)
			join_words(may);
	}
	return !may->on || !is_ruled_out(q->keys, uid);
}

/* Who looks for words once does it again: from now on the mailbox is indexed. */
void
search_may_end(struct search *q)
{
	if (q->may.n > 0 && q->deepest > LEVEL_ENVELOPE)
		store_grams_follow(q->box->user, q->box->mailbox);
}
