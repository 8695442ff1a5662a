/* copy.c - COPY and MOVE: links in the target's tmp/ first, so that a full disk shows before anything is promised; then
 * one commit for both mailboxes; then the names, and for a move the end of the old files. */
#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/mem.h>

#include "acl.h"
#include "path.h"

enum { CACHE_COPIES = 1000 }; /* of more messages the cache rows are made anew in the background */

void
copy_fini(struct copy *c)
{
	uidset_fini(&c->set);
	free(c->p);
}

static struct copied *
note(struct copy *c, uint32_t uid)
{
	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? 16 : c->cap * 2;
		c->p = mem_resize(c->p, c->cap * sizeof *c->p);
	}
	c->p[c->n] = (struct copied){ .uid = uid };
	return &c->p[c->n++];
}

static void
list_sources(struct snap *s, struct copy *c)
{
	MDB_cursor *cursor = snap_cursor(s, T_MESSAGE);

	for (size_t i = 0; i < c->set.n; i++) {
		struct key from = key_message(c->from, c->set.p[i].first);
		MDB_val key = key_val(&from), value;
		uint32_t uid;

		for (bool more = snap_step(s, cursor, &key, &value, MDB_SET_RANGE);
		    more && key_uid(key, c->from, &uid) && uid <= c->set.p[i].last;
		    more = snap_step(s, cursor, &key, &value, MDB_NEXT))
			note(c, uid);
	}
	cursor_close(cursor);
}

/* Not under its name: still in tmp/ or new/, or renamed by somebody else. */
static bool
link_elsewhere(const struct mdir *from, struct str base, int tmp, const char *to)
{
	char name[FNAME_SIZE];

	snprintf(name, sizeof name, "%.*s", STR_ARG(base));
	if (linkat(from->tmp, name, tmp, to, 0) == 0)
		return true;
	if (mdir_find(from->cur, base, name) && linkat(from->cur, name, tmp, to, 0) == 0)
		return true;
	return mdir_find(from->fresh, base, name) && linkat(from->fresh, name, tmp, to, 0) == 0;
}

bool
copy_bytes(struct work *w, const struct mdir *from, const char *name, int tmp, const char *to, const int64_t *date)
{
	uint64_t size;
	int fd = mdir_open_message(from, name, &size);
	struct blob b;
	bool ok;

	blob_init(&b);
	ok = fd != -1 && blob_open(w->store, &b, tmp);
	while (ok && size > 0) {
		ssize_t n = copy_file_range(fd, NULL, b.fd, NULL, size, 0);

		ok = n > 0;
		size -= ok ? (uint64_t)n : 0;
	}
	ok = ok && (date == NULL || blob_set_date(&b, *date)) && fsync(b.fd) == 0 && blob_link(w->store, &b, tmp, to);
	blob_close(&b);
	io_close(&fd);
	return ok;
}

static bool
link_one(struct work *w, struct snap *s, const struct copy *c, const struct mdir *from, int tmp, struct copied *to)
{
	char name[FNAME_SIZE];
	struct fname f;

	if (!file_read(s, c->from, to->uid, name))
		return s->rc == 0;
	fname_parse(str_of(name), &f);
	fname_base(to->base, c->clock, id_new(), w->store->config.host);
	to->linked = linkat(from->cur, name, tmp, to->base, 0) == 0;
	if (!to->linked && errno == ENOENT)
		to->linked = link_elsewhere(from, f.base, tmp, to->base);
	if (!to->linked && (errno == EMLINK || errno == EXDEV))
		to->linked = copy_bytes(w, from, name, tmp, to->base, NULL);
	return to->linked || errno == ENOENT; /* one that is gone is passed over */
}

