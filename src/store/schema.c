/* schema.c - opening an index; keys, single rows. The rows of mailboxes are in rows.c. */
#include "schema.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include <postern/core/log.h>

static const char *const table_names[TABLES] = { "meta", "mailbox", "name", "message", "file", "change", "cache", "ids",
	"todo", "done", "keys", "metadata", "rights", "guests" };

enum opening {
	OPEN_READ,
	OPEN_ADD,  /* tables that an older index lacks are made */
	OPEN_MAKE, /* all of them */
};

bool
index_is_damage(int rc)
{
	switch (rc) {
	case 0:
	case MDB_NOTFOUND:
	case MDB_KEYEXIST:
	case MDB_MAP_FULL:
	case MDB_READERS_FULL:
	case MDB_TXN_FULL:
	case MDB_PANIC:
	case ENOSPC:
	case EDQUOT:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case EAGAIN:
	case EINTR:
		return false;
	default:
		return true;
	}
}

static bool
fail(struct index *ix, struct err *e, int rc, const char *what)
{
	index_close(ix);
	if (index_is_damage(rc) && rc != ENOENT && rc != EACCES)
		return err_perm(e, SAY_LATER, "index: %s: %s", what, mdb_strerror(rc));
	return err_temp(e, SAY_LATER, "index: %s: %s", what, mdb_strerror(rc));
}

static unsigned
table_flags(size_t table, enum opening how)
{
	return how == OPEN_MAKE || (how == OPEN_ADD && table >= T_ADDED) ? MDB_CREATE : 0;
}

static int
open_tables(struct index *ix, enum opening how)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(ix->env, NULL, how == OPEN_READ ? MDB_RDONLY : 0, &txn);

	if (rc != 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < TABLES; i++)
		rc = mdb_dbi_open(txn, table_names[i], table_flags(i, how), &ix->table[i]);
	if (rc == 0) {
		struct snap s = { ix, txn, 0 };

		if (how == OPEN_MAKE && meta_get(&s, META_SCHEMA) == 0)
			meta_put(&s, META_SCHEMA, SCHEMA_VERSION);
		rc = s.rc;
		if (rc == 0 && meta_get(&s, META_SCHEMA) != SCHEMA_VERSION)
			rc = MDB_VERSION_MISMATCH;
	}
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc == MDB_NOTFOUND ? MDB_INVALID : rc;
	}
	return mdb_txn_commit(txn); /* also keeps the table handles of a reading transaction */
}

int
index_env_open(MDB_env **env, const char *path, uint64_t map_size, unsigned tables, unsigned flags)
{
	int rc, dead;

	*env = NULL;
	rc = mdb_env_create(env);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(*env, tables);
	if (rc == 0)
		rc = mdb_env_set_mapsize(*env, map_size);
	if (rc == 0)
		rc = mdb_env_open(*env, path, MDB_NOSUBDIR | MDB_NOTLS | flags, 0600);
	if (rc == 0 && !index_is_whole(*env))
		rc = MDB_CORRUPTED;
	if (rc == 0)
		rc = mdb_reader_check(*env, &dead);
	if (rc != 0 && *env != NULL) {
		mdb_env_close(*env);
		*env = NULL;
	}
	return rc;
}

bool
index_open(struct index *ix, const char *path, uint64_t map_size, bool make, struct err *e)
{
	int rc;

	*ix = (struct index){ 0 };
	rc = index_env_open(&ix->env, path, map_size, TABLES, 0);
	if (rc != 0)
		return fail(ix, e, rc, rc == MDB_CORRUPTED ? "pages that are used are missing at the end of the file" : "open");
	rc = open_tables(ix, make ? OPEN_MAKE : OPEN_READ);
	if (rc == MDB_INVALID && !make)
		rc = open_tables(ix, OPEN_ADD);
	return rc == 0 || fail(ix, e, rc, "tables");
}

void
index_close(struct index *ix)
{
	if (ix->env != NULL)
		mdb_env_close(ix->env);
	ix->env = NULL;
}

static void
put_be(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * (n - 1 - i));
}

