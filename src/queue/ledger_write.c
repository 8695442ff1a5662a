/* ledger_write.c - the ledger's changes, inside a transaction of the commit thread. */
#include <errno.h>
#include <string.h>

#include "ledger_own.h"

static int
put_message(struct ledger *l, MDB_txn *t, struct id qid, const struct row_message *m, unsigned flags)
{
	MDB_val k = val_id(&qid);
	MDB_val d;
	struct buf b;
	int rc;

	buf_init(&b, ROW_MESSAGE_MAX);
	row_write_message(&b, m);
	d = val(b.p, b.n);
	rc = b.over ? EINVAL : mdb_put(t, l->message, &k, &d, flags);
	buf_fini(&b);
	return rc;
}

static int
add_bytes(struct ledger *l, MDB_txn *t, uint64_t plus, uint64_t minus)
{
	uint64_t now;
	int rc = ledger_get_bytes(l, t, &now);

	if (rc != 0)
		return rc;
	now += plus;
	return ledger_set_number(l, t, "bytes", now > minus ? now - minus : 0);
}

int
ledger_add_message(struct ledger *l, MDB_txn *t, struct id qid, const struct row_message *m)
{
	int rc = put_message(l, t, qid, m, MDB_NOOVERWRITE);

	return rc == 0 ? add_bytes(l, t, m->file_size, 0) : rc;
}

int
ledger_set_message(struct ledger *l, MDB_txn *t, struct id qid, const struct row_message *m)
{
	return put_message(l, t, qid, m, 0);
}

int
ledger_add_content(struct ledger *l, MDB_txn *t, struct id qid, int fd, size_t size)
{
	MDB_val k = val_id(&qid);
	MDB_val d = { size, NULL };
	int rc = mdb_put(t, l->content, &k, &d, MDB_RESERVE);

	if (rc == 0 && !io_pread_all(fd, d.mv_data, size, 0))
		rc = errno != 0 ? errno : EIO;
	return rc;
}

static int
del_due(struct ledger *l, MDB_txn *t, struct ledger_key key, int64_t due)
{
	uint8_t bytes[KEY_DUE];
	MDB_val k = val(bytes, sizeof bytes);
	int rc;

	if (due == 0)
		return 0;
	key_due(bytes, due, key);
	rc = mdb_del(t, l->due, &k, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
put_due(struct ledger *l, MDB_txn *t, struct ledger_key key, int64_t due)
{
	uint8_t bytes[KEY_DUE];
	MDB_val k = val(bytes, sizeof bytes);
	MDB_val d = { 0, NULL };

	if (due == 0)
		return 0;
	key_due(bytes, due, key);
	return mdb_put(t, l->due, &k, &d, 0);
}

static int
put_row(struct ledger *l, MDB_txn *t, struct ledger_key key, const struct row_recipient *r)
{
	uint8_t bytes[KEY_RECIPIENT];
	MDB_val k = val(bytes, sizeof bytes);
	MDB_val d;
	struct buf b;
	int rc;

	key_recipient(bytes, key);
	buf_init(&b, ROW_RECIPIENT_MAX);
	row_write_recipient(&b, r);
	d = val(b.p, b.n);
	rc = b.over ? EINVAL : mdb_put(t, l->recipient, &k, &d, 0);
	buf_fini(&b);
	return rc;
}

int
ledger_put_recipient(struct ledger *l, MDB_txn *t, struct ledger_key k, const struct row_recipient *r)
{
	struct row_recipient old;
	struct lane_key from = { 0 };
	struct lane_key to = key_lane(k, r); /* the texts of both may point into pages that the next write moves */
	int64_t was = 0, due = row_due(r);
	int rc = ledger_get_recipient(l, t, k, &old);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	if (rc == 0) {
		from = key_lane(k, &old);
		was = row_due(&old);
	}
	if ((rc = put_row(l, t, k, r)) != 0 || (rc = lane_move(l, t, &from, &to)) != 0 || was == due)
		return rc;
	rc = del_due(l, t, k, was);
	return rc == 0 ? put_due(l, t, k, due) : rc;
}

int
ledger_del_recipient(struct ledger *l, MDB_txn *t, struct ledger_key key)
{
	const struct lane_key nowhere = { 0 };
	uint8_t bytes[KEY_RECIPIENT];
	MDB_val k = val(bytes, sizeof bytes);
	struct row_recipient old;
	struct lane_key from;
	int rc = ledger_get_recipient(l, t, key, &old);

	if (rc != 0)
		return rc;
	from = key_lane(key, &old);
	if ((rc = del_due(l, t, key, row_due(&old))) != 0 || (rc = lane_move(l, t, &from, &nowhere)) != 0)
		return rc;
	key_recipient(bytes, key);
	return mdb_del(t, l->recipient, &k, NULL);
}

int
ledger_drop_if_settled(struct ledger *l, MDB_txn *t, struct id qid, bool *file)
{
	MDB_val k = val_id(&qid);
	struct row_message m;
	struct row_recipient r;
	uint32_t at = 0;
	uint64_t size;
	int rc = ledger_next_recipient(l, t, qid, &at, &r);

	*file = false;
	if (rc != MDB_NOTFOUND)
		return rc;
	rc = ledger_get_message(l, t, qid, &m);
	if (rc != 0)
		return rc == MDB_NOTFOUND ? 0 : rc;
	size = m.file_size; /* m points into pages that the next write may move */
	*file = m.in_file;
	if (!m.in_file && (rc = mdb_del(t, l->content, &k, NULL)) != 0 && rc != MDB_NOTFOUND)
		return rc;
	if ((rc = mdb_del(t, l->message, &k, NULL)) != 0)
		return rc;
	return add_bytes(l, t, 0, size);
}

int
ledger_advance(struct ledger *l)
{
	MDB_txn *t;
	uint64_t turn;
	int rc = mdb_txn_begin(l->env, NULL, 0, &t);

	if (rc != 0)
		return rc;
	rc = ledger_get_number(l, t, "turn", &turn);
	if (rc == 0 || rc == MDB_NOTFOUND)
		rc = ledger_set_number(l, t, "turn", turn + 1);
	if (rc == 0)
		return mdb_txn_commit(t);
	mdb_txn_abort(t);
	return rc;
}
