/* store_rows.c - rows of an index with any bytes in them: refused or understood, never out of bounds. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/log.h>

#include "../../src/store/schema.h"
#include "fuzz.h"

static struct index ix;

static void
quiet(void *ctx, struct str line)
{
	(void)ctx;
	(void)line;
}

static void
open_index(void)
{
	char dir[] = "/dev/shm/postern-fuzz-XXXXXX", path[100];
	struct err e;

	if (ix.env != NULL)
		return;
	log_to(quiet, NULL);
	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(path, sizeof path, "%s/index.mdb", dir);
	if (!index_open(&ix, path, 1 << 26, true, &e))
		abort();
	unlink(path);
	snprintf(path, sizeof path, "%s/index.mdb-lock", dir);
	unlink(path);
	rmdir(dir);
}

static void
read_all(struct snap *s, struct str name)
{
	static struct mbox m;
	struct row_message message;
	struct uidset changed, gone;
	struct row_name r;
	struct todo t;
	struct key k = key_change(1, 1);
	char file[256];
	MDB_val v;

	mbox_read(s, 1, &m);
	s->rc = 0;
	name_read(s, name, &r);
	s->rc = 0;
	message_read(s, 1, 1, &message);
	s->rc = 0;
	file_read(s, 1, 1, file);
	s->rc = 0;
	todo_init(&t);
	todo_first(s, 0, &t);
	todo_fini(&t);
	s->rc = 0;
	uidset_init(&changed);
	uidset_init(&gone);
	if (snap_get(s, T_CHANGE, key_val(&k), &v))
		change_decode(s, v, &changed, &gone);
	uidset_fini(&changed);
	uidset_fini(&gone);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct key mailbox = key_mailbox(1), message = key_message(1, 1), change = key_change(1, 1), todo = key_todo(1);
	MDB_val v = str_val(str_from(p, n)), name = str_val(STR("x"));
	struct snap s = { .ix = &ix };

	if (n > 60000)
		return 0;
	open_index();
	if (mdb_txn_begin(ix.env, NULL, 0, &s.mdb) != 0)
		abort();
	snap_put(&s, T_MAILBOX, key_val(&mailbox), v);
	snap_put(&s, T_NAME, name, v);
	snap_put(&s, T_MESSAGE, key_val(&message), v);
	snap_put(&s, T_FILE, key_val(&message), v);
	snap_put(&s, T_CHANGE, key_val(&change), v);
	snap_put(&s, T_TODO, key_val(&todo), v);
	if (s.rc != 0)
		abort();
	read_all(&s, STR("x"));
	mdb_txn_abort(s.mdb);
	return 0;
}
