/* content.c - the message file of a message in the ledger, as a descriptor. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <postern/message/envelope.h>

#include "state.h"

static int
open_spooled(struct queue *q, struct id qid, const struct row_message *m, struct err *e)
{
	struct stat st;
	int fd = spool_get(&q->spool, qid);

	if (fd == -1 && errno == ENOENT) {
		err_perm(e, "the content of the message is lost", "its spool file is missing");
	} else if (fd == -1) {
		err_temp(e, SAY_LATER, "spool: open: %s", strerror(errno));
	} else if (fstat(fd, &st) == -1 || (uint64_t)st.st_size != m->file_size) {
		err_perm(e, "the content of the message is lost", "its spool file has another size");
		io_close(&fd);
	}
	return fd;
}

static int
copy_inline(struct str bytes, struct err *e)
{
	int fd = envelope_memfd();

	if (fd != -1 && io_write_all(fd, bytes) && envelope_seal(fd))
		return fd;
	err_temp(e, SAY_LATER, "memfd: %s", strerror(errno));
	io_close(&fd);
	return -1;
}

int
content_open(struct queue *q, struct id qid, struct err *e)
{
	struct row_message m;
	struct str bytes;
	MDB_txn *t = ledger_read(&q->ledger);
	int fd = -1;
	int rc;

	if (t == NULL) {
		err_temp(e, SAY_LATER, "queue.mdb: read");
		return -1;
	}
	rc = ledger_get_message(&q->ledger, t, qid, &m);
	if (rc == 0 && m.in_file)
		fd = open_spooled(q, qid, &m, e);
	else if (rc == 0 && (rc = ledger_get_content(&q->ledger, t, qid, &bytes)) == 0)
		fd = copy_inline(bytes, e);
	if (rc == MDB_NOTFOUND)
		err_perm(e, "the content of the message is lost", "no content in the ledger");
	else if (rc != 0)
		ledger_fail(e, rc, "content");
	mdb_txn_abort(t);
	return fd;
}
