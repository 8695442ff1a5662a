/* gramfile.c - the file of the search index: opening, transactions, keys, small rows. */
#include "gram.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { VERSION = 1 }; /* of texts and rows: another one is made anew */

static const char *const table_names[GRAM_TABLES] = { "box", "block", "set", "list" };

static int
open_tables(struct gram_env *f, bool make)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(f->env, NULL, make ? 0 : MDB_RDONLY, &txn);

	if (rc != 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < GRAM_TABLES; i++)
		rc = mdb_dbi_open(txn, table_names[i], make ? MDB_CREATE : 0, &f->table[i]);
	if (rc == 0)
		return mdb_txn_commit(txn); /* also keeps the table handles of a reading transaction */
	mdb_txn_abort(txn);
	return rc == MDB_NOTFOUND ? MDB_INVALID : rc;
}

/* Without a sync of its last page LMDB may lose the last transaction, never the file's consistency. */
int
gram_file_open(struct gram_env *f, const char *path, uint64_t max, bool make)
{
	int rc = make || faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno; /* LMDB would make it */

	if (rc == 0)
		rc = index_env_open(&f->env, path, max, GRAM_TABLES, MDB_NOMETASYNC);

	if (rc == 0)
		rc = open_tables(f, make);
	if (rc != 0)
		gram_file_close(f);
	return rc;
}

void
gram_file_close(struct gram_env *f)
{
	if (f->env != NULL)
		mdb_env_close(f->env);
	f->env = NULL;
}

bool
gram_txn_begin(struct gram_txn *t, const struct gram_env *f, bool write)
{
	*t = (struct gram_txn){ .file = f };
	t->rc = mdb_txn_begin(f->env, NULL, write ? 0 : MDB_RDONLY, &t->mdb);
	return t->rc == 0;
}

void
gram_txn_abort(struct gram_txn *t)
{
	if (t->mdb != NULL)
		mdb_txn_abort(t->mdb);
	t->mdb = NULL;
}

bool
gram_txn_commit(struct gram_txn *t)
{
	if (t->rc == 0)
		t->rc = mdb_txn_commit(t->mdb);
	else
		mdb_txn_abort(t->mdb);
	t->mdb = NULL;
	return t->rc == 0;
}

bool
gram_fail(struct gram_txn *t, int rc)
{
	if (t->rc == 0)
		t->rc = rc;
	return false;
}

bool
gram_get(struct gram_txn *t, enum gram_table table, struct key key, struct str *row)
{
	MDB_val k = key_val(&key), v;
	int rc = t->rc == 0 ? mdb_get(t->mdb, t->file->table[table], &k, &v) : MDB_NOTFOUND;

	if (rc == 0)
		*row = val_str(v);
	return rc == 0 || (rc != MDB_NOTFOUND && gram_fail(t, rc));
}

void
gram_put(struct gram_txn *t, enum gram_table table, struct key key, struct str row)
{
	MDB_val k = key_val(&key), v = str_val(row);
	int rc = t->rc == 0 ? mdb_put(t->mdb, t->file->table[table], &k, &v, 0) : 0;

	if (rc != 0)
		gram_fail(t, rc);
}

void
gram_del(struct gram_txn *t, enum gram_table table, struct key key)
{
	MDB_val k = key_val(&key);
	int rc = t->rc == 0 ? mdb_del(t->mdb, t->file->table[table], &k, NULL) : 0;

	if (rc != 0 && rc != MDB_NOTFOUND)
		gram_fail(t, rc);
}

MDB_cursor *
gram_cursor(struct gram_txn *t, enum gram_table table)
{
	MDB_cursor *c = NULL;
	int rc = t->rc == 0 ? mdb_cursor_open(t->mdb, t->file->table[table], &c) : 0;

	if (rc != 0)
		gram_fail(t, rc);
	return c;
}

bool
gram_step(struct gram_txn *t, MDB_cursor *c, MDB_val *key, MDB_val *value, MDB_cursor_op op)
{
	int rc;

	if (t->rc != 0 || c == NULL)
		return false;
	rc = mdb_cursor_get(c, key, value, op);
	return rc == 0 || (rc != MDB_NOTFOUND && gram_fail(t, rc));
}

struct key
gram_key_list(uint32_t mailbox, uint32_t block, uint32_t gram)
{
	struct key k = key_message(mailbox, block);
	uint32_t last = htobe32(gram);

	memcpy(k.b + k.n, &last, sizeof last);
	k.n += sizeof last;
	return k;
}

uint32_t
gram_key_part(MDB_val key, unsigned place)
{
	uint32_t part;

	memcpy(&part, (const char *)key.mv_data + place * sizeof part, sizeof part);
	return be32toh(part);
}

bool
gram_key_ok(MDB_val key, unsigned parts)
{
	return key.mv_size == parts * sizeof(uint32_t);
}

struct row_gram_box
gram_box_of(const struct mbox *m)
{
	return (struct row_gram_box){ .id = m->row.id, .uidvalidity = m->row.uidvalidity, .version = VERSION };
}

bool
gram_is_ours(struct gram_txn *t, const struct mbox *m)
{
	struct row_gram_box wanted = gram_box_of(m);
	struct str row;

	return gram_get(t, G_BOX, key_mailbox(m->number), &row) && row.n == sizeof wanted &&
	    memcmp(row.p, &wanted, sizeof wanted) == 0;
}

bool
gram_block_read(struct gram_txn *t, uint32_t mailbox, uint32_t block, struct row_gram_block *b)
{
	struct str row;

	*b = (struct row_gram_block){ .listed = { { 0 } } };
	if (!gram_get(t, G_BLOCK, key_message(mailbox, block), &row))
		return false;
	if (row.n != sizeof *b)
		return gram_fail(t, MDB_CORRUPTED);
	memcpy(b, row.p, sizeof *b);
	return true;
}
