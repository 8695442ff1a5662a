/* ledger_compact.c - a ledger that was large once and is mostly free is copied without what is free, when the queue opens: nobody
 * else has it open then. The copy is whole and synced before it takes the name; a copy that fails changes nothing. */
#include "ledger_own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <postern/core/log.h>

#define COPY_NAME "queue.mdb.copy"

static bool
is_worth_it(struct ledger *l, uint64_t min_bytes)
{
	MDB_txn *t = ledger_read(l);
	MDB_envinfo info;
	MDB_stat st;
	uint64_t used, unused;

	if (t == NULL)
		return false;
	unused = ledger_free_pages(t);
	mdb_txn_abort(t);
	if (mdb_env_info(l->env, &info) != 0 || mdb_env_stat(l->env, &st) != 0)
		return false;
	used = info.me_last_pgno + 1;
	return used * st.ms_psize >= min_bytes && unused > used / 2;
}

/* 0, or an error of LMDB or errno. */
static int
copy(struct ledger *l, int dir)
{
	int fd = openat(dir, COPY_NAME, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd == -1)
		return errno;
	rc = mdb_env_copyfd2(l->env, fd, MDB_CP_COMPACT);
	if (rc == 0 && fsync(fd) == -1)
		rc = errno;
	if (close(fd) == -1 && rc == 0)
		rc = errno;
	return rc;
}

bool
ledger_compact(struct ledger *l, int dir, const char *path, uint64_t map_bytes, uint64_t min_bytes, struct err *e)
{
	int rc;

	unlinkat(dir, COPY_NAME, 0); /* of a process that died over it */
	if (!is_worth_it(l, min_bytes))
		return true;
	rc = copy(l, dir);
	if (rc != 0) {
		log_say(
		    LEVEL_WARN, "error", "queue.mdb: cannot be copied without its free pages: %s", mdb_strerror(rc));
		unlinkat(dir, COPY_NAME, 0);
		return true;
	}
	ledger_close(l);
	if (renameat(dir, COPY_NAME, dir, "queue.mdb") == -1 || fsync(dir) == -1)
		return err_temp(e, SAY_LATER, "queue.mdb: rename: %s", strerror(errno));
	log_say(LEVEL_INFO, "recover", "queue.mdb was mostly free and is small again");
	return ledger_open(l, path, map_bytes, e);
}
