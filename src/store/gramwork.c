/* gramwork.c - one slice of work at the search index of a user: a mailbox, block after block, until time is up.
 *
 * Everything is found by comparing with the index: messages that came are taken in, what is gone is forgotten. So
 * nothing has to be remembered over a crash. */
#include <errno.h>
#include <stdlib.h>

#include <postern/core/mem.h>

#include "work.h"

enum {
	SLICE_MS = 10,
	GONE_PART = 4,     /* lists of which so many-th part is gone are written anew */
	PURGE_ROWS = 2000, /* in one slice */
};

bool
gram_run_late(const struct gram_run *r)
{
	return !mono_before(mono_now(), r->until);
}

/* Removes rows whose keys begin with the mailbox (and the block). True when none is left. */
static bool
purge(struct gram_run *r, enum gram_table table, struct key from, unsigned *budget)
{
	MDB_val key = key_val(&from), value;
	MDB_cursor *c = gram_cursor(&r->t, table);
	bool more = gram_step(&r->t, c, &key, &value, MDB_SET_RANGE);

	while (more && *budget > 0 && key.mv_size >= from.n && memcmp(key.mv_data, from.b, from.n) == 0) {
		int rc = mdb_cursor_del(c, 0);

		if (rc != 0)
			gram_fail(&r->t, rc);
		--*budget;
		more = gram_step(&r->t, c, &key, &value, MDB_NEXT);
	}
	cursor_close(c);
	return *budget > 0;
}

static bool
purge_mailbox(struct gram_run *r)
{
	static const enum gram_table tables[] = { G_LIST, G_SET, G_BLOCK, G_BOX };
	unsigned budget = PURGE_ROWS;

	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		if (!purge(r, tables[i], key_mailbox(r->task->mailbox), &budget))
			return false;
	return true;
}

/* --- blocks --- */

static bool
next_with_messages(struct gram_run *r, uint32_t from, uint32_t *block)
{
	struct key first = key_message(r->task->mailbox, from * STORE_GRAM_BLOCK);
	MDB_val key = key_val(&first), value;
	MDB_cursor *c = snap_cursor(r->main, T_MESSAGE);
	uint32_t uid;
	bool found = snap_step(r->main, c, &key, &value, MDB_SET_RANGE) && key_uid(key, r->task->mailbox, &uid);

	cursor_close(c);
	if (found)
		*block = uid / STORE_GRAM_BLOCK;
	return found;
}

static bool
next_with_rows(struct gram_run *r, uint32_t from, uint32_t *block)
{
	struct key first = key_message(r->task->mailbox, from);
	MDB_val key = key_val(&first), value;
	MDB_cursor *c = gram_cursor(&r->t, G_BLOCK);
	bool found = gram_step(&r->t, c, &key, &value, MDB_SET_RANGE) && gram_key_ok(key, 2) &&
	    gram_key_part(key, 0) == r->task->mailbox;

	if (found)
		*block = gram_key_part(key, 1);
	cursor_close(c);
	return found;
}

/* The first block from here on that has messages or rows. */
static bool
next_block(struct gram_run *r)
{
	uint32_t last = UINT32_MAX / STORE_GRAM_BLOCK, a = UINT32_MAX, b = UINT32_MAX, found;

	if (r->task->block > last)
		return false;
	next_with_messages(r, r->task->block, &a);
	next_with_rows(r, r->task->block, &b);
	found = a < b ? a : b;
	if (found == UINT32_MAX)
		return false;
	if (found != r->task->block)
		r->task->tried = r->task->gram = 0;
	r->task->block = found;
	return true;
}

static void
find_live(struct gram_run *r)
{
	struct key first = key_message(r->task->mailbox, r->task->block * STORE_GRAM_BLOCK);
	MDB_val key = key_val(&first), value;
	MDB_cursor *c = snap_cursor(r->main, T_MESSAGE);
	uint32_t uid;

	r->live = (struct gram_bits){ { 0 } };
	for (bool more = snap_step(r->main, c, &key, &value, MDB_SET_RANGE);
	    more && key_uid(key, r->task->mailbox, &uid) && uid / STORE_GRAM_BLOCK == r->task->block;
	    more = snap_step(r->main, c, &key, &value, MDB_NEXT))
		gram_bits_add(&r->live, uid % STORE_GRAM_BLOCK);
	cursor_close(c);
}

