/* compact.c - an index of which more than half is free is copied, row by row, into a file that takes its place. LMDB's
 * own compacting copy starts a thread, which a closed-in process may not. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "work.h"

enum { ROWS_AT_ONCE = 20000 };
#define COMPACT_FROM (UINT64_C(4) << 20) /* bytes; a smaller file is not worth it */

static bool
is_worth_it(struct work *w)
{
	uint64_t size, unused;
	struct snap s;

	if (!work_snap(w, &s))
		return false;
	index_pages(&s, &size, &unused);
	work_snap_end(w, &s);
	return size >= COMPACT_FROM && unused > size / 2;
}

/* Rows come in order, so each page is filled to its end. */
static int
copy_table(struct snap *from, struct index *to, enum table t)
{
	MDB_cursor *c = snap_cursor(from, t), *out;
	MDB_val key, value;
	bool more = snap_step(from, c, &key, &value, MDB_FIRST);
	int rc = from->rc;

	while (rc == 0 && more) {
		MDB_txn *txn;

		rc = mdb_txn_begin(to->env, NULL, 0, &txn);
		if (rc != 0)
			break;
		rc = mdb_cursor_open(txn, to->table[t], &out);
		for (unsigned n = 0; rc == 0 && more && n < ROWS_AT_ONCE; n++) {
			rc = mdb_cursor_put(out, &key, &value, t == T_META ? 0 : MDB_APPEND);
			more = snap_step(from, c, &key, &value, MDB_NEXT);
		}
		if (rc == 0)
			rc = mdb_txn_commit(txn);
		else
			mdb_txn_abort(txn);
	}
	cursor_close(c);
	return rc != 0 ? rc : from->rc;
}

static bool
copy_all(struct work *w, struct index *to)
{
	struct snap s;
	int rc = 0;

	if (!work_snap(w, &s))
		return false;
	mdb_env_set_flags(to->env, MDB_NOSYNC, 1);
	for (size_t t = 0; rc == 0 && t < TABLES; t++)
		rc = copy_table(&s, to, (enum table)t);
	work_snap_end(w, &s);
	return rc == 0 && mdb_env_sync(to->env, 1) == 0;
}

/* The copy has the place of the old file: whoever has that open must open anew. */
static bool
put_in_place(struct work *w, const char *path)
{
	struct index to;
	struct err e;
	bool ok;

	if (!index_open(&to, path, w->store->config.map_size, true, &e))
		return false;
	ok = copy_all(w, &to);
	index_close(&to);
	ok = ok && renameat(w->u->fd, "index.mdb.new", w->u->fd, "index.mdb") == 0 && fsync(w->u->fd) == 0;
	unlinkat(w->u->fd, "index.mdb.new-lock", 0);
	return ok;
}

bool
compact_index(struct work *w)
{
	char path[PATH_MAX];
	bool ok;

	if (!is_worth_it(w) || (size_t)snprintf(path, sizeof path, "%s.new", w->u->path) >= sizeof path)
		return false;
	unlinkat(w->u->fd, "index.mdb.new", 0);
	ok = put_in_place(w, path);
	if (!ok)
		unlinkat(w->u->fd, "index.mdb.new", 0);
	w->rc = 0; /* the index is as good as it was */
	return ok;
}
