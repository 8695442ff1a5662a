/* todo_files.c - the actions themselves: each is harmless when it was done before. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/mem.h>

#include "annotation.h"
#include "path.h"
#include "todo.h"

enum { PURGE_DEPTH = 64 }; /* levels of directories that others made in a mailbox */

static bool
fail(struct slice *sl, const char *what, const char *name)
{
	return err_temp(&sl->w->err, SAY_LATER, "%s: %s %s: %s", sl->w->u->dir, what, name, strerror(errno));
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

/* What was promised of a mailbox may come before its new name in the list, when one commit promised both. */
static bool
rename_first(struct slice *sl, uint32_t mailbox)
{
	struct todo t;
	bool ok = true;

	todo_init(&t);
	for (uint64_t from = 0; ok && todo_first(&sl->s, from, &t); from = t.seq + 1)
		if (t.kind == TODO_RENAME && t.mailbox == mailbox)
			ok = rename_dir(sl, &t);
	todo_fini(&t);
	return ok && sl->s.rc == 0;
}

static bool
enter(struct slice *sl, const struct mbox *m, struct mdir *d)
{
	if (mdir_enter(sl->w, m, d))
		return true;
	if (errno != ENOENT)
		return fail(sl, "open", m->dir);
	return rename_first(sl, m->number) &&
	       (mdir_enter(sl->w, m, d) || (errno != ENOENT && fail(sl, "open", m->dir)));
}

/* The open directories of the mailbox, or NULL when it is no more (or, with an error noted, out of reach). */
static struct mdir *
dir_of(struct slice *sl, uint32_t mailbox)
{
	struct mbox m;

	for (size_t i = 0; i < sl->ndirs; i++)
		if (sl->dirs[i].mailbox == mailbox)
			return &sl->dirs[i];
	if (!mbox_read(&sl->s, mailbox, &m))
		return NULL;
	errno = EMFILE; /* who takes a row leaves room for its directory; nothing is forgotten if there is none */
	if (sl->ndirs == SLICE_DIRS && !fail(sl, "open", m.dir))
		return NULL;
	if (!enter(sl, &m, &sl->dirs[sl->ndirs]))
		return NULL;
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
	if (file == NULL)
		return true;
	if (unlinkat(file->fresh ? d->fresh : d->cur, file->name, 0) == -1 && errno != ENOENT)
		return fail(sl, "unlink", file->name);
	return !file->fresh || fsync(d->fresh) == 0 || fail(sl, "fsync", "new"); /* rare; cur/ is synced for all */
}

static bool
save_sidecar(struct slice *sl, const struct todo *t)
{
	struct mbox m;

	if (!mbox_read(&sl->s, t->mailbox, &m))
		return sl->s.rc == 0;
	return sidecar_save(sl->w->u, &m) || errno == ENOENT || fail(sl, "sidecar", m.dir);
}

/* Mailbox 0: beside the index. */
static bool
save_annotations(struct slice *sl, const struct todo *t)
{
	struct store_user *u = sl->w->u;
	struct mbox m = { 0 };
	int fd;
	bool ok;

	if (t->mailbox != 0 && !mbox_read(&sl->s, t->mailbox, &m))
		return sl->s.rc == 0;
	fd = t->mailbox == 0 ? dup(u->fd) : m.dir[0] != '\0' ? path_open_dir(u->maildir, m.dir) : dup(u->maildir);
	if (fd == -1)
		return errno == ENOENT || fail(sl, "annotations", m.dir);
	ok = annotations_save(&sl->s, fd, t->mailbox) || fail(sl, "annotations", m.dir);
	io_close(&fd);
	return ok && sl->s.rc == 0;
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
works_in_dir(enum todo_kind kind)
{
	return kind == TODO_PLACE || kind == TODO_NAMES || kind == TODO_GONE || kind == TODO_MOVED;
}

bool
todo_first_phase(struct slice *sl, const struct todo *t)
{
	/* opened now, also for the second phase: a slice ends when it has no room for one more */
	if (works_in_dir(t->kind) && dir_of(sl, t->mailbox) == NULL && (sl->w->err.class != ERR_NONE || sl->s.rc != 0))
		return false;
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
	case TODO_ANNOTATIONS:
		return save_annotations(sl, t);
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

bool
todo_second_phase(struct slice *sl, const struct todo *t)
{
	if (t->kind == TODO_GONE && !sl->quick && t->seq <= sl->w->u->todo_quick)
		return each_dirty(sl, t);
	if (t->kind == TODO_GONE || t->kind == TODO_MOVED)
		return each_uid(sl, t, unlink_one);
	if (t->kind != TODO_PURGE || t->dir[0] == '\0')
		return true;
	sl->maildir_dirty = true;
	return path_remove_tree(sl->w->u->maildir, t->dir, PURGE_DEPTH) || fail(sl, "remove", t->dir);
}

bool
todo_sync_dirs(struct slice *sl)
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

void
todo_forget_files(struct map *files)
{
	size_t at = 0;
	struct str key;
	void *file;

	while (map_next(files, &at, &key, &file))
		free(file);
	map_fini(files);
}
