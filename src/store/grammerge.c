/* grammerge.c - messages that wait are taken over into the lists of their block: a range of grams in each slice, so that
 * no transaction is large. Lists lose what is gone on the same way.
 *
 * The same messages are taken over in all slices, for none comes to wait between them. Only the last slice says that
 * they are listed; before it the lists may say anything of them. */
#include <stdlib.h>

#include <postern/core/mem.h>

#include "gram.h"

enum {
	PAIRS_MAX = 100000, /* a gram of a message, in one slice */
	CHUNKS_MAX = 50,   /* rows that are rewritten in one slice */
	DOC_BITS = 12,
};
_Static_assert(1 << DOC_BITS == STORE_GRAM_BLOCK, "a message of a block is so many bits");

struct chunk {
	uint32_t last;
	struct buf row;
};

struct merge {
	struct gram_run *r;
	uint32_t from, to;     /* grams of this slice */
	uint64_t *pairs;       /* gram, message: of those that wait */
	size_t n, cap, at;
	struct gram_bits keep; /* of those listed */
	struct gram_bits care; /* these and those that come */
	struct chunk *out;
	size_t nout;
	uint32_t next;         /* in the chunk under way */
};

/* --- the grams of those that wait --- */

/* Too much for one slice: the upper half of the range is left for another. */
static void
halve(struct merge *m)
{
	size_t n = 0;

	m->to = m->from + (m->to - m->from) / 2;
	for (size_t i = 0; i < m->n; i++)
		if (m->pairs[i] >> DOC_BITS < m->to)
			m->pairs[n++] = m->pairs[i];
	m->n = n;
}

static void
add_pair(struct merge *m, uint32_t gram, unsigned doc)
{
	if (m->n == m->cap) {
		m->cap = m->cap == 0 ? 8192 : m->cap * 2;
		m->pairs = mem_resize(m->pairs, m->cap * sizeof *m->pairs);
	}
	m->pairs[m->n++] = (uint64_t)gram << DOC_BITS | doc;
	while (m->n > PAIRS_MAX && m->to - m->from > 1)
		halve(m);
}

static void
gather_one(struct merge *m, unsigned doc)
{
	struct gram_run *r = m->r;
	struct gram_walk w;
	struct str row;
	uint32_t gram;

	if (!gram_get(&r->t, G_SET, key_message(r->task->mailbox, r->task->block * STORE_GRAM_BLOCK + doc), &row)) {
		gram_fail(&r->t, MDB_CORRUPTED);
		return;
	}
	w = gram_walk_begin(row);
	while (gram_walk_next(&w, &gram) && gram < m->to)
		if (gram >= m->from)
			add_pair(m, gram, doc);
	if (w.bad)
		gram_fail(&r->t, MDB_CORRUPTED);
}

static void
gather(struct merge *m)
{
	const struct gram_bits *waiting = &m->r->block.waiting;

	for (unsigned i = gram_bits_next(waiting, 0); i < STORE_GRAM_BLOCK && m->r->t.rc == 0;
	    i = gram_bits_next(waiting, i + 1))
		gather_one(m, i);
	gram_sort(m->pairs, m->n, DOC_BITS);
}

/* --- new rows --- */

static void
emit(struct merge *m, const struct gram_entry *e)
{
	struct chunk *c = m->nout > 0 ? &m->out[m->nout - 1] : NULL;
	enum { HEAD_MAX = 8 };

	if (c == NULL || c->row.n + e->list.n + HEAD_MAX > GRAM_CHUNK_MAX) {
		m->out = mem_resize(m->out, (m->nout + 1) * sizeof *m->out);
		c = &m->out[m->nout++];
		buf_init(&c->row, GRAM_CHUNK_MAX);
		m->next = 0;
	}
	gram_chunk_add(&c->row, m->next, e);
	c->last = e->gram;
	m->next = e->gram + 1;
}

static void
emit_bits(struct merge *m, uint32_t gram, const struct gram_bits *b)
{
	struct buf list;

	if (!gram_bits_any(b))
		return;
	buf_init(&list, GRAM_LIST_MAX);
	gram_list_write(&list, b, &m->care);
	emit(m, &(struct gram_entry){ gram, buf_str(&list) });
	buf_fini(&list);
}

static uint32_t
next_gram(const struct merge *m)
{
	return m->at < m->n ? (uint32_t)(m->pairs[m->at] >> DOC_BITS) : GRAM_END;
}

/* Adds those that wait and have the gram. */
static void
add_waiting(struct merge *m, uint32_t gram, struct gram_bits *b)
{
	for (; next_gram(m) == gram; m->at++)
		gram_bits_add(b, m->pairs[m->at] & (STORE_GRAM_BLOCK - 1));
}