static uint64_t
get_be(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

struct key
key_mailbox(uint32_t mailbox)
{
	struct key k = { .n = 4 };

	put_be(k.b, mailbox, 4);
	return k;
}

struct key
key_message(uint32_t mailbox, uint32_t uid)
{
	struct key k = { .n = 8 };

	put_be(k.b, mailbox, 4);
	put_be(k.b + 4, uid, 4);
	return k;
}

struct key
key_change(uint32_t mailbox, uint64_t modseq)
{
	struct key k = { .n = 12 };

	put_be(k.b, mailbox, 4);
	put_be(k.b + 4, modseq, 8);
	return k;
}

struct key
key_todo(uint64_t seq)
{
	struct key k = { .n = 8 };

	put_be(k.b, seq, 8);
	return k;
}

MDB_val
key_val(const struct key *k)
{
	return (MDB_val){ k->n, (void *)(uintptr_t)k->b };
}

MDB_val
str_val(struct str s)
{
	return (MDB_val){ s.n, (void *)(uintptr_t)s.p };
}

struct str
val_str(MDB_val v)
{
	return str_from(v.mv_data, v.mv_size);
}

bool
key_uid(MDB_val k, uint32_t mailbox, uint32_t *uid)
{
	uint32_t words[2]; /* once per message of every scan */

	if (k.mv_size != sizeof words)
		return false;
	memcpy(words, k.mv_data, sizeof words);
	*uid = be32toh(words[1]);
	return be32toh(words[0]) == mailbox && *uid != 0;
}

bool
key_number(MDB_val k, uint32_t *mailbox)
{
	if (k.mv_size != 4)
		return false;
	*mailbox = (uint32_t)get_be(k.mv_data, 4);
	return *mailbox != 0;
}

bool
key_modseq(MDB_val k, uint32_t mailbox, uint64_t *modseq)
{
	if (k.mv_size != 12 || get_be(k.mv_data, 4) != mailbox)
		return false;
	*modseq = get_be((const uint8_t *)k.mv_data + 4, 8);
	return true;
}

bool
key_seq(MDB_val k, uint64_t *seq)
{
	if (k.mv_size != 8)
		return false;
	*seq = get_be(k.mv_data, 8);
	return true;
}

bool
snap_fail(struct snap *s, int rc)
{
	if (s->rc == 0)
		s->rc = rc;
	return false;
}

bool
snap_get(struct snap *s, enum table t, MDB_val key, MDB_val *value)
{
	int rc;

	if (s->rc != 0)
		return false;
	rc = mdb_get(s->mdb, s->ix->table[t], &key, value);
	return rc == 0 || (rc != MDB_NOTFOUND && snap_fail(s, rc));
}

bool
snap_put(struct snap *s, enum table t, MDB_val key, MDB_val value)
{
	int rc;

	if (s->rc != 0)
		return false;
	rc = mdb_put(s->mdb, s->ix->table[t], &key, &value, 0);
	return rc == 0 || snap_fail(s, rc);
}

void
snap_del(struct snap *s, enum table t, MDB_val key)
{
	int rc = s->rc == 0 ? mdb_del(s->mdb, s->ix->table[t], &key, NULL) : 0;

	if (rc != 0 && rc != MDB_NOTFOUND)
		snap_fail(s, rc);
}

MDB_cursor *
snap_cursor(struct snap *s, enum table t)
{
	MDB_cursor *c = NULL;
	int rc = s->rc == 0 ? mdb_cursor_open(s->mdb, s->ix->table[t], &c) : s->rc;

	if (rc != 0)
		snap_fail(s, rc);
	return c;
}

bool
snap_step(struct snap *s, MDB_cursor *c, MDB_val *key, MDB_val *value, MDB_cursor_op op)
{
	int rc;

	if (s->rc != 0 || c == NULL)
		return false;
	rc = mdb_cursor_get(c, key, value, op);
	return rc == 0 || (rc != MDB_NOTFOUND && snap_fail(s, rc));
}

void
cursor_close(MDB_cursor *c)
{
	if (c != NULL)
		mdb_cursor_close(c);
}

uint64_t
meta_get(struct snap *s, enum meta what)
{
	uint8_t word = (uint8_t)what;
	MDB_val value;
	uint64_t n = 0;

	if (!snap_get(s, T_META, (MDB_val){ 1, &word }, &value))
		return 0;
	if (value.mv_size != sizeof n)
		return snap_fail(s, MDB_CORRUPTED);
	memcpy(&n, value.mv_data, sizeof n);
	return n;
}

void
meta_put(struct snap *s, enum meta what, uint64_t n)
{
	uint8_t word = (uint8_t)what;

	snap_put(s, T_META, (MDB_val){ 1, &word }, (MDB_val){ sizeof n, &n });
}