static bool
link_all(struct work *w, struct snap *s, struct copy *c, const struct mbox *m)
{
	struct mdir from, to;
	bool ok;

	if (!mdir_open(w->u, m->dir, &from))
		return false;
	ok = mdir_open(w->u, c->to_dir, &to);
	if (ok) {
		ok = blob_has_room(w->store, to.tmp, 0);
		c->r->goal = c->n;
		for (size_t i = 0; ok && i < c->n; i++, c->r->progress = i)
			ok = link_one(w, s, c, &from, to.tmp, &c->p[i]);
		ok = ok && fsync(to.tmp) == 0;
		mdir_close(&to);
	}
	mdir_close(&from);
	return ok;
}

bool
copy_prepare(struct work *w, struct copy *c)
{
	struct mbox *m = NEW(struct mbox);
	struct snap s;
	bool ok;

	errno = ENOENT;
	ok = work_snap(w, &s) && mbox_read(&s, c->from, m);
	if (ok) {
		memcpy(c->from_dir, m->dir, sizeof c->from_dir);
		list_sources(&s, c);
		ok = s.rc == 0 && link_all(w, &s, c, m);
	}
	work_snap_end(w, &s);
	free(m);
	return ok;
}

void
copy_clean(struct work *w, struct copy *c)
{
	struct mdir d;
	int kept = errno;

	if (!mdir_open(w->u, c->to_dir, &d))
		return;
	for (size_t i = 0; i < c->n; i++)
		if (c->p[i].linked && !c->p[i].taken)
			unlinkat(d.tmp, c->p[i].base, 0);
	mdir_close(&d);
	errno = kept;
}

void
copy_map_keywords(const struct mbox *from, struct open_mbox *to, uint64_t bits[static STORE_KEYWORDS_MAX])
{
	size_t n = mbox_keywords(from);

	for (size_t i = 0; i < STORE_KEYWORDS_MAX; i++) {
		struct str name = str_of(from->keywords[i]);

		bits[i] = 0;
		if (i < n && !txn_keywords(to, &name, 1, true, &bits[i]))
			bits[i] = 0;
	}
}

uint64_t
copy_mapped(uint64_t keywords, const uint64_t bits[static STORE_KEYWORDS_MAX])
{
	uint64_t to = 0;

	for (size_t i = 0; keywords != 0 && i < STORE_KEYWORDS_MAX; i++, keywords >>= 1)
		if ((keywords & 1) != 0)
			to |= bits[i];
	return to;
}

static void
copy_row(struct txn *t, enum table table, struct key from, struct key to)
{
	MDB_val v;
	struct buf b;

	if (!snap_get(&t->s, table, key_val(&from), &v))
		return;
	buf_init(&b, SIZE_MAX / 2); /* the bytes found may move while another row is written */
	buf_add(&b, val_str(v));
	snap_put(&t->s, table, key_val(&to), str_val(buf_str(&b)));
	buf_fini(&b);
}

static void
name_copy(struct txn *t, const struct copy *c, const struct copied *p, uint32_t uid, const struct row_message *row,
    char out[static FNAME_SIZE])
{
	char old[FNAME_SIZE];
	struct fname f;

	file_read(&t->s, c->from, p->uid, old);
	fname_parse(str_of(old), &f);
	f.base = str_of(p->base);
	if (!fname_write(out, &f, row->size, uid, row->flags, row->keywords, STR(""))) {
		f.fields = STR("");
		f.has_size = false;
		fname_write(out, &f, row->size, uid, row->flags, row->keywords, STR(""));
	}
}

static void
show_seen(struct txn *t, struct copy *c, uint32_t uid, struct row_message *row)
{
	row->flags &= ~(uint32_t)STORE_SEEN;
	if (guest_has_seen(&t->s, &c->seen, c->from, uid))
		row->flags |= STORE_SEEN;
}

/* What is known of the message beside its row: its id, and where they are not many, what was made of its text. */
static void
copy_facts(struct txn *t, const struct copy *c, struct key old, struct key fresh, uint32_t uid)
{
	struct id id;

	if (email_id_of(&t->s, c->from, uid, &id))
		snap_put(&t->s, T_IDS, key_val(&fresh), str_val(str_from(&id, sizeof id)));
	if (c->n > CACHE_COPIES)
		return;
	copy_row(t, T_CACHE, old, fresh);
	copy_row(t, T_KEYS, old, fresh);
}