/* Grams below this one that no list has had. */
static void
emit_new(struct merge *m, uint32_t below)
{
	while (next_gram(m) < below) {
		struct gram_bits b = { { 0 } };
		uint32_t gram = next_gram(m);

		add_waiting(m, gram, &b);
		emit_bits(m, gram, &b);
	}
}

static void
emit_old(struct merge *m, const struct gram_entry *e)
{
	struct gram_bits b;

	if (!gram_list_read(e->list, &b)) {
		gram_fail(&m->r->t, MDB_CORRUPTED);
		return;
	}
	for (size_t i = 0; i < GRAM_WORDS; i++)
		b.w[i] &= m->keep.w[i];
	add_waiting(m, e->gram, &b);
	emit_bits(m, e->gram, &b);
}

/* A chunk may begin before the range and end behind it. */
static void
take_entry(struct merge *m, const struct gram_entry *e)
{
	emit_new(m, e->gram < m->to ? e->gram : m->to);
	if (e->list.n > GRAM_LIST_MAX)
		gram_fail(&m->r->t, MDB_CORRUPTED);
	else if (e->gram < m->from || e->gram >= m->to)
		emit(m, e);
	else
		emit_old(m, e);
}

static bool
is_of_block(const struct merge *m, MDB_val key)
{
	return gram_key_ok(key, 3) && gram_key_part(key, 0) == m->r->task->mailbox &&
	    gram_key_part(key, 1) == m->r->task->block;
}

static bool
begins_behind(const struct merge *m, struct str row)
{
	struct gram_chunk c = gram_chunk_begin(row);
	struct gram_entry e;

	return gram_chunk_next(&c, &e) && e.gram >= m->to;
}

/* Takes the rows of the range out of the table. */
static void
rewrite(struct merge *m)
{
	struct gram_txn *t = &m->r->t;
	struct key from = gram_key_list(m->r->task->mailbox, m->r->task->block, m->from);
	MDB_val key = key_val(&from), value;
	MDB_cursor *c = gram_cursor(t, G_LIST);
	unsigned n = 0;

	for (bool more = gram_step(t, c, &key, &value, MDB_SET_RANGE);
	    more && is_of_block(m, key) && !begins_behind(m, val_str(value));
	    more = gram_step(t, c, &key, &value, MDB_NEXT)) {
		struct gram_chunk chunk = gram_chunk_begin(val_str(value));
		uint32_t last = gram_key_part(key, 2);
		struct gram_entry e;
		int rc;

		if (++n == CHUNKS_MAX && last + 1 < m->to)
			m->to = last + 1;
		while (gram_chunk_next(&chunk, &e))
			take_entry(m, &e);
		if (chunk.bad)
			gram_fail(t, MDB_CORRUPTED);
		rc = mdb_cursor_del(c, 0);
		if (rc != 0)
			gram_fail(t, rc);
	}
	cursor_close(c);
	emit_new(m, m->to);
}

static void
put_rows(struct merge *m)
{
	for (size_t i = 0; i < m->nout; i++) {
		struct chunk *c = &m->out[i];

		gram_put(&m->r->t, G_LIST, gram_key_list(m->r->task->mailbox, m->r->task->block, c->last),
		    buf_str(&c->row));
		buf_fini(&c->row);
	}
	free(m->out);
	free(m->pairs);
}

/* --- the block --- */

static void
end(struct merge *m)
{
	struct gram_run *r = m->r;
	struct gram_bits *waiting = &r->block.waiting;

	for (unsigned i = gram_bits_next(waiting, 0); i < STORE_GRAM_BLOCK; i = gram_bits_next(waiting, i + 1))
		gram_del(&r->t, G_SET, key_message(r->task->mailbox, r->task->block * STORE_GRAM_BLOCK + i));
	r->block.listed = m->care;
	*waiting = (struct gram_bits){ { 0 } };
	r->changed = true;
}

bool
gram_merge_slice(struct gram_run *r)
{
	struct merge m = { .r = r, .from = r->task->gram, .to = GRAM_END };

	for (size_t i = 0; i < GRAM_WORDS; i++) {
		m.keep.w[i] = r->block.listed.w[i] & r->live.w[i];
		m.care.w[i] = m.keep.w[i] | r->block.waiting.w[i];
	}
	gather(&m);
	rewrite(&m);
	put_rows(&m);
	r->task->gram = m.to;
	if (m.to < GRAM_END)
		return false;
	end(&m);
	return true;
}
