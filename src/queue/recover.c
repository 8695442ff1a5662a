/* recover.c - after a crash: what the ledger and the spool directory say of each other.
 *
 * A file is put and its name synced before its row is committed, and removed after the row is gone. So a crash
 * leaves files without rows, never rows without files: those mean that somebody else was at the directory, and
 * nothing is thrown away then. Unlinked files end with their last descriptor. */
#include "recover.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <postern/core/log.h>

enum { ORPHAN_AGE_S = 3600 }; /* younger files may be ones that an operator just brought back */

static bool
has_row(void *ctx, struct id qid)
{
	struct queue *q = ctx;
	struct row_message m;
	MDB_txn *t = ledger_read(&q->ledger);
	int rc;

	if (t == NULL)
		return true;
	rc = ledger_get_message(&q->ledger, t, qid, &m);
	mdb_txn_abort(t);
	return rc != MDB_NOTFOUND;
}

static bool
has_file(struct queue *q, struct id qid, const struct row_message *m)
{
	char name[ID_TEXT_SIZE];
	struct stat st;

	id_text(qid, name);
	return fstatat(q->spool.dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)st.st_size == m->file_size;
}

static int
hold_all(struct ledger *l, MDB_txn *t, struct id qid)
{
	struct row_recipient r;
	uint32_t at = 0;
	int rc;

	for (; (rc = ledger_next_recipient(l, t, qid, &at, &r)) == 0; at++) {
		r.state = QUEUE_HELD;
		r.status = STR("5.3.0");
		r.reason = STR("its spool file is missing or has another size");
		if ((rc = ledger_put_recipient(l, t, (struct ledger_key){ qid, at }, &r)) != 0)
			break;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
check_rows(struct queue *q, MDB_txn *t)
{
	struct id qid = { { 0 } };
	char name[ID_TEXT_SIZE];
	struct row_message m;
	int rc;

	while ((rc = ledger_next_message(&q->ledger, t, &qid, &m)) == 0) {
		if (!m.in_file || has_file(q, qid, &m))
			continue;
		id_text(qid, name);
		log_say(LEVEL_ERROR, "error",
		    "queue: spool/%s is missing or has another size; its recipients are held: bring it back and "
		    "release, or delete the message",
		    name);
		if ((rc = hold_all(&q->ledger, t, qid)) != 0)
			return rc;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

bool
recover(struct queue *q, struct err *e)
{
	MDB_txn *t;
	unsigned swept = spool_sweep(&q->spool, ORPHAN_AGE_S, has_row, q);
	int rc = mdb_txn_begin(q->ledger.env, NULL, 0, &t);

	if (swept > 0)
		log_say(LEVEL_INFO, "recover", "queue: %u spool files of unfinished messages removed", swept);
	if (rc != 0)
		return ledger_fail(e, rc, "begin");
	rc = check_rows(q, t);
	if (rc != 0) {
		mdb_txn_abort(t);
		return ledger_fail(e, rc, "read");
	}
	rc = mdb_txn_commit(t);
	return rc == 0 || ledger_fail(e, rc, "commit");
}
