/* todo.c - the file actions that a commit has promised: each may be repeated, none is forgotten before it is durable.
 *
 * A slice: links and renames, a sync, then unlinks, a sync, then ONE transaction that forgets what was done. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "path.h"
#include "work.h"

enum {
	SLICE_ACTIONS = 2000,
	SLICE_DIRS = 16,
	SLICE_ROWS = 64,
	PURGE_ROWS = 20000,
};

struct new_name {
	uint32_t mailbox;
	uint32_t uid;
	char *name;
};

struct slice {
	struct work *w;
	struct snap s;
	struct mdir dirs[SLICE_DIRS];
	bool dirty[SLICE_DIRS];
	struct map files[SLICE_DIRS]; /* base name → struct located, listed when first needed */
	size_t ndirs;
	bool quick;                   /* before the answer: only what others could miss */
	bool maildir_dirty;
	struct todo rows[SLICE_ROWS]; /* uids: what this slice does of the action */
	bool whole[SLICE_ROWS];       /* nothing of it stays */
	size_t nrows;
	struct new_name *names;
	size_t nnames, cap_names;
	unsigned budget;
};

static bool
fail(struct slice *sl, const char *what, const char *name)
{
	return err_temp(&sl->w->err, SAY_LATER, "%s: %s %s: %s", sl->w->u->dir, what, name, strerror(errno));
}

/* The open directories of the mailbox, or NULL when it is no more (or, with an error noted, out of reach). */
static struct mdir *
dir_of(struct slice *sl, uint32_t mailbox)
{
	struct mbox m;

	for (size_t i = 0; i < sl->ndirs; i++)
		if (sl->dirs[i].mailbox == mailbox)
			return &sl->dirs[i];
	if (sl->ndirs == SLICE_DIRS || !mbox_read(&sl->s, mailbox, &m))
		return NULL;
	if (!mdir_enter(sl->w, &m, &sl->dirs[sl->ndirs])) {
		if (errno != ENOENT)
			fail(sl, "open", m.dir);
		return NULL;
	}
	sl->dirty[sl->ndirs] = false;
	return &sl->dirs[sl->ndirs++];
}

static void
mark_dirty(struct slice *sl, const struct mdir *d)
{
	sl->dirty[d - sl->dirs] = true;
}

static bool
place(struct slice *sl, struct mdir *d, uint32_t uid)
{
	char name[FNAME_SIZE], base[FNAME_SIZE];
	struct fname f;

	if (!file_read(&sl->s, d->mailbox, uid, name))
		return sl->s.rc == 0;
	fname_parse(str_of(name), &f);
	snprintf(base, sizeof base, "%.*s", STR_ARG(f.base));
	mark_dirty(sl, d);
	if (path_rename_new(d->tmp, base, d->cur, name) || errno == ENOENT)
		return true;
	return errno == EEXIST ? unlinkat(d->tmp, base, 0) == 0 || errno == ENOENT : fail(sl, "place", name);
}

static void
note_name(struct slice *sl, uint32_t mailbox, uint32_t uid, const char *name)
{
	if (sl->nnames == sl->cap_names) {
		sl->cap_names = sl->cap_names == 0 ? 64 : sl->cap_names * 2;
		sl->names = mem_resize(sl->names, sl->cap_names * sizeof *sl->names);
	}
	sl->names[sl->nnames++] = (struct new_name){ mailbox, uid, mem_cstr(str_of(name)) };
}

static bool
wanted_name(struct slice *sl, uint32_t mailbox, uint32_t uid, const char *old, char out[static FNAME_SIZE])
{
	struct row_message row;
	struct fname f;
	uint32_t flags;
	uint64_t keywords;
	char extra[16];

	if (!message_read(&sl->s, mailbox, uid, &row))
		return false;
	fname_parse(str_of(old), &f);
	fname_read_letters(f.letters, &flags, &keywords, extra, sizeof extra);
	return fname_write(out, &f, row.size, uid, row.flags, row.keywords, str_of(extra)) && strcmp(out, old) != 0;
}

