/* load.c - a user comes into memory: lock, index, what a crash left; and the index made anew. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <postern/core/mem.h>

#include "annotation.h"
#include "dovecot.h"
#include "look.h"
#include "name.h"
#include "path.h"

enum { SUBSCRIPTIONS_MAX = 1 << 20 };

static bool
fail(struct work *w, const char *what)
{
	return err_temp(&w->err, errno == ENOSPC || errno == EDQUOT ? SAY_DISK : SAY_LATER, "%s: %s: %s", w->u->dir,
	    what, strerror(errno));
}

static bool
take_directory(struct work *w)
{
	struct store_user *u = w->u;

	if (u->fd == -1) {
		if (!path_make(w->store->root, u->dir))
			return fail(w, "directory");
		u->fd = path_open_dir(w->store->root, u->dir);
		if (u->fd == -1)
			return fail(w, "directory");
	}
	if (flock(u->fd, LOCK_EX | LOCK_NB) == -1)
		return fail(w, "another process has it");
	if (u->maildir == -1) {
		if (!path_make(u->fd, "Maildir"))
			return fail(w, "Maildir");
		u->maildir = path_open_dir(u->fd, "Maildir");
	}
	if (u->maildir == -1 || !mdir_make(u, ""))
		return fail(w, "Maildir");
	return true;
}

/* -- the index made anew -- */

static void
remove_index(struct work *w, const char *name)
{
	char lock[64];

	unlinkat(w->u->fd, name, 0);
	snprintf(lock, sizeof lock, "%s-lock", name);
	unlinkat(w->u->fd, lock, 0);
}

/* Takes the prepared looks into the new index. */
static bool
take_looks(struct work *w)
{
	struct txn t;
	bool ok;

	if (w->err.class != ERR_NONE || w->rc != 0 || !work_begin(w, &t))
		return false;
	look_apply(&t);
	ok = work_commit(w, &t);
	if (ok)
		look_after(w);
	looks_free(w);
	return ok;
}

static bool
adopt_inbox(struct work *w)
{
	struct look *l = look_new(w);
	struct mdir d;
	bool ok;

	snprintf(l->name, sizeof l->name, "INBOX");
	if (!mdir_open(w->u, "", &d))
		return fail(w, "Maildir");
	ok = adopt_prepare(w, l, &d);
	mdir_close(&d);
	return ok;
}

static void
on_subscribed(void *ctx, struct str dir)
{
	struct txn *t = ctx;
	struct row_name r;
	struct open_mbox *o;
	struct buf name;

	buf_init(&name, STORE_NAME_SIZE);
	if (dir.n == 0)
		buf_add(&name, STR("INBOX"));
	if (name.n > 0 || name_from_dir(&name, dir)) {
		name_read(&t->s, buf_str(&name), &r);
		r.subscribed = 1;
		name_write(&t->s, buf_str(&name), &r);
		o = r.mailbox != 0 ? txn_mbox(t, r.mailbox) : NULL;
		if (o != NULL) {
			o->m.row.subscribed = 1;
			o->dirty = o->sidecar = true;
		}
	}
	buf_fini(&name);
}

static bool
take_subscriptions(struct work *w)
{
	static const char *const files[] = { "subscriptions", "courierimapsubscribed" };
	struct txn t;

	if (!work_begin(w, &t))
		return false;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		int fd = path_open(w->u->maildir, files[i], O_RDONLY | O_NONBLOCK, 0);
		struct buf b;

		buf_init(&b, SUBSCRIPTIONS_MAX);
		if (fd != -1 && io_read_fd(fd, &b))
			dovecot_subscriptions_parse(buf_str(&b), on_subscribed, &t);
		buf_fini(&b);
		io_close(&fd);
	}
	return work_commit(w, &t);
}

/* What is kept of the server for this user. */
static bool
take_server_annotations(struct work *w)
{
	struct txn t;
	struct buf b;
	bool ok = work_begin(w, &t);

	buf_init(&b, ANNOTATIONS_FILE_MAX);
	annotations_load(w->u->fd, &b);
	if (ok) {
		annotations_take(&t, 0, buf_str(&b));
		ok = work_commit(w, &t);
	}
	buf_fini(&b);
	return ok;
}

static bool
fill_index(struct work *w, bool first)
{
	if (!adopt_inbox(w) || !take_looks(w))
		return false;
	w->u->seen.maildir_mtime = 0;
	return adopt_find(w) && take_looks(w) && take_server_annotations(w) && (!first || take_subscriptions(w));
}

