/* directory.c - the LMDB file behind the directory: opening, reading views, upkeep.
 *
 * One process writes at a time; LMDB's own lock keeps a command line and a server apart. Every commit is synced. */
#include "directory_own.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

enum { READERS_MAX = 32 };
static const size_t MAP_SIZE = (size_t)1 << 30; /* address space, not memory; about two million accounts */

static const char *const table_names[TABLE_COUNT] = { "meta", "user", "alias", "domain" };

bool
directory_trouble(struct err *e, const char *doing, int rc)
{
	if (rc == MDB_MAP_FULL)
		return err_temp(e, SAY_DISK, "directory: %s: the directory has reached its largest size", doing);
	if (rc == MDB_PANIC) /* a commit could not write its root page: nothing is read or written until all begins anew */
		log_fatal("directory: %s: %s", doing, mdb_strerror(rc));
	return err_temp(e, SAY_LATER, "directory: %s: %s", doing, mdb_strerror(rc));
}

/* Files that root makes belong to whom the directory belongs, so that the server can open them later. */
static bool
give_away(const char *dir, const char *path, struct err *e)
{
	struct stat st;
	char lock[PATH_MAX + 8];

	if (geteuid() != 0)
		return true;
	snprintf(lock, sizeof lock, "%s-lock", path);
	if (stat(dir, &st) == -1 || chown(path, st.st_uid, st.st_gid) == -1 || chown(lock, st.st_uid, st.st_gid) == -1)
		return err_temp(e, SAY_LATER, "directory: owner of %s: %s", path, strerror(errno));
	return true;
}

uint64_t
directory_number(struct str row)
{
	uint64_t value = 0;

	for (size_t i = 0; i < row.n && i < 8; i++)
		value = value << 8 | (unsigned char)row.p[i];
	return value;
}

static int
check_schema(struct directory *d, MDB_txn *txn, uint64_t *schema)
{
	static const char now[8] = { 0, 0, 0, 0, 0, 0, 0, DIRECTORY_SCHEMA };
	MDB_val key = val_of(STR("schema"));
	MDB_val row;
	int rc = mdb_get(txn, d->table[TABLE_META], &key, &row);

	*schema = DIRECTORY_SCHEMA;
	if (rc == 0)
		*schema = directory_number(str_of_val(row));
	if (rc != MDB_NOTFOUND)
		return rc;
	row = val_of(str_from(now, sizeof now));
	return mdb_put(txn, d->table[TABLE_META], &key, &row, 0);
}

static int
open_tables(struct directory *d, uint64_t *schema)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(d->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	for (int t = 0; rc == 0 && t < TABLE_COUNT; t++)
		rc = mdb_dbi_open(txn, table_names[t], MDB_CREATE, &d->table[t]);
	if (rc == 0)
		rc = check_schema(d, txn, schema);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static int
open_env(struct directory *d, const char *path)
{
	int rc = mdb_env_create(&d->env);

	if (rc != 0)
		return rc;
	mdb_env_set_maxdbs(d->env, TABLE_COUNT);
	mdb_env_set_maxreaders(d->env, READERS_MAX);
	mdb_env_set_mapsize(d->env, MAP_SIZE);
	return mdb_env_open(d->env, path, MDB_NOSUBDIR | MDB_NOTLS, 0600);
}

static bool
open_all(struct directory *d, const char *dir, const char *path, struct err *e)
{
	uint64_t schema = 0;
	int rc = open_env(d, path);

	if (rc != 0)
		return err_temp(e, SAY_LATER, "directory: %s: %s", path, mdb_strerror(rc));
	if (!give_away(dir, path, e))
		return false;
	directory_tend(d);
	rc = open_tables(d, &schema);
	if (rc != 0)
		return directory_trouble(e, path, rc);
	if (schema != DIRECTORY_SCHEMA)
		return err_perm(e, SAY_LATER,
		    "directory: %s was written by a newer postern (schema %llu, this one knows %d)", path,
		    (unsigned long long)schema, DIRECTORY_SCHEMA);
	rc = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &d->reader);
	if (rc != 0)
		return directory_trouble(e, path, rc);
	mdb_txn_reset(d->reader);
	return true;
}

struct directory *
directory_open(const char *dir, struct err *e)
{
	struct directory *d = NEW(struct directory);
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/directory.mdb", strcmp(dir, "/") == 0 ? "" : dir);
	if (open_all(d, dir, path, e))
		return d;
	directory_close(d);
	return NULL;
}

void
directory_close(struct directory *d)
{
	if (d == NULL)
		return;
	if (d->reader != NULL)
		mdb_txn_abort(d->reader);
	if (d->env != NULL)
		mdb_env_close(d->env);
	free(d);
}

void
directory_tend(struct directory *d)
{
	int dead;

	mdb_reader_check(d->env, &dead);
}

MDB_txn *
directory_look(struct directory *d, struct err *e)
{
	int rc = mdb_txn_renew(d->reader);

	if (rc != 0) {
		directory_trouble(e, "reading", rc);
		return NULL;
	}
	return d->reader;
}

void
directory_look_end(struct directory *d)
{
	mdb_txn_reset(d->reader);
}

enum directory_found
directory_row(struct directory *d, MDB_txn *txn, enum table t, struct str key, struct str *row, struct err *e)
{
	MDB_val k = val_of(key);
	MDB_val v;
	int rc;

	if (key.n == 0 || key.n > DIRECTORY_NAME_MAX)
		return DIRECTORY_MISSING;
	rc = mdb_get(txn, d->table[t], &k, &v);
	if (rc == MDB_NOTFOUND)
		return DIRECTORY_MISSING;
	if (rc != 0) {
		directory_trouble(e, "looking up", rc);
		return DIRECTORY_FAILED;
	}
	*row = str_of_val(v);
	return DIRECTORY_FOUND;
}
