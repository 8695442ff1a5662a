/* ledger.c - queue.mdb: opening it, and reading. */
#include "ledger_own.h"

#include <errno.h>
#include <string.h>

#include <postern/core/log.h>

enum { TABLES = 8, READERS = 16, LEDGER_VERSION = 2 /* 1 had no lanes; its rows are read and sorted anew */ };

bool
ledger_error_is_space(int rc)
{
	return rc == MDB_MAP_FULL || rc == MDB_TXN_FULL || rc == ENOSPC || rc == EDQUOT || rc == EFBIG;
}

bool
ledger_fail(struct err *e, int rc, const char *what)
{
	const char *say = ledger_error_is_space(rc) ? SAY_DISK : SAY_LATER;

	return err_temp(e, say, "queue.mdb: %s: %s", what, mdb_strerror(rc));
}

static struct str
str_val(MDB_val v)
{
	return str_from(v.mv_data, v.mv_size);
}

/* --- open --------------------------------------------------------------------------------------------------------- */

int
ledger_get_number(struct ledger *l, MDB_txn *t, const char *name, uint64_t *v)
{
	MDB_val k = val(name, strlen(name));
	MDB_val d;
	int rc = mdb_get(t, l->meta, &k, &d);

	*v = 0;
	if (rc != 0)
		return rc;
	if (d.mv_size != 8)
		return MDB_CORRUPTED;
	*v = be_load(d.mv_data, 8);
	return 0;
}

int
ledger_set_number(struct ledger *l, MDB_txn *t, const char *name, uint64_t v)
{
	uint8_t bytes[8];
	MDB_val k = val(name, strlen(name));
	MDB_val d = val(bytes, sizeof bytes);

	be_store(bytes, sizeof bytes, v);
	return mdb_put(t, l->meta, &k, &d, 0);
}

static int
open_tables(struct ledger *l, MDB_txn *t)
{
	const struct {
		const char *name;
		MDB_dbi *dbi;
	} table[TABLES] = { { "message", &l->message }, { "recipient", &l->recipient }, { "due", &l->due },
		{ "content", &l->content }, { "meta", &l->meta }, { "lane", &l->lane },
		{ "destination", &l->destination }, { "sts", &l->sts } };
	int rc = 0;

	for (size_t i = 0; i < TABLES && rc == 0; i++)
		rc = mdb_dbi_open(t, table[i].name, MDB_CREATE, table[i].dbi);
	return rc;
}

static int
check_version(struct ledger *l, MDB_txn *t)
{
	uint64_t version;
	int rc = ledger_get_number(l, t, "version", &version);

	if (rc == MDB_NOTFOUND || (rc == 0 && version == 1))
		return ledger_set_number(l, t, "version", LEDGER_VERSION);
	return rc == 0 && version != LEDGER_VERSION ? MDB_VERSION_MISMATCH : rc;
}

static int
open_env(struct ledger *l, const char *path, uint64_t map_bytes)
{
	MDB_txn *t;
	int dead;
	int rc = mdb_env_create(&l->env);

	if (rc != 0)
		return rc;
	if ((rc = mdb_env_set_maxdbs(l->env, TABLES)) != 0 || (rc = mdb_env_set_maxreaders(l->env, READERS)) != 0 ||
	    (rc = mdb_env_set_mapsize(l->env, map_bytes)) != 0 ||
	    (rc = mdb_env_open(l->env, path, MDB_NOSUBDIR | MDB_NOTLS, 0600)) != 0 ||
	    (rc = mdb_reader_check(l->env, &dead)) != 0 || (rc = mdb_txn_begin(l->env, NULL, 0, &t)) != 0)
		return rc;
	if ((rc = open_tables(l, t)) != 0 || (rc = check_version(l, t)) != 0) {
		mdb_txn_abort(t);
		return rc;
	}
	return mdb_txn_commit(t);
}

bool
ledger_open(struct ledger *l, const char *path, uint64_t map_bytes, struct err *e)
{
	int rc;

	*l = (struct ledger){ 0 };
	buf_init(&l->touched, SIZE_MAX);
	rc = open_env(l, path, map_bytes);
	if (rc == 0)
		return true;
	ledger_close(l);
	return ledger_fail(e, rc, "open");
}

void
ledger_close(struct ledger *l)
{
	if (l->env != NULL)
		mdb_env_close(l->env);
	l->env = NULL;
	buf_fini(&l->touched);
}

MDB_txn *
ledger_read(struct ledger *l)
{
	MDB_txn *t;
	int rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &t);

	if (rc == 0)
		return t;
	if (rc == MDB_PANIC) /* a commit could not write its root page: nothing is read or written until all begins anew */
		log_fatal("queue.mdb: read: %s", mdb_strerror(rc));
	log_say(LEVEL_ERROR, "error", "queue.mdb: read: %s", mdb_strerror(rc));
	return NULL;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

int
ledger_get_message(struct ledger *l, MDB_txn *t, struct id qid, struct row_message *m)
{
	MDB_val k = val_id(&qid);
	MDB_val d;
	int rc = mdb_get(t, l->message, &k, &d);

	if (rc == 0 && !row_parse_message(str_val(d), m))
		rc = MDB_CORRUPTED;
	return rc;
}