/* What somebody else renamed meanwhile is left to the comparison that his change brings about. */
static bool
rename_one(struct slice *sl, struct mdir *d, uint32_t uid)
{
	char old[FNAME_SIZE], name[FNAME_SIZE];

	if (!file_read(&sl->s, d->mailbox, uid, old) || !wanted_name(sl, d->mailbox, uid, old, name))
		return sl->s.rc == 0;
	mark_dirty(sl, d);
	if (path_rename_new(d->cur, old, d->cur, name) || (errno == ENOENT && mdir_exists(d->cur, name)))
		note_name(sl, d->mailbox, uid, name);
	else if (errno == ENOENT)
		d->alone = false;
	else if (errno != EEXIST)
		return fail(sl, "rename", old);
	return true;
}

struct located {
	bool fresh;
	char name[FNAME_SIZE];
};
struct locating {
	struct map *files;
	bool fresh;
};

static bool
add_located(void *ctx, const char *name)
{
	struct locating *to = ctx;
	struct located *file;
	struct fname f;

	if (!fname_parse(str_of(name), &f))
		return true;
	file = NEW(struct located);
	file->fresh = to->fresh;
	snprintf(file->name, sizeof file->name, "%s", name);
	free(map_put(to->files, f.base, file));
	return true;
}

/* Where a file is by its base name; each directory is listed once in a slice. */
static struct located *
locate(struct slice *sl, struct mdir *d, struct str base)
{
	struct map *files = &sl->files[d - sl->dirs];
	struct locating fresh = { files, true }, cur = { files, false };

	if (files->n == 0) {
		path_list(d->fresh, add_located, &fresh);
		path_list(d->cur, add_located, &cur);
	}
	return map_get(files, base);
}

static bool
unlink_one(struct slice *sl, struct mdir *d, uint32_t uid)
{
	char name[FNAME_SIZE];
	struct fname f;
	struct located *file;

	if (!file_read(&sl->s, d->mailbox, uid, name))
		return sl->s.rc == 0;
	fname_parse(str_of(name), &f);
	mark_dirty(sl, d);
	if (unlinkat(d->cur, name, 0) == 0)
		return true;
	if (errno != ENOENT)
		return fail(sl, "unlink", name);
	/* renamed by somebody else, or by us just before a crash */
	file = locate(sl, d, f.base);
	if (file == NULL || unlinkat(file->fresh ? d->fresh : d->cur, file->name, 0) == 0 || errno == ENOENT)
		return true;
	return fail(sl, "unlink", file->name);
}

static bool
rename_dir(struct slice *sl, const struct todo *t)
{
	struct mbox m;

	if (!mbox_read(&sl->s, t->mailbox, &m) || strcmp(m.dir, t->dir) == 0)
		return sl->s.rc == 0;
	sl->maildir_dirty = true;
	if (renameat2(sl->w->u->maildir, t->dir, sl->w->u->maildir, m.dir, RENAME_NOREPLACE) == 0 || errno == ENOENT)
		return true;
	return fail(sl, "rename directory", t->dir);
}

static bool
save_sidecar(struct slice *sl, const struct todo *t)
{
	struct mbox m;

	if (!mbox_read(&sl->s, t->mailbox, &m))
		return sl->s.rc == 0;
	return sidecar_save(sl->w->u, &m) || errno == ENOENT || fail(sl, "sidecar", m.dir);
}

static bool
each_uid(struct slice *sl, const struct todo *t, bool (*fn)(struct slice *sl, struct mdir *d, uint32_t uid))
{
	struct mdir *d = dir_of(sl, t->mailbox);

	for (uint32_t uid = uidset_next(&t->uids, 1); d != NULL && uid != 0; uid = uidset_next(&t->uids, uid + 1))
		if (!fn(sl, d, uid))
			return false;
	return sl->w->err.class == ERR_NONE && sl->s.rc == 0;
}

