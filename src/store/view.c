/* view.c - one snapshot of the index: headers, messages, cache rows, files. Lists are in list.c. */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

#include <postern/core/mem.h>

#include "copy.h"
#include "path.h"
#include "work.h"

static int
begin(struct store_user *u, struct store_view *v, struct index *ix)
{
	v->kept = !u->reader_taken;
	if (!v->kept)
		return mdb_txn_begin(ix->env, NULL, MDB_RDONLY, &v->s.mdb);
	if (u->reader == NULL) {
		int rc = mdb_txn_begin(ix->env, NULL, MDB_RDONLY, &u->reader);

		if (rc != 0)
			return rc;
	} else {
		int rc = mdb_txn_renew(u->reader);

		if (rc != 0)
			return rc;
	}
	u->reader_taken = true;
	v->s.mdb = u->reader;
	return 0;
}

struct store_view *
store_view_open_as(struct store_user *u, struct str who, struct err *e)
{
	struct store_view *v = store_view_open(u, e);

	if (v == NULL || str_eq(who, str_of(u->address)))
		return v;
	v->guest = NEW(struct guest);
	guest_init(v->guest, who);
	return v;
}

struct store_view *
store_view_open(struct store_user *u, struct err *e)
{
	struct index *ix = user_index(u, e);
	struct store_view *v;
	int rc;

	if (ix == NULL)
		return NULL;
	v = NEW(struct store_view);
	v->u = u;
	v->s.ix = ix;
	rc = begin(u, v, ix);
	if (rc == 0)
		return v;
	free(v);
	err_temp(e, SAY_LATER, "%s: index: %s", u->dir, mdb_strerror(rc));
	return NULL;
}

void
store_view_close(struct store_view *v)
{
	struct err e;

	if (v == NULL)
		return;
	if (v->kept) {
		mdb_txn_reset(v->s.mdb);
		v->u->reader_taken = false;
	} else {
		mdb_txn_abort(v->s.mdb);
	}
	if (index_is_damage(v->s.rc)) {
		err_temp(&e, SAY_LATER, "index: %s", mdb_strerror(v->s.rc));
		user_break(v->u, &e);
	}
	free(v->guest);
	free(v);
}

struct str
store_view_owner(const struct store_view *v)
{
	return str_of(v->u->address);
}

bool
store_view_failed(const struct store_view *v)
{
	return v->s.rc != 0;
}

struct mbox *
view_mbox(struct store_view *v, uint32_t mailbox)
{
	if (v->m.number == mailbox && mailbox != 0)
		return &v->m;
	if (mbox_read(&v->s, mailbox, &v->m))
		return &v->m;
	v->m.number = 0;
	return NULL;
}

char *
view_dir(struct store_view *v, uint32_t mailbox)
{
	struct mbox *m = view_mbox(v, mailbox);

	return m != NULL ? mem_cstr(str_of(m->dir)) : NULL;
}

static uint32_t
unseen_of(struct store_view *v, const struct mbox *m)
{
	uint32_t seen;

	if (v->guest == NULL)
		return m->row.unseen;
	seen = guest_count(&v->s, v->guest, m->number);
	return seen < m->row.messages ? m->row.messages - seen : 0;
}

bool
store_mailbox(struct store_view *v, uint32_t mailbox, struct store_mailbox *out)
{
	struct mbox *m = view_mbox(v, mailbox);

	if (m == NULL)
		return false;
	*out = (struct store_mailbox){
		.number = mailbox,
		.id = m->row.id,
		.uidvalidity = m->row.uidvalidity,
		.uidnext = m->row.uidnext,
		.highestmodseq = m->row.modseq,
		.messages = m->row.messages,
		.unseen = unseen_of(v, m),
		.deleted = m->row.deleted,
		.bytes = m->row.bytes,
		.deleted_bytes = m->row.deleted_bytes,
		.use = (enum store_use)m->row.use,
	};
	return true;
}

struct str
store_mailbox_name(struct store_view *v, uint32_t mailbox, struct arena *a)
{
	struct mbox *m = view_mbox(v, mailbox);

	return m != NULL ? arena_str(a, str_of(m->name)) : STR("");
}

size_t
store_keywords(struct store_view *v, uint32_t mailbox, struct str names[static STORE_KEYWORDS_MAX])
{
	struct mbox *m = view_mbox(v, mailbox);
	size_t n = m != NULL ? mbox_keywords(m) : 0;

	for (size_t i = 0; i < n; i++)
		names[i] = str_of(m->keywords[i]);
	return n;
}

