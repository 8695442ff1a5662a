/* cachefill.c - cache rows of messages that came in, made after their UIDs are safe: a message that breaks the parser
 * has its UID already. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/mem.h>

#include "work.h"

enum {
	CACHE_SLICE = 50,         /* messages in one transaction */
	CACHE_ROW_MAX = 1 << 20,
};

void
wants_add(struct cache_want **list, uint32_t mailbox, const struct uidset *uids)
{
	struct cache_want *want;

	for (want = *list; want != NULL; want = want->next)
		if (want->mailbox == mailbox)
			break;
	if (want == NULL) {
		want = NEW(struct cache_want);
		want->mailbox = mailbox;
		want->next = *list;
		*list = want;
	}
	uidset_add_set(&want->uids, uids);
}

struct filled {
	uint32_t mailbox;
	uint32_t uid;
	struct store_made made;
};

static void
note(struct work *w, const struct mbox *m, const char *name)
{
	const struct store_config *c = &w->store->config;

	if (c->note != NULL)
		c->note(c->ctx, w->u->address, m->name, name);
}

static bool
has_row(struct snap *s, uint32_t mailbox, uint32_t uid)
{
	struct key k = key_message(mailbox, uid);
	MDB_val v;

	return snap_get(s, T_CACHE, key_val(&k), &v) && snap_get(s, T_KEYS, key_val(&k), &v);
}

static void
make_row(struct work *w, struct snap *s, const struct mbox *m, const struct mdir *d, uint32_t uid, struct filled *to)
{
	const struct store_config *c = &w->store->config;
	struct row_message row;
	char name[FNAME_SIZE];
	uint64_t size;
	int fd;

	buf_init(&to->made.row, CACHE_ROW_MAX);
	buf_init(&to->made.keys, CACHE_ROW_MAX);
	if (has_row(s, m->number, uid) || !message_read(s, m->number, uid, &row) || !file_read(s, m->number, uid, name))
		return;
	fd = mdir_open_message(d, name, &size);
	if (fd == -1)
		return;
	note(w, m, name);
	if (!c->make_cache(c->ctx, fd, size, row.lf != 0, &to->made) || to->made.row.over || to->made.keys.over)
		buf_fini(&to->made.row);
	io_close(&fd);
	to->mailbox = m->number;
	to->uid = uid;
}

/* Makes rows for the first messages of the list and takes them off it. */
static size_t
make_rows(struct work *w, struct filled *filled)
{
	struct cache_want *want = w->wants;
	struct mbox *m = NEW(struct mbox);
	struct mdir d;
	struct snap s;
	size_t n = 0;

	if (!work_snap(w, &s)) {
		free(m);
		return 0;
	}
	if (!mbox_read(&s, want->mailbox, m) || !mdir_open(w->u, m->dir, &d)) {
		uidset_clear(&want->uids);
	} else {
		for (uint32_t uid = uidset_first(&want->uids); uid != 0 && n < CACHE_SLICE;
		     uid = uidset_first(&want->uids)) {
			make_row(w, &s, m, &d, uid, &filled[n++]);
			uidset_remove(&want->uids, uid, uid);
		}
		mdir_close(&d);
	}
	work_snap_end(w, &s);
	free(m);
	return n;
}

static void
write_rows(struct work *w, struct filled *filled, size_t n)
{
	struct row_message row;
	struct txn t;

	if (n == 0 || w->rc != 0 || !work_begin(w, &t))
		return;
	for (size_t i = 0; i < n; i++) {
		struct key k = key_message(filled[i].mailbox, filled[i].uid);

		if (filled[i].made.row.n == 0 || !message_read(&t.s, filled[i].mailbox, filled[i].uid, &row))
			continue;
		snap_put(&t.s, T_CACHE, key_val(&k), str_val(buf_str(&filled[i].made.row)));
		snap_put(&t.s, T_KEYS, key_val(&k), str_val(buf_str(&filled[i].made.keys)));
	}
	work_commit(w, &t);
}

void
cache_fill(struct work *w)
{
	struct filled *filled = mem_array(CACHE_SLICE, sizeof *filled);
	size_t n = w->store->config.make_cache != NULL ? make_rows(w, filled) : 0;
	struct cache_want *done = w->wants;

	write_rows(w, filled, n);
	for (size_t i = 0; i < n; i++) {
		buf_fini(&filled[i].made.row);
		buf_fini(&filled[i].made.keys);
	}
	free(filled);
	if (w->store->config.make_cache != NULL && !uidset_empty(&done->uids))
		return;
	w->wants = done->next;
	uidset_fini(&done->uids);
	free(done);
}
