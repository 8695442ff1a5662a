/* gramfind.c - what the search index says of a block of messages. */
#include "view.h"
#include "work.h"

struct finding {
	struct gram_txn *t;
	uint32_t mailbox, block;
	struct row_gram_block b;
};

/* The list of a gram; none when no message has it. */
static bool
find_list(struct finding *f, MDB_cursor *c, uint32_t gram, struct str *list)
{
	struct key from = gram_key_list(f->mailbox, f->block, gram);
	MDB_val key = key_val(&from), value;
	struct gram_chunk chunk;
	struct gram_entry e;

	if (!gram_step(f->t, c, &key, &value, MDB_SET_RANGE) || !gram_key_ok(key, 3) ||
	    gram_key_part(key, 0) != f->mailbox || gram_key_part(key, 1) != f->block)
		return false;
	chunk = gram_chunk_begin(val_str(value));
	while (gram_chunk_next(&chunk, &e))
		if (e.gram >= gram) {
			*list = e.list;
			return e.gram == gram;
		}
	return !chunk.bad ? false : gram_fail(f->t, MDB_CORRUPTED);
}

static void
keep_common(struct gram_bits *b, const struct gram_bits *other)
{
	for (size_t i = 0; i < GRAM_WORDS; i++)
		b->w[i] &= other->w[i];
}

static void
ask_lists(struct finding *f, const struct store_needle *needle, struct gram_bits *b)
{
	MDB_cursor *c = gram_cursor(f->t, G_LIST);
	struct gram_bits has;
	struct str list;

	*b = f->b.listed;
	for (unsigned i = 0; i < needle->n && gram_bits_any(b); i++) {
		has = (struct gram_bits){ { 0 } };
		if (find_list(f, c, needle->grams[i], &list) && !gram_list_read(list, &has))
			gram_fail(f->t, MDB_CORRUPTED);
		keep_common(b, &has);
	}
	cursor_close(c);
}

static bool
holds(struct finding *f, struct str row, uint32_t gram)
{
	struct gram_walk w = gram_walk_begin(row);
	uint32_t found;

	while (gram_walk_next(&w, &found))
		if (found >= gram)
			return found == gram;
	return w.bad && gram_fail(f->t, MDB_CORRUPTED);
}

static bool
holds_all(struct finding *f, struct str row, const struct store_needle *needle)
{
	for (unsigned i = 0; i < needle->n; i++)
		if (!holds(f, row, needle->grams[i]))
			return false;
	return true;
}

static void
ask_sets(struct finding *f, const struct store_needle *needles, size_t n, struct gram_bits *b)
{
	struct str row;

	for (unsigned i = gram_bits_next(&f->b.waiting, 0); i < STORE_GRAM_BLOCK;
	    i = gram_bits_next(&f->b.waiting, i + 1)) {
		if (!gram_get(f->t, G_SET, key_message(f->mailbox, f->block * STORE_GRAM_BLOCK + i), &row)) {
			gram_fail(f->t, MDB_CORRUPTED);
			return;
		}
		for (size_t k = 0; k < n; k++)
			if (holds_all(f, row, &needles[k]))
				gram_bits_add(&b[k], i);
	}
}

/* Those of which nothing is known, and those with too much text. */
static void
add_unknown(const struct finding *f, struct gram_bits *b)
{
	for (size_t i = 0; i < GRAM_WORDS; i++)
		b->w[i] |= ~(f->b.listed.w[i] | f->b.waiting.w[i]);
}

void
gram_find(struct gram_txn *t, uint32_t mailbox, uint32_t block, const struct store_needle *needles, size_t n,
    struct gram_bits *may)
{
	struct finding f = { .t = t, .mailbox = mailbox, .block = block };

	gram_block_read(t, mailbox, block, &f.b);
	for (size_t k = 0; k < n; k++)
		ask_lists(&f, &needles[k], &may[k]);
	ask_sets(&f, needles, n, may);
	for (size_t k = 0; k < n; k++) {
		add_unknown(&f, &may[k]);
		if (needles[k].n == 0)
			memset(&may[k], 0xff, sizeof may[k]);
	}
}

_Static_assert(sizeof(struct gram_bits) == sizeof(struct store_may), "one is the other");

bool
store_grams_find(struct store_view *v, uint32_t mailbox, uint32_t uid, const struct store_needle *needles, size_t n,
    struct store_may *may)
{
	struct gram_env *file = grams_file(v->u);
	const struct mbox *m = file != NULL ? view_mbox(v, mailbox) : NULL;
	struct gram_txn t;
	bool ok;

	if (m == NULL)
		return false;
	ok = gram_txn_begin(&t, file, false) && gram_is_ours(&t, m);
	if (ok)
		gram_find(&t, mailbox, uid / STORE_GRAM_BLOCK, needles, n, (struct gram_bits *)may);
	gram_txn_abort(&t);
	if (t.rc != 0)
		grams_failed(v->u, t.rc);
	return ok && t.rc == 0;
}