/* -- messages -- */

static uint32_t
flags_of(struct store_view *v, uint32_t mailbox, uint32_t uid, const struct row_message *r)
{
	if (v->guest == NULL)
		return r->flags;
	return (r->flags & ~(uint32_t)STORE_SEEN) | (guest_has_seen(&v->s, v->guest, mailbox, uid) ? STORE_SEEN : 0);
}

static void
fill(struct store_view *v, uint32_t mailbox, struct store_message *out, uint32_t uid, const struct row_message *r)
{
	*out = (struct store_message){
		.uid = uid,
		.flags = flags_of(v, mailbox, uid, r),
		.keywords = r->keywords,
		.modseq = r->modseq,
		.internal_date = r->internal_date,
		.save_date = r->save_date,
		.size = r->size,
		.lf = r->lf != 0,
	};
}

void
store_scan_open(struct store_scan *s, struct store_view *v, uint32_t mailbox, uint32_t from)
{
	*s = (struct store_scan){ snap_cursor(&v->s, T_MESSAGE), v, mailbox, from > 0 ? from : 1, 0 };
}

void
store_scan_seek(struct store_scan *s, uint32_t from)
{
	s->from = from > 0 ? from : 1;
}

bool
store_scan_next(struct store_scan *s, struct store_message *m)
{
	struct row_message row;
	MDB_val key, value;
	struct key from;
	uint32_t uid;
	bool found;

	if (s->from > 0) {
		from = key_message(s->mailbox, s->from);
		key = key_val(&from);
		found = snap_step(&s->view->s, s->cursor, &key, &value, MDB_SET_RANGE);
		s->from = 0;
	} else {
		found = snap_step(&s->view->s, s->cursor, &key, &value, MDB_NEXT);
	}
	if (!found || !key_uid(key, s->mailbox, &uid) || !message_decode(&s->view->s, value, &row))
		return false;
	s->at = uid;
	fill(s->view, s->mailbox, m, uid, &row);
	return true;
}

bool
store_scan_find(struct store_scan *s, uint32_t uid, struct store_message *m)
{
	if (s->from == 0 && uid > s->at && store_scan_next(s, m) && m->uid == uid)
		return true;
	store_scan_seek(s, uid);
	return store_scan_next(s, m) && m->uid == uid;
}

void
store_scan_close(struct store_scan *s)
{
	cursor_close(s->cursor);
	s->cursor = NULL;
}

bool
store_message(struct store_view *v, uint32_t mailbox, uint32_t uid, struct store_message *m)
{
	struct row_message row;

	if (!message_read(&v->s, mailbox, uid, &row))
		return false;
	fill(v, mailbox, m, uid, &row);
	return true;
}

uint32_t
store_first_unseen(struct store_view *v, uint32_t mailbox)
{
	struct mbox *m = view_mbox(v, mailbox);
	struct store_message message = { 0 };
	struct store_scan scan;
	bool found = false;

	if (m == NULL || unseen_of(v, m) == 0)
		return 0;
	store_scan_open(&scan, v, mailbox, 1);
	while (!found && store_scan_next(&scan, &message))
		found = (message.flags & STORE_SEEN) == 0;
	store_scan_close(&scan);
	return found ? message.uid : 0;
}

bool
email_id_of(struct snap *s, uint32_t mailbox, uint32_t uid, struct id *id)
{
	struct key k = key_message(mailbox, uid);
	char name[FNAME_SIZE];
	struct fname f;
	MDB_val v;

	if (snap_get(s, T_IDS, key_val(&k), &v)) {
		if (v.mv_size != sizeof *id)
			return snap_fail(s, MDB_CORRUPTED);
		memcpy(id, v.mv_data, sizeof *id);
		return true;
	}
	if (!file_read(s, mailbox, uid, name) || !fname_parse(str_of(name), &f))
		return false;
	if (!fname_id(&f, id)) /* somebody else's base name is as unique as his */
		crypto_generichash(id->b, sizeof id->b, (const unsigned char *)f.base.p, f.base.n, NULL, 0);
	return true;
}

bool
store_email_id(struct store_view *v, uint32_t mailbox, uint32_t uid, struct id *id)
{
	return email_id_of(&v->s, mailbox, uid, id);
}