/* Sets of messages that are gone go. */
static void
forget_gone(struct gram_run *r)
{
	struct gram_bits *waiting = &r->block.waiting;

	for (unsigned i = gram_bits_next(waiting, 0); i < STORE_GRAM_BLOCK; i = gram_bits_next(waiting, i + 1))
		if (!gram_bits_has(&r->live, i))
			gram_del(&r->t, G_SET, key_message(r->task->mailbox, r->task->block * STORE_GRAM_BLOCK + i));
	for (size_t i = 0; i < GRAM_WORDS; i++) {
		r->changed |= ((waiting->w[i] | r->block.full.w[i]) & ~r->live.w[i]) != 0;
		waiting->w[i] &= r->live.w[i];
		r->block.full.w[i] &= r->live.w[i];
	}
}

static bool
drop_block(struct gram_run *r)
{
	struct key block = key_message(r->task->mailbox, r->task->block);
	unsigned budget = PURGE_ROWS;

	forget_gone(r);
	if (!purge(r, G_LIST, block, &budget))
		return false;
	gram_del(&r->t, G_BLOCK, block);
	r->changed = false;
	return true;
}

static bool
wants_merge(const struct gram_run *r)
{
	unsigned waiting = gram_bits_count(&r->block.waiting), listed = gram_bits_count(&r->block.listed), gone = 0;
	bool last = r->task->block >= (r->m->row.uidnext - 1) / STORE_GRAM_BLOCK;

	for (size_t i = 0; i < GRAM_WORDS; i++)
		gone += (unsigned)__builtin_popcountll(r->block.listed.w[i] & ~r->live.w[i]);
	return waiting >= r->w->store->config.search_wait || (waiting > 0 && !last) || (gone > 0 && gone >= listed / GONE_PART);
}

static void
write_block(struct gram_run *r)
{
	if (r->changed)
		gram_put(&r->t, G_BLOCK, key_message(r->task->mailbox, r->task->block),
		    str_from(&r->block, sizeof r->block));
	r->changed = false;
}

/* True when nothing is left to do for the block. */
static bool
do_block(struct gram_run *r)
{
	find_live(r);
	gram_block_read(&r->t, r->task->mailbox, r->task->block, &r->block);
	if (!gram_bits_any(&r->live))
		return drop_block(r);
	forget_gone(r);
	if (r->task->gram == 0 && !gram_take_missing(r))
		return false;
	if (wants_merge(r) && !gram_merge_slice(r))
		return false;
	r->task->gram = 0;
	return !gram_misses_any(r);
}

static void
do_blocks(struct gram_run *r)
{
	while (r->t.rc == 0 && !gram_run_late(r)) {
		bool done;

		if (!next_block(r)) {
			r->task->done = true;
			return;
		}
		done = do_block(r);
		write_block(r);
		if (!done)
			return;
		r->task->block++;
		r->task->tried = r->task->gram = 0;
	}
}

/* --- the slice --- */

static void
do_slice(struct gram_run *r, struct mbox *m)
{
	struct row_gram_box box;
	bool there = mbox_read(r->main, r->task->mailbox, m);

	r->m = m;
	if (there && gram_is_ours(&r->t, m)) {
		do_blocks(r);
		return;
	}
	if (!purge_mailbox(r) || r->t.rc != 0)
		return;
	r->task->block = r->task->tried = r->task->gram = 0;
	r->task->done = r->task->absent = !there || r->task->refresh;
	box = gram_box_of(m);
	if (!r->task->done)
		gram_put(&r->t, G_BOX, key_mailbox(m->number), str_from(&box, sizeof box));
}

static bool
has_file(struct work *w)
{
	struct gram_work *g = w->gram;
	char path[PATH_MAX];

	if (w->u->grams.file.env != NULL)
		return true;
	if (!gram_path(w->u, path))
		return false;
	g->rc = gram_file_open(&g->made, path, w->store->config.search_max, !g->task.refresh);
	if (g->rc == ENOENT && g->task.refresh) {
		g->rc = 0;
		g->task.done = g->task.absent = true;
	}
	return g->made.env != NULL;
}

static void
run(struct work *w, struct snap *main)
{
	struct gram_work *g = w->gram;
	struct mbox *m = NEW(struct mbox);
	struct gram_run *r = NEW(struct gram_run);

	r->w = w;
	r->main = main;
	r->task = &g->task;
	r->until = mono_add_ms(mono_now(), SLICE_MS);
	if (gram_txn_begin(&r->t, g->made.env != NULL ? &g->made : &w->u->grams.file, true)) {
		do_slice(r, m);
		if (main->rc == 0)
			gram_txn_commit(&r->t);
		gram_txn_abort(&r->t);
	}
	g->rc = r->t.rc;
	free(r);
	free(m);
}

void
gram_work_run(struct work *w)
{
	struct snap main;

	if (!blob_has_room(w->store, w->u->fd, 0)) {
		w->gram->rc = ENOSPC;
		return;
	}
	if (!has_file(w) || !work_snap(w, &main))
		return;
	run(w, &main);
	work_snap_end(w, &main);
}