/* Those that may be set there. True when \Seen is a guest's own, and is to be noted for him: the row keeps the owner's, who has seen
 * what is moved as before. */
static bool
take_flags(struct txn *t, struct copy *c, uint32_t uid, struct row_message *row)
{
	uint32_t owners = c->move ? row->flags & STORE_SEEN : 0;
	bool seen;

	if (c->r->is_guest)
		show_seen(t, c, uid, row);
	row->flags &= c->flags;
	if (!c->r->is_guest)
		return false;
	seen = row->flags & STORE_SEEN;
	row->flags = (row->flags & ~(uint32_t)STORE_SEEN) | owners;
	return seen;
}

static void
take_one(struct txn *t, struct copy *c, struct open_mbox *from, struct open_mbox *to, struct copied *p,
    const uint64_t bits[static STORE_KEYWORDS_MAX])
{
	struct row_message row;
	char name[FNAME_SIZE];
	uint32_t uid;
	bool seen;

	p->taken = p->linked && message_read(&t->s, c->from, p->uid, &row);
	if (!p->taken)
		return;
	uid = txn_next_uid(to);
	copy_facts(t, c, key_message(c->from, p->uid), key_message(to->m.number, uid), p->uid);
	if (c->move)
		txn_remove(t, from, p->uid, &row);
	seen = take_flags(t, c, p->uid, &row);
	row.keywords = copy_mapped(row.keywords, bits);
	row.modseq = to->m.row.modseq;
	row.save_date = wall_seconds(wall_now());
	name_copy(t, c, p, uid, &row, name);
	txn_add(t, to, uid, &row, name);
	if (seen)
		guest_set_seen(&t->s, &c->shown, to->m.number, uid, true);
	uidset_add(&c->r->uids, uid, uid);
	uidset_add(&c->r->source, p->uid, p->uid);
}

static uint64_t
size_of(struct txn *t, const struct copy *c)
{
	struct row_message row;
	uint64_t size = 0;

	for (size_t i = 0; i < c->n; i++)
		if (c->p[i].linked && message_read(&t->s, c->from, c->p[i].uid, &row))
			size += row.size;
	return size;
}

/* Which flags and keywords the copies have. */
static void
find_rights(struct txn *t, struct copy *c, const struct open_mbox *from, struct open_mbox *to,
    uint64_t bits[static STORE_KEYWORDS_MAX])
{
	unsigned rights = c->limited ? acl_granted(t, c->r, to->m.number) : STORE_RIGHTS_ALL;

	guest_init(&c->seen, str_of(c->r->who));
	guest_init(&c->shown, str_of(c->r->who));
	c->flags = store_rights_flags(rights);
	memset(bits, 0, STORE_KEYWORDS_MAX * sizeof *bits);
	if (rights & STORE_RIGHT_WRITE)
		copy_map_keywords(&from->m, to, bits);
}

void
copy_take(struct txn *t, struct copy *c, struct open_mbox *from, struct open_mbox *to)
{
	uint64_t bits[STORE_KEYWORDS_MAX];
	struct uidset none;

	if (c->limit > 0 && meta_get(&t->s, META_BYTES) + (uint64_t)t->bytes_delta + size_of(t, c) > c->limit) {
		request_refuse(c->r, STORE_OVERQUOTA, "%s: over quota", t->w->u->address);
		return;
	}
	c->r->mailbox = to->m.number;
	c->r->uidvalidity = to->m.row.uidvalidity;
	if (c->n == 0)
		return;
	uidset_init(&none);
	find_rights(t, c, from, to, bits);
	c->r->modseq = txn_bump(to);
	if (c->move && from != to)
		c->r->modseq = txn_bump(from);
	for (size_t i = 0; i < c->n && t->s.rc == 0; i++)
		take_one(t, c, from, to, &c->p[i], bits);
	guest_flush(&t->s, &c->shown);
	change_write(&t->s, &to->m, &c->r->uids, &none);
	txn_todo(t, TODO_PLACE, to->m.number, &c->r->uids, NULL);
	if (!c->move)
		return;
	change_write(&t->s, &from->m, &none, &c->r->source);
	txn_todo(t, TODO_MOVED, from->m.number, &c->r->source, NULL);
}

