/* gramcheck.c - the search index against itself, and against some messages: what it says of them is what they hold. For
 * `store check`; a search index that fails is dropped, and made anew when somebody searches. */
#include <errno.h>
#include <stdlib.h>

#include <postern/core/mem.h>

#include "work.h"

enum { SAMPLES = 20 }; /* messages of a mailbox that are read again */

struct inspection {
	struct gram_run r;
	struct gram_task task;
	struct mbox m;
	const char *found; /* the first thing that is wrong */
};

static void
wrong(struct inspection *i, const char *what)
{
	if (i->found == NULL)
		i->found = what;
}

/* --- rows --- */

static void
check_chunk(struct inspection *i, uint32_t last, struct str row)
{
	struct gram_chunk c = gram_chunk_begin(row);
	struct gram_entry e = { 0 };
	struct gram_bits b;

	while (gram_chunk_next(&c, &e))
		if (!gram_list_read(e.list, &b))
			wrong(i, "a list is damaged");
	if (c.bad || e.gram != last)
		wrong(i, "a row of lists is damaged");
}

static void
check_lists(struct inspection *i)
{
	struct key from = key_message(i->m.number, i->task.block);
	MDB_val key = key_val(&from), value;
	MDB_cursor *c = gram_cursor(&i->r.t, G_LIST);
	uint32_t before = 0;

	for (bool more = gram_step(&i->r.t, c, &key, &value, MDB_SET_RANGE);
	    more && gram_key_ok(key, 3) && gram_key_part(key, 0) == i->m.number && gram_key_part(key, 1) == i->task.block;
	    more = gram_step(&i->r.t, c, &key, &value, MDB_NEXT)) {
		struct gram_chunk chunk = gram_chunk_begin(val_str(value));
		struct gram_entry e;

		if (gram_chunk_next(&chunk, &e) && e.gram < before)
			wrong(i, "rows of lists overlap");
		before = gram_key_part(key, 2) + 1;
		check_chunk(i, before - 1, val_str(value));
	}
	cursor_close(c);
}

static void
check_sets(struct inspection *i)
{
	const struct gram_bits *waiting = &i->r.block.waiting;

	for (unsigned n = gram_bits_next(waiting, 0); n < STORE_GRAM_BLOCK; n = gram_bits_next(waiting, n + 1)) {
		struct str row;
		struct gram_walk w;
		uint32_t gram;

		if (!gram_get(&i->r.t, G_SET, key_message(i->m.number, i->task.block * STORE_GRAM_BLOCK + n), &row)) {
			wrong(i, "a message that waits has no row");
			continue;
		}
		w = gram_walk_begin(row);
		while (gram_walk_next(&w, &gram))
			;
		if (w.bad)
			wrong(i, "the row of a message is damaged");
	}
}

/* --- messages --- */

/* Every gram of the message, asked as SEARCH does. */
static void
check_message(struct inspection *i, const struct gram_set *set, uint32_t uid)
{
	struct store_needle needle = { .n = 0 };
	struct gram_bits may;

	for (size_t at = 0; at < set->n; at++) {
		needle.grams[needle.n++] = set->p[at];
		if (needle.n < STORE_GRAMS_OF_NEEDLE && at + 1 < set->n)
			continue;
		gram_find(&i->r.t, i->m.number, uid / STORE_GRAM_BLOCK, &needle, 1, &may);
		if (!gram_bits_has(&may, uid % STORE_GRAM_BLOCK))
			wrong(i, "a text that a message holds is ruled out");
		needle.n = 0;
	}
}

static void
check_messages(struct inspection *i)
{
	uint32_t step = i->m.row.uidnext / SAMPLES + 1;
	struct gram_set set;
	struct mdir d;

	if (!mdir_open(i->r.w->u, i->m.dir, &d))
		return;
	gram_set_init(&set);
	for (uint64_t uid = 1; uid < i->m.row.uidnext; uid += step) {
		gram_set_clear(&set);
		if (gram_collect(&i->r, &d, (uint32_t)uid, &set) && !set.full)
			check_message(i, &set, (uint32_t)uid);
	}
	gram_set_fini(&set);
	mdir_close(&d);
}

/* --- all of it --- */

static void
check_blocks(struct inspection *i)
{
	struct key from = key_mailbox(i->m.number);
	MDB_val key = key_val(&from), value;
	MDB_cursor *c = gram_cursor(&i->r.t, G_BLOCK);

	for (bool more = gram_step(&i->r.t, c, &key, &value, MDB_SET_RANGE);
	    more && gram_key_ok(key, 2) && gram_key_part(key, 0) == i->m.number;
	    more = gram_step(&i->r.t, c, &key, &value, MDB_NEXT)) {
		i->task.block = gram_key_part(key, 1);
		gram_block_read(&i->r.t, i->m.number, i->task.block, &i->r.block);
		check_lists(i);
		check_sets(i);
	}
	cursor_close(c);
}

static void
check_boxes(struct inspection *i)
{
	MDB_val key, value;
	MDB_cursor *c = gram_cursor(&i->r.t, G_BOX);

	for (bool more = gram_step(&i->r.t, c, &key, &value, MDB_FIRST); more;
	    more = gram_step(&i->r.t, c, &key, &value, MDB_NEXT)) {
		if (!gram_key_ok(key, 1) || !mbox_read(i->r.main, gram_key_part(key, 0), &i->m) || !gram_is_ours(&i->r.t, &i->m))
			continue; /* rows of a mailbox that is no more go with the next work */
		check_blocks(i);
		check_messages(i);
	}
	cursor_close(c);
}

static const char *
inspect(struct work *w, struct snap *main, const struct gram_env *file)
{
	struct inspection *i = NEW(struct inspection);
	const char *found;

	i->r.w = w;
	i->r.main = main;
	i->r.task = &i->task;
	i->r.m = &i->m;
	if (gram_txn_begin(&i->r.t, file, false))
		check_boxes(i);
	gram_txn_abort(&i->r.t);
	found = i->r.t.rc != 0 ? mdb_strerror(i->r.t.rc) : i->found;
	free(i);
	return found;
}

const char *
gram_check(struct work *w, struct snap *main)
{
	struct gram_env opened = { .env = NULL };
	const char *found = NULL;
	char path[PATH_MAX];
	int rc = 0;

	if (w->store->config.make_grams == NULL || !gram_path(w->u, path))
		return NULL;
	if (w->u->grams.file.env != NULL)
		return inspect(w, main, &w->u->grams.file);
	rc = gram_file_open(&opened, path, w->store->config.search_max, false);
	if (rc == 0)
		found = inspect(w, main, &opened);
	gram_file_close(&opened);
	return rc != 0 && rc != ENOENT ? mdb_strerror(rc) : found;
}
