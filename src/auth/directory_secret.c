/* directory_secret.c - random bytes that live as long as the directory. */
#include "directory_own.h"

#include <sodium.h>

static enum directory_found
recall(struct directory *d, uint8_t secret[static DIRECTORY_SECRET_SIZE], struct err *e)
{
	MDB_txn *txn = directory_look(d, e);
	enum directory_found found;
	struct str row;

	if (txn == NULL)
		return DIRECTORY_FAILED;
	found = directory_row(d, txn, TABLE_META, STR("secret"), &row, e);
	if (found == DIRECTORY_FOUND && row.n != DIRECTORY_SECRET_SIZE)
		found = DIRECTORY_MISSING;
	if (found == DIRECTORY_FOUND)
		memcpy(secret, row.p, DIRECTORY_SECRET_SIZE);
	directory_look_end(d);
	return found;
}

static int
keep(struct directory *d, const uint8_t secret[static DIRECTORY_SECRET_SIZE])
{
	MDB_val key = val_of(STR("secret"));
	MDB_val row = val_of(str_from(secret, DIRECTORY_SECRET_SIZE));
	MDB_txn *txn;
	int rc = mdb_txn_begin(d->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	rc = mdb_put(txn, d->table[TABLE_META], &key, &row, 0);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

bool
directory_secret(struct directory *d, uint8_t secret[static DIRECTORY_SECRET_SIZE], struct err *e)
{
	enum directory_found found = recall(d, secret, e);
	int rc;

	if (found != DIRECTORY_MISSING)
		return found == DIRECTORY_FOUND;
	randombytes_buf(secret, DIRECTORY_SECRET_SIZE);
	rc = keep(d, secret);
	return rc == 0 || directory_trouble(e, "writing", rc);
}
