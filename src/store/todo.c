/* todo.c - the file actions that a commit has promised: each may be repeated, none is forgotten before it is durable.
 *
 * A slice: links and renames, a sync, then unlinks, a sync, then ONE transaction that forgets what was done. */
#include <stdlib.h>

#include <postern/core/mem.h>

#include "todo.h"

enum {
	SLICE_ACTIONS = 2000,
	PURGE_ROWS = 20000,
};

/* Takes of the action what the budget allows. */
static void
take_row(struct slice *sl, struct todo *t)
{
	struct todo *row = &sl->rows[sl->nrows];

	todo_init(row);
	row->seq = t->seq;
	row->kind = t->kind;
	row->mailbox = t->mailbox;
	memcpy(row->dir, t->dir, sizeof row->dir);
	sl->whole[sl->nrows++] = uidset_count(&t->uids) <= sl->budget;
	for (size_t i = 0; i < t->uids.n && sl->budget > 0; i++) {
		struct uid_range r = t->uids.p[i];

		if (r.last - r.first >= sl->budget)
			r.last = r.first + sl->budget - 1;
		sl->budget -= r.last - r.first + 1;
		uidset_add(&row->uids, r.first, r.last);
	}
	if (sl->budget > 0)
		sl->budget--;
}

static void
slice_begin(struct slice *sl, struct work *w, unsigned budget)
{
	sl->w = w;
	sl->budget = budget;
	work_snap(w, &sl->s);
}

static void
slice_end(struct slice *sl)
{
	for (size_t i = 0; i < sl->ndirs; i++) {
		todo_forget_files(&sl->files[i]);
		mdir_leave(sl->w, &sl->dirs[i]);
	}
	for (size_t i = 0; i < sl->nrows; i++)
		todo_fini(&sl->rows[i]);
	for (size_t i = 0; i < sl->nnames; i++)
		free(sl->names[i].name);
	free(sl->names);
	free(sl);
}

static bool
do_first_phase(struct slice *sl, uint64_t from)
{
	struct todo t;
	bool ok = true;

	todo_init(&t);
	while (
	    ok && sl->budget > 0 && sl->nrows < SLICE_ROWS && sl->ndirs < SLICE_DIRS && todo_first(&sl->s, from, &t)) {
		from = t.seq + 1;
		take_row(sl, &t);
		ok = todo_first_phase(sl, &sl->rows[sl->nrows - 1]);
		/* what comes after a half-done action waits for its other half */
		if (!sl->whole[sl->nrows - 1])
			break;
	}
	todo_fini(&t);
	return ok && sl->s.rc == 0;
}

static bool
do_second_phase(struct slice *sl)
{
	for (size_t i = 0; i < sl->nrows; i++)
		if (!todo_second_phase(sl, &sl->rows[i]))
			return false;
	return true;
}

/* Deletes rows of a mailbox that is no more; false when there are more than one transaction should touch. */
static bool
purge_rows(struct txn *t, uint32_t mailbox)
{
	static const enum table tables[] = { T_MESSAGE, T_FILE, T_CACHE, T_KEYS, T_IDS, T_CHANGE };
	unsigned left = PURGE_ROWS;

	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		struct key from = key_mailbox(mailbox);
		MDB_val key = key_val(&from), value;
		MDB_cursor *c = snap_cursor(&t->s, tables[i]);
		bool more = snap_step(&t->s, c, &key, &value, MDB_SET_RANGE);

		while (more && left > 0 && key.mv_size >= 4 && memcmp(key.mv_data, from.b, 4) == 0) {
			int rc = mdb_cursor_del(c, 0);

			if (rc != 0)
				snap_fail(&t->s, rc);
			left--;
			more = snap_step(&t->s, c, &key, &value, MDB_NEXT);
		}
		cursor_close(c);
	}
	return left > 0;
}

static void
forget_files(struct txn *t, const struct todo *row)
{
	static const enum table tables[] = { T_FILE, T_CACHE, T_KEYS, T_IDS };

	for (uint32_t uid = uidset_next(&row->uids, 1); uid != 0; uid = uidset_next(&row->uids, uid + 1))
		for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
			struct key k = key_message(row->mailbox, uid);

			snap_del(&t->s, tables[i], key_val(&k));
		}
}

/* The action as it stands in the index loses what was done of it. */
static void
shorten(struct txn *t, const struct todo *row)
{
	struct todo rest;

	todo_init(&rest);
	if (todo_first(&t->s, row->seq, &rest) && rest.seq == row->seq) {
		uidset_remove_set(&rest.uids, &row->uids);
		todo_rewrite(&t->s, &rest);
	}
	todo_fini(&rest);
}

static void
forget(struct txn *t, const struct todo *row, bool whole)
{
	struct key k = key_todo(row->seq);

	if (row->kind == TODO_GONE || row->kind == TODO_MOVED)
		forget_files(t, row);
	if (row->kind == TODO_PURGE)
		whole = purge_rows(t, row->mailbox);
	if (whole)
		snap_del(&t->s, T_TODO, key_val(&k));
	else if (row->kind != TODO_PURGE)
		shorten(t, row);
}

static bool
commit_slice(struct slice *sl)
{
	struct txn t;

	if (!work_begin(sl->w, &t))
		return false;
	for (size_t i = 0; i < sl->nnames; i++)
		txn_file(&t, sl->names[i].mailbox, sl->names[i].uid, sl->names[i].name);
	for (size_t i = 0; i < sl->nrows; i++)
		forget(&t, &sl->rows[i], sl->whole[i]);
	return work_commit(sl->w, &t);
}

bool
todo_drain(struct work *w)
{
	struct slice *sl = NEW(struct slice);
	bool ok;

	slice_begin(sl, w, SLICE_ACTIONS);
	ok = w->rc == 0 && do_first_phase(sl, 0) && todo_sync_dirs(sl) && do_second_phase(sl) && todo_sync_dirs(sl);
	work_snap_end(w, &sl->s);
	if (ok && sl->nrows == 0)
		w->todo_left = false;
	else
		ok = ok && commit_slice(sl);
	slice_end(sl);
	if (!ok && w->rc == 0 && w->err.class == ERR_NONE)
		err_temp(&w->err, SAY_LATER, "%s: file actions", w->u->dir);
	return ok;
}

bool
todo_drain_all(struct work *w)
{
	while (w->todo_left)
		if (!todo_drain(w))
			return false;
	return true;
}

static bool
quick(struct slice *sl)
{
	if (!do_first_phase(sl, sl->w->u->todo_quick + 1))
		return false;
	for (size_t i = 0; i < sl->nrows; i++)
		if (sl->rows[i].kind == TODO_GONE && (!sl->whole[i] || !todo_second_phase(sl, &sl->rows[i])))
			return false;
	return sl->nrows > 0 && sl->whole[sl->nrows - 1];
}

void
todo_quick(struct work *w, unsigned budget)
{
	struct slice *sl;

	if (!w->todo_left)
		return;
	sl = NEW(struct slice);
	slice_begin(sl, w, budget);
	sl->quick = true;
	if (quick(sl))
		w->u->todo_quick = sl->rows[sl->nrows - 1].seq;
	work_snap_end(w, &sl->s);
	slice_end(sl);
	/* the change is committed: what could not be done now is done, or complained of, later */
	err_clear(&w->err);
	w->rc = 0;
}
