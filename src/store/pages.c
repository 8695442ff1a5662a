/* pages.c - the pages of a file of LMDB tables: how many there are, how many are free, and whether all that are used are there.
 *
 * LMDB writes no page that a transaction took and freed again. When such pages are the last ones the file ends before its "last page",
 * and is whole all the same: what it lacks is in the list of free pages. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/log.h>

#include "schema.h"

enum { FREE_LISTS = 0 }; /* a table of LMDB's own: lists of page numbers, their count first */

/* Pages from this number on that are in the free lists. */
static uint64_t
count_free(MDB_txn *txn, size_t from)
{
	MDB_cursor *c;
	MDB_val key, value;
	uint64_t found = 0;

	if (mdb_cursor_open(txn, FREE_LISTS, &c) != 0)
		return 0;
	while (mdb_cursor_get(c, &key, &value, MDB_NEXT) == 0 && value.mv_size >= sizeof(size_t)) {
		size_t n, page;

		memcpy(&n, value.mv_data, sizeof n);
		for (size_t i = 1; i <= n && i < value.mv_size / sizeof page; i++) {
			memcpy(&page, (const char *)value.mv_data + i * sizeof page, sizeof page);
			found += page >= from;
		}
	}
	mdb_cursor_close(c);
	return found;
}

void
index_pages(struct snap *s, uint64_t *size, uint64_t *unused)
{
	MDB_envinfo info;
	MDB_stat st;

	*size = *unused = 0;
	if (mdb_env_info(s->ix->env, &info) != 0 || mdb_env_stat(s->ix->env, &st) != 0)
		return;
	*size = ((uint64_t)info.me_last_pgno + 1) * st.ms_psize;
	*unused = count_free(s->mdb, 0) * st.ms_psize;
}

static bool
are_free(MDB_env *env, size_t from, size_t end)
{
	MDB_txn *txn;
	uint64_t found;

	if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
		return false;
	found = count_free(txn, from);
	mdb_txn_abort(txn);
	return found == end - from;
}

/* The lists themselves may be in what is missing, and to touch that would end the process: the file is made as long as it says, and LMDB
 * finds no lists in zeros. Free pages stay there as a hole; a damaged file is left as it was. */
static bool
is_free_tail(MDB_env *env, size_t last, size_t page, int fd, off_t size)
{
	size_t from = (size_t)size / page;

	if (ftruncate(fd, (off_t)((last + 1) * page)) == 0 && are_free(env, from, last + 1))
		return true;
	if (ftruncate(fd, size) == -1)
		log_say(
		    LEVEL_WARN, "store", "a damaged file of the index cannot be left as it was: %s", strerror(errno));
	return false;
}

bool
index_is_whole(MDB_env *env)
{
	MDB_envinfo info;
	MDB_stat st;
	struct stat file;
	int fd;

	if (mdb_env_get_fd(env, &fd) != 0 || mdb_env_info(env, &info) != 0 || mdb_env_stat(env, &st) != 0 ||
	    fstat(fd, &file) == -1)
		return false;
	if (info.me_last_pgno <= 1 || (size_t)file.st_size / st.ms_psize > info.me_last_pgno)
		return true;
	return is_free_tail(env, info.me_last_pgno, st.ms_psize, fd, file.st_size);
}
