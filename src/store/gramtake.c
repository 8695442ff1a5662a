/* gramtake.c - messages that the search index lacks: each is read, and waits with its grams. */
#include <stdio.h>
#include <unistd.h>

#include "path.h"
#include "work.h"

enum {
	SET_ROW_MAX = STORE_GRAMS_OF_MESSAGE * 4 + 16,
	ENOUGH = 2, /* times search_wait: so many wait before the rest of a block comes */
};

static bool
is_known(const struct row_gram_block *b, unsigned i)
{
	return gram_bits_has(&b->listed, i) || gram_bits_has(&b->waiting, i) || gram_bits_has(&b->full, i);
}

static struct str
cache_row(struct snap *s, uint32_t mailbox, uint32_t uid)
{
	struct key k = key_message(mailbox, uid);
	MDB_val v;

	return snap_get(s, T_CACHE, key_val(&k), &v) ? val_str(v) : STR("");
}

bool
gram_collect(struct gram_run *r, const struct mdir *d, uint32_t uid, struct gram_set *set)
{
	const struct store_config *c = &r->w->store->config;
	struct row_message row;
	char name[FNAME_SIZE];
	uint64_t size;
	bool ok;
	int fd;

	if (!message_read(r->main, r->m->number, uid, &row) || !file_read(r->main, r->m->number, uid, name))
		return false;
	fd = mdir_open_message(d, name, &size);
	if (fd == -1)
		return false;
	if (c->note != NULL)
		c->note(c->ctx, r->w->u->address, r->m->name, name);
	ok = c->make_grams(c->ctx, fd, size, row.lf != 0, cache_row(r->main, r->m->number, uid), set);
	io_close(&fd);
	return ok;
}

static void
keep(struct gram_run *r, uint32_t uid, struct gram_set *set)
{
	struct buf row;

	r->changed = true;
	if (set->full) {
		gram_bits_add(&r->block.full, uid % STORE_GRAM_BLOCK);
		return;
	}
	buf_init(&row, SET_ROW_MAX);
	gram_set_write(set, &row);
	gram_put(&r->t, G_SET, key_message(r->m->number, uid), buf_str(&row));
	gram_bits_add(&r->block.waiting, uid % STORE_GRAM_BLOCK);
	buf_fini(&row);
}

static unsigned
room(const struct gram_run *r)
{
	unsigned waiting = gram_bits_count(&r->block.waiting), enough = ENOUGH * r->w->store->config.search_wait;

	return waiting < enough ? enough - waiting : 0;
}

static bool
take_some(struct gram_run *r, const struct mdir *d)
{
	unsigned i = gram_bits_next(&r->live, r->task->tried), left = room(r);
	struct gram_set set;
	bool late = false;

	gram_set_init(&set);
	while (i < STORE_GRAM_BLOCK && left > 0 && !late && r->t.rc == 0) {
		uint32_t uid = r->task->block * STORE_GRAM_BLOCK + i;

		gram_set_clear(&set);
		if (!is_known(&r->block, i) && gram_collect(r, d, uid, &set)) {
			keep(r, uid, &set);
			left--;
		}
		i = gram_bits_next(&r->live, i + 1);
		late = gram_run_late(r); /* one at least is done in each slice */
	}
	gram_set_fini(&set);
	r->task->tried = i;
	return i == STORE_GRAM_BLOCK || left == 0;
}

bool
gram_misses_any(const struct gram_run *r)
{
	const struct row_gram_block *b = &r->block;
	uint64_t missing = 0;

	for (size_t i = 0; i < GRAM_WORDS; i++)
		missing |= r->live.w[i] & ~(b->listed.w[i] | b->waiting.w[i] | b->full.w[i]);
	return missing != 0 && r->task->tried < STORE_GRAM_BLOCK;
}

/* What cannot be read stays out, and may hold anything. */
bool
gram_take_missing(struct gram_run *r)
{
	struct mdir d;
	bool all;

	if (!gram_misses_any(r))
		return true;
	if (!mdir_open(r->w->u, r->m->dir, &d)) {
		r->task->tried = STORE_GRAM_BLOCK;
		return true;
	}
	all = take_some(r, &d);
	mdir_close(&d);
	return all;
}