/* Not under its name: still in tmp/ or new/, or renamed by somebody else. Each directory is listed once. */
static int
open_elsewhere(const struct mdir *d, struct str base, uint64_t *size)
{
	char name[FNAME_SIZE];
	int fd;

	snprintf(name, sizeof name, "%.*s", STR_ARG(base));
	fd = path_open_file(d->tmp, name, size);
	if (fd == -1 && mdir_find(d->cur, base, name))
		fd = path_open_file(d->cur, name, size);
	if (fd == -1 && mdir_find(d->fresh, base, name))
		fd = path_open_file(d->fresh, name, size);
	return fd;
}

static int
open_file(struct store_view *v, const struct mbox *m, const char *name, uint64_t *size)
{
	char path[2 * FNAME_SIZE + 8];
	struct fname f;
	struct mdir d;
	int fd;

	snprintf(path, sizeof path, "%s%scur/%s", m->dir, m->dir[0] != '\0' ? "/" : "", name);
	fd = path_open_file(v->u->maildir, path, size);
	if (fd != -1 || errno != ENOENT || !mdir_open(v->u, m->dir, &d))
		return fd;
	fname_parse(str_of(name), &f);
	fd = open_elsewhere(&d, f.base, size);
	mdir_close(&d);
	errno = ENOENT;
	return fd;
}

bool
store_message_open(struct store_view *v, uint32_t mailbox, uint32_t uid, struct store_file *f, struct err *e)
{
	struct mbox *m = view_mbox(v, mailbox);
	struct row_message row;
	char name[FNAME_SIZE];

	*f = (struct store_file){ .fd = -1 };
	if (m == NULL || !message_read(&v->s, mailbox, uid, &row) || !file_read(&v->s, mailbox, uid, name))
		return err_temp(e, SAY_LATER, "%s: message %u of mailbox %u is gone", v->u->dir, uid, mailbox);
	f->lf = row.lf != 0;
	f->fd = open_file(v, m, name, &f->size);
	if (f->fd != -1)
		return true;
	err_temp(e, SAY_LATER, "%s/%s: open %s: %s", v->u->dir, m->dir, name, strerror(errno));
	if (errno == ENOENT)
		store_refresh(v->u, mailbox, (struct store_done){ 0 });
	return false;
}

/* -- changes -- */

static void
changes_by_rows(struct store_view *v, uint32_t mailbox, uint64_t since, struct store_changes *c)
{
	struct key from = key_change(mailbox, since + 1);
	MDB_val key = key_val(&from), value;
	MDB_cursor *cursor = snap_cursor(&v->s, T_CHANGE);
	uint64_t modseq;

	for (bool more = snap_step(&v->s, cursor, &key, &value, MDB_SET_RANGE);
	     more && key_modseq(key, mailbox, &modseq); more = snap_step(&v->s, cursor, &key, &value, MDB_NEXT))
		change_decode(&v->s, value, &c->changed, &c->gone);
	cursor_close(cursor);
	uidset_sort(&c->changed);
	uidset_sort(&c->gone);
	uidset_remove_set(&c->changed, &c->gone);
}

/* Older than the oldest row: every message tells by its modseq, and what is not there has gone. */
static void
changes_by_scan(struct store_view *v, uint32_t mailbox, uint64_t since, uint32_t uidnext, struct store_changes *c)
{
	struct store_message m;
	struct store_scan scan;
	uint32_t next = 1;

	store_scan_open(&scan, v, mailbox, 1);
	while (store_scan_next(&scan, &m)) {
		if (m.uid > next)
			uidset_add(&c->gone, next, m.uid - 1);
		if (m.modseq > since)
			uidset_add(&c->changed, m.uid, m.uid);
		next = m.uid + 1;
	}
	store_scan_close(&scan);
	if (uidnext > next)
		uidset_add(&c->gone, next, uidnext - 1);
}

bool
store_changes(struct store_view *v, uint32_t mailbox, uint64_t since, struct store_changes *c)
{
	struct mbox *m = view_mbox(v, mailbox);

	uidset_clear(&c->changed);
	uidset_clear(&c->gone);
	if (m == NULL)
		return false;
	c->highestmodseq = m->row.modseq;
	if (since >= m->row.modseq)
		return true;
	if (since >= m->row.change_floor)
		changes_by_rows(v, mailbox, since, c);
	else
		changes_by_scan(v, mailbox, since, m->row.uidnext, c);
	return !store_view_failed(v);
}