/* -- the requests -- */

struct copy_request {
	struct store_request r;
	struct copy c;
	uint32_t to;
};

static bool
request_prepare(struct work *w, struct store_request *r)
{
	struct copy_request *q = (struct copy_request *)r;
	struct mbox *m = NEW(struct mbox);
	struct snap s;
	bool ok = work_snap(w, &s) && mbox_read(&s, q->to, m);

	work_snap_end(w, &s);
	memcpy(q->c.to_dir, m->dir, sizeof q->c.to_dir);
	free(m);
	if (!ok)
		return request_refuse(r, STORE_NONEXISTENT, "mailbox %u", q->to);
	if (copy_prepare(w, &q->c))
		return true;
	return request_refuse_errno(r, q->c.move ? "move" : "copy");
}

/* Of the source he knows: it is no other mailbox that is missing when he may not use it any more. */
static bool
may(struct txn *t, const struct copy_request *q)
{
	unsigned want = STORE_RIGHT_READ | (q->c.move ? STORE_RIGHT_DELETE | STORE_RIGHT_EXPUNGE : 0);

	if ((acl_granted(t, q->c.r, q->c.from) & want) != want)
		return acl_refuse(q->c.r, STORE_RIGHT_LOOKUP);
	return acl_allows(t, q->c.r, q->to, STORE_RIGHT_INSERT);
}

static void
request_apply(struct txn *t, struct store_request *r)
{
	struct copy_request *q = (struct copy_request *)r;
	struct open_mbox *from = txn_mbox(t, q->c.from), *to = txn_mbox(t, q->to);

	if (from == NULL || to == NULL || strcmp(to->m.dir, q->c.to_dir) != 0)
		request_refuse(r, STORE_NONEXISTENT, "mailbox %u or %u", q->c.from, q->to);
	else if (may(t, q))
		copy_take(t, &q->c, from, to);
}

static void
request_after(struct work *w, struct store_request *r)
{
	struct copy_request *q = (struct copy_request *)r;

	if (r->code != STORE_OK || w->rc != 0 || w->err.class != ERR_NONE)
		for (size_t i = 0; i < q->c.n; i++)
			q->c.p[i].taken = false;
	copy_clean(w, &q->c);
}

static void
request_fini(struct store_request *r)
{
	copy_fini(&((struct copy_request *)r)->c);
}

static const struct request_kind copy_kind = { "copy", request_prepare, request_apply, request_after, request_fini,
	false, NULL };

static struct store_request *
submit(struct store_user *u, uint32_t from, const struct uidset *uids, uint32_t to, uint64_t limit, bool move,
    struct store_done done)
{
	struct copy_request *q = (struct copy_request *)request_new(sizeof *q, &copy_kind, done);

	q->r.look = to;
	q->to = to;
	q->c.r = &q->r;
	q->c.from = from;
	q->c.limit = limit;
	q->c.move = move;
	q->c.limited = true;
	q->c.clock = store_clock_next(u->store);
	uidset_copy(&q->c.set, uids);
	return work_submit(u, &q->r);
}

struct store_request *
store_copy(struct store_user *u, uint32_t from, const struct uidset *uids, uint32_t to, uint64_t limit, struct store_done done)
{
	return submit(u, from, uids, to, limit, false, done);
}

struct store_request *
store_move(struct store_user *u, uint32_t from, const struct uidset *uids, uint32_t to, struct store_done done)
{
	return submit(u, from, uids, to, 0, true, done);
}