/* Makes the index from the files and puts it in place of the old one, which is closed (w->old may read it). */
static bool
make_index(struct work *w)
{
	struct index *kept = w->ix, fresh;
	char path[PATH_MAX];
	bool first = !mdir_exists(w->u->maildir, SIDECAR_NAME); /* later our sidecars know better what is subscribed */
	bool ok;

	remove_index(w, "index.mdb.new");
	remove_index(w, GRAM_FILE); /* its mailboxes have other numbers now */
	if ((size_t)snprintf(path, sizeof path, "%s.new", w->u->path) >= sizeof path)
		return err_perm(&w->err, SAY_LATER, "%s: the path is too long", w->u->dir);
	w->u->seen.n = 0;
	w->u->todo_quick = 0;
	w->todo_left = false;
	if (!index_open(&fresh, path, w->store->config.map_size, true, &w->err))
		return false;
	/* nobody uses it before it is whole: one sync at the end */
	mdb_env_set_flags(fresh.env, MDB_NOSYNC, 1);
	w->ix = &fresh;
	ok = fill_index(w, first) && mdb_env_sync(fresh.env, 1) == 0;
	w->ix = kept;
	index_close(&fresh);
	if (!ok)
		return w->err.class != ERR_NONE ? false : err_temp(&w->err, SAY_DISK, "%s: rebuild: %s", w->u->dir,
		    w->rc != 0 ? mdb_strerror(w->rc) : "failed");
	unlinkat(w->u->fd, "index.mdb-lock", 0);
	if (renameat(w->u->fd, "index.mdb.new", w->u->fd, "index.mdb") == -1 || fsync(w->u->fd) == -1)
		return fail(w, "index");
	remove_index(w, "index.mdb.new");
	unlinkat(w->u->fd, BROKEN_NAME, 0);
	return true;
}

/* -- loading -- */

/* When each mailbox was looked at. */
static void
read_seen(struct work *w, struct snap *s)
{
	struct mbox *m = NEW(struct mbox);
	MDB_cursor *c = snap_cursor(s, T_NAME);
	MDB_val key, value;

	for (bool more = snap_step(s, c, &key, &value, MDB_FIRST); more; more = snap_step(s, c, &key, &value, MDB_NEXT)) {
		struct row_name r;

		if (!name_read(s, val_str(key), &r) || r.mailbox == 0 || !mbox_read(s, r.mailbox, m))
			continue;
		*seen_get(&w->u->seen, r.mailbox) = (struct seen){ .mailbox = r.mailbox,
			.cur_mtime = m->row.cur_mtime,
			.new_mtime = m->row.new_mtime,
			.at = m->row.looked_at,
			.saved = true };
	}
	cursor_close(c);
	free(m);
}

static bool
read_state(struct work *w)
{
	struct snap s;

	if (work_snap(w, &s)) {
		w->bytes = meta_get(&s, META_BYTES);
		read_seen(w, &s);
		w->todo_left = todo_is_left(&s);
		work_snap_end(w, &s);
	}
	return w->rc == 0;
}

static bool
open_index(struct work *w)
{
	struct store_user *u = w->u;

	if (u->index_is_open)
		return true;
	if (w->rebuild && mdir_exists(u->fd, BROKEN_NAME)) { /* what is damaged is kept for whoever wants to know why, and not read */
		renameat(u->fd, "index.mdb", u->fd, "index.mdb.damaged");
		unlinkat(u->fd, BROKEN_NAME, 0);
	}
	if (mdir_exists(u->fd, BROKEN_NAME))
		return err_temp(
		    &w->err, SAY_LATER, "%s: the index is damaged: `postern store rebuild` makes it anew", u->dir);
	if (!mdir_exists(u->fd, "index.mdb") && !make_index(w))
		return false;
	if (!index_open(&u->ix, u->path, w->store->config.map_size, false, &w->err))
		return false;
	u->index_is_open = true;
	u->seen.n = 0;
	return read_state(w);
}

/* A healthy index is made anew: what was promised is done first, flags and dates come from it. */
bool
rebuild_healthy(struct work *w)
{
	bool ok;

	if (!todo_drain_all(w))
		return false;
	w->old = w->ix;
	ok = make_index(w);
	w->old = NULL;
	return ok;
}

/* Whatever has been given while nobody kept it, or in an index that was lost. */
static bool
load_shares(struct work *w)
{
	work_settle_shares(w);
	return w->rc == 0;
}

bool
load_run(struct work *w)
{
	struct txn t;

	if (!take_directory(w) || !open_index(w) || !todo_drain_all(w) || !look_prepare(w, LOOK_ALL) || w->rc != 0)
		return false;
	if (w->looks == NULL)
		return load_shares(w);
	if (!work_begin(w, &t))
		return false;
	look_apply(&t);
	if (!work_commit(w, &t)) {
		w->grow = w->rc == MDB_MAP_FULL;
		looks_free(w);
		return false;
	}
	look_after(w);
	looks_free(w);
	return load_shares(w);
}