static bool
first_phase(struct slice *sl, const struct todo *t)
{
	if (sl->quick && t->kind != TODO_PLACE && t->kind != TODO_RENAME)
		return true;
	switch (t->kind) {
	case TODO_PLACE:
		return each_uid(sl, t, place);
	case TODO_NAMES:
		return each_uid(sl, t, rename_one);
	case TODO_RENAME:
		return rename_dir(sl, t);
	case TODO_SIDECAR:
		return save_sidecar(sl, t);
	default:
		return true;
	}
}

/* Unlinked before the answer: only the sync is missing. */
static bool
each_dirty(struct slice *sl, const struct todo *t)
{
	struct mdir *d = dir_of(sl, t->mailbox);

	if (d != NULL)
		mark_dirty(sl, d);
	return sl->w->err.class == ERR_NONE && sl->s.rc == 0;
}

static bool
second_phase(struct slice *sl, const struct todo *t)
{
	if (t->kind == TODO_GONE && !sl->quick && t->seq <= sl->w->u->todo_quick)
		return each_dirty(sl, t);
	if (t->kind == TODO_GONE || t->kind == TODO_MOVED)
		return each_uid(sl, t, unlink_one);
	if (t->kind != TODO_PURGE || t->dir[0] == '\0')
		return true;
	sl->maildir_dirty = true;
	return path_remove_tree(sl->w->u->maildir, t->dir, 1) || fail(sl, "remove", t->dir);
}

static bool
sync_dirs(struct slice *sl)
{
	for (size_t i = 0; i < sl->ndirs; i++)
		if (sl->dirty[i] && fsync(sl->dirs[i].cur) == -1)
			return fail(sl, "fsync", "cur");
	for (size_t i = 0; i < sl->ndirs; i++)
		sl->dirty[i] = false;
	if (sl->maildir_dirty && fsync(sl->w->u->maildir) == -1)
		return fail(sl, "fsync", "Maildir");
	sl->maildir_dirty = false;
	return true;
}

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
forget_located(struct map *files)
{
	size_t at = 0;
	struct str key;
	void *file;

	while (map_next(files, &at, &key, &file))
		free(file);
	map_fini(files);
}

static void
slice_end(struct slice *sl)
{
	for (size_t i = 0; i < sl->ndirs; i++) {
		forget_located(&sl->files[i]);
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
	while (ok && sl->budget > 0 && sl->nrows < SLICE_ROWS && sl->ndirs < SLICE_DIRS && todo_first(&sl->s, from, &t)) {
		from = t.seq + 1;
		take_row(sl, &t);
		ok = first_phase(sl, &sl->rows[sl->nrows - 1]);
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
		if (!second_phase(sl, &sl->rows[i]))
			return false;
	return true;
}

/* Deletes rows of a mailbox that is no more; false when there are more than one transaction should touch. */
static bool
purge_rows(struct txn *t, uint32_t mailbox)
{
	static const enum table tables[] = { T_MESSAGE, T_FILE, T_CACHE, T_IDS, T_CHANGE };
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
		if (c != NULL)
			mdb_cursor_close(c);
	}
	return left > 0;
}

static void
forget_files(struct txn *t, const struct todo *row)
{
	static const enum table tables[] = { T_FILE, T_CACHE, T_IDS };

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
		for (size_t i = 0; i < row->uids.n; i++)
			uidset_remove(&rest.uids, row->uids.p[i].first, row->uids.p[i].last);
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
	ok = w->rc == 0 && do_first_phase(sl, 0) && sync_dirs(sl) && do_second_phase(sl) && sync_dirs(sl);
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
		if (sl->rows[i].kind == TODO_GONE && (!sl->whole[i] || !second_phase(sl, &sl->rows[i])))
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