int
ledger_get_recipient(struct ledger *l, MDB_txn *t, struct ledger_key key, struct row_recipient *r)
{
	uint8_t bytes[KEY_RECIPIENT];
	MDB_val k = val(bytes, sizeof bytes);
	MDB_val d;
	int rc;

	key_recipient(bytes, key);
	rc = mdb_get(t, l->recipient, &k, &d);
	if (rc == 0 && !row_parse_recipient(str_val(d), r))
		rc = MDB_CORRUPTED;
	return rc;
}

int
ledger_get_content(struct ledger *l, MDB_txn *t, struct id qid, struct str *bytes)
{
	MDB_val k = val_id(&qid);
	MDB_val d;
	int rc = mdb_get(t, l->content, &k, &d);

	if (rc == 0)
		*bytes = str_val(d);
	return rc;
}

int
ledger_get_bytes(struct ledger *l, MDB_txn *t, uint64_t *bytes)
{
	int rc = ledger_get_number(l, t, "bytes", bytes);

	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* LMDB's table 0: each value a count and that many page numbers. */
uint64_t
ledger_free_pages(MDB_txn *t)
{
	MDB_cursor *c;
	MDB_val k, d;
	uint64_t n = 0;
	size_t count;

	if (mdb_cursor_open(t, 0, &c) != 0)
		return 0;
	while (mdb_cursor_get(c, &k, &d, MDB_NEXT) == 0) {
		memcpy(&count, d.mv_data, sizeof count);
		n += count;
	}
	mdb_cursor_close(c);
	return n;
}

bool
ledger_has_room(struct ledger *l, MDB_txn *t, uint64_t bytes)
{
	MDB_envinfo info;
	MDB_stat st;
	uint64_t used, need;

	if (mdb_env_info(l->env, &info) != 0 || mdb_env_stat(l->env, &st) != 0)
		return false;
	used = (info.me_last_pgno + 1) * st.ms_psize;
	need = info.me_mapsize / 8 + bytes;
	return used + need <= info.me_mapsize || used + need <= info.me_mapsize + ledger_free_pages(t) * st.ms_psize;
}

int
ledger_seek(MDB_txn *t, MDB_dbi dbi, MDB_val *k, MDB_val *d)
{
	MDB_cursor *c;
	int rc = mdb_cursor_open(t, dbi, &c);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(c, k, d, MDB_SET_RANGE);
	mdb_cursor_close(c);
	return rc;
}

static int
seek(MDB_txn *t, MDB_dbi dbi, MDB_val *k, MDB_val *d, size_t key_size)
{
	int rc = ledger_seek(t, dbi, k, d);

	return rc == 0 && k->mv_size != key_size ? MDB_CORRUPTED : rc;
}

int
ledger_next_recipient(struct ledger *l, MDB_txn *t, struct id qid, uint32_t *at, struct row_recipient *r)
{
	uint8_t bytes[KEY_RECIPIENT];
	MDB_val k = val(bytes, sizeof bytes);
	MDB_val d;
	struct ledger_key found;
	int rc;

	key_recipient(bytes, (struct ledger_key){ qid, *at });
	rc = seek(t, l->recipient, &k, &d, KEY_RECIPIENT);
	if (rc != 0)
		return rc;
	found = key_parse(k.mv_data);
	if (!id_eq(found.qid, qid))
		return MDB_NOTFOUND;
	*at = found.number;
	return row_parse_recipient(str_val(d), r) ? 0 : MDB_CORRUPTED;
}

int
ledger_next_row(struct ledger *l, MDB_txn *t, struct ledger_key *at, struct row_recipient *r)
{
	uint8_t bytes[KEY_RECIPIENT + 1] = { 0 }; /* one longer: right behind that key */
	MDB_val k = val(bytes, sizeof bytes);
	MDB_val d;
	int rc;

	key_recipient(bytes, *at);
	rc = seek(t, l->recipient, &k, &d, KEY_RECIPIENT);
	if (rc != 0)
		return rc;
	*at = key_parse(k.mv_data);
	return row_parse_recipient(str_val(d), r) ? 0 : MDB_CORRUPTED;
}

static void
id_step(struct id *id)
{
	for (size_t i = sizeof id->b; i > 0 && ++id->b[i - 1] == 0; i--)
		;
}

int
ledger_next_message(struct ledger *l, MDB_txn *t, struct id *qid, struct row_message *m)
{
	struct id from = *qid;
	MDB_val k = val_id(&from);
	MDB_val d;
	int rc;

	id_step(&from);
	rc = seek(t, l->message, &k, &d, sizeof from.b);
	if (rc != 0)
		return rc;
	memcpy(qid->b, k.mv_data, sizeof qid->b);
	return row_parse_message(str_val(d), m) ? 0 : MDB_CORRUPTED;
}

int
ledger_next_due(struct ledger *l, MDB_txn *t, int64_t *due, struct ledger_key *key)
{
	uint8_t bytes[KEY_DUE];
	MDB_val k = val(bytes, sizeof bytes);
	MDB_val d;
	int rc;

	key_due(bytes, *due, *key);
	rc = seek(t, l->due, &k, &d, KEY_DUE);
	if (rc != 0)
		return rc;
	*due = (int64_t)be_load(k.mv_data, 8);
	*key = key_parse((const uint8_t *)k.mv_data + 8);
	return 0;
}
