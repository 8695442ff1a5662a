/* carry.c - COPY from one user's mailbox into another's: the bytes of each file, made durable in the target's tmp/, then one commit
 * there. Their directories have no file in common: who ends one account ends no message of the other, and neither pays for the
 * other's quota.
 *
 * What is to be copied is read in the loop, from one snapshot of the source; the work is the target's. A file that has another name by
 * then is looked for by its base name, one that is gone is passed over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "acl.h"
#include "copy.h"
#include "view.h"

struct carried {
	uint32_t uid;
	struct row_message row; /* with the flags that `who` sees */
	struct id email;
	const char *name;       /* in the source's cur/ */
	uint64_t file_size;
	char base[FNAME_BASE_SIZE];
	bool linked;            /* tmp/<base> of the target is there */
	bool taken;
};

struct carry_request {
	struct store_request r;
	struct store_user *source; /* counted */
	struct mbox *from;         /* as it was then */
	uint32_t to;
	char to_dir[256];
	uint64_t limit;
	int64_t clock;
	struct arena arena;
	struct carried *p;
	size_t n;
	enum store_code code;      /* why it cannot be done */
};

/* --- in the loop: what there is --- */

static void
list_one(struct carry_request *q, struct store_view *v, const struct store_message *m)
{
	struct carried *c = &q->p[q->n];
	char name[FNAME_SIZE];

	*c = (struct carried){ .uid = m->uid };
	if (!message_read(&v->s, q->from->number, m->uid, &c->row) || !file_read(&v->s, q->from->number, m->uid, name) ||
	    !email_id_of(&v->s, q->from->number, m->uid, &c->email))
		return;
	c->row.flags = m->flags;
	c->name = arena_cstr(&q->arena, str_of(name));
	q->n++;
}

static void
list_sources(struct carry_request *q, struct store_view *v, const struct uidset *uids)
{
	struct store_message m;
	struct store_scan scan;

	q->p = arena_array(&q->arena, STORE_CARRY_MAX < uidset_count(uids) ? STORE_CARRY_MAX : uidset_count(uids), sizeof *q->p);
	store_scan_open(&scan, v, q->from->number, 1);
	for (size_t i = 0; i < uids->n; i++) {
		store_scan_seek(&scan, uids->p[i].first);
		while (store_scan_next(&scan, &m) && m.uid <= uids->p[i].last && q->n < STORE_CARRY_MAX)
			list_one(q, v, &m);
	}
	store_scan_close(&scan);
}

static bool
may_read(const struct carry_request *q, struct store_view *v, uint32_t from)
{
	enum { WANT = STORE_RIGHT_LOOKUP | STORE_RIGHT_READ };

	return (store_rights(v, from, str_of(q->r.who)) & WANT) == WANT;
}

static void
look_at_source(struct carry_request *q, uint32_t from, const struct uidset *uids)
{
	struct err e;
	struct store_view *v = store_view_open_as(q->source, str_of(q->r.who), &e);

	q->code = STORE_UNAVAILABLE;
	if (v == NULL)
		return;
	q->code = mbox_read(&v->s, from, q->from) ? STORE_OK : STORE_NONEXISTENT;
	if (q->code == STORE_OK && !may_read(q, v, from))
		q->code = STORE_NOPERM;
	if (q->code == STORE_OK)
		list_sources(q, v, uids);
	if (store_view_failed(v))
		q->code = STORE_UNAVAILABLE;
	store_view_close(v);
}

/* --- in the thread: the files --- */

/* Of one that is there under another name. */
static bool
copy_elsewhere(struct work *w, const struct mdir *from, struct carried *c, int tmp)
{
	char name[FNAME_SIZE];
	struct fname f;

	return fname_parse(str_of(c->name), &f) && mdir_find(from->cur, f.base, name) &&
	    copy_bytes(w, from, name, tmp, c->base, &c->row.internal_date);
}

static bool
carry_one(struct work *w, struct carry_request *q, const struct mdir *from, int tmp, struct carried *c)
{
	struct stat st;

	fname_base(c->base, q->clock, id_new(), w->store->config.host);
	c->linked = copy_bytes(w, from, c->name, tmp, c->base, &c->row.internal_date);
	if (!c->linked && errno == ENOENT)
		c->linked = copy_elsewhere(w, from, c, tmp);
	if (!c->linked)
		return errno == ENOENT; /* one that is gone is passed over */
	if (fstatat(tmp, c->base, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return false;
	c->file_size = (uint64_t)st.st_size;
	return true;
}

static bool
carry_all(struct work *w, struct carry_request *q, const struct mdir *from, int tmp)
{
	uint64_t size = 0;

	for (size_t i = 0; i < q->n; i++)
		size += q->p[i].row.size;
	if (!blob_has_room(w->store, tmp, size))
		return false;
	q->r.goal = q->n;
	for (size_t i = 0; i < q->n; i++, q->r.progress = i)
		if (!carry_one(w, q, from, tmp, &q->p[i]))
			return false;
	return fsync(tmp) == 0;
}

static bool
carry_files(struct work *w, struct carry_request *q)
{
	struct mdir from, to;
	bool ok;

	if (!mdir_open(q->source, q->from->dir, &from))
		return false;
	ok = mdir_open(w->u, q->to_dir, &to);
	if (ok) {
		ok = carry_all(w, q, &from, to.tmp);
		mdir_close(&to);
	}
	mdir_close(&from);
	return ok;
}

static bool
carry_prepare(struct work *w, struct store_request *r)
{
	struct carry_request *q = (struct carry_request *)r;
	struct mbox *m = NEW(struct mbox);
	struct snap s;
	bool ok = work_snap(w, &s) && mbox_read(&s, q->to, m);

	work_snap_end(w, &s);
	memcpy(q->to_dir, m->dir, sizeof q->to_dir);
	free(m);
	if (q->code != STORE_OK)
		return request_refuse(r, q->code, "copy from %s", store_user_address(q->source).p);
	if (!ok)
		return request_refuse(r, STORE_NONEXISTENT, "mailbox %u", q->to);
	return carry_files(w, q) || request_refuse_errno(r, "copy");
}

/* --- in the transaction --- */

static bool
fits(struct txn *t, const struct carry_request *q)
{
	uint64_t size = 0;

	for (size_t i = 0; i < q->n; i++)
		size += q->p[i].linked ? q->p[i].row.size : 0;
	return q->limit == 0 || meta_get(&t->s, META_BYTES) + (uint64_t)t->bytes_delta + size <= q->limit;
}

/* Who puts it there, as the owner of the target or his guest, and what he may mark it with. */
struct taking {
	struct txn *t;
	struct carry_request *q;
	struct open_mbox *to;
	unsigned rights;
	struct guest guest;
	uint64_t bits[STORE_KEYWORDS_MAX];
};

static void
take_one(struct taking *k, struct carried *c)
{
	struct row_message row = c->row;
	struct fname f = { .base = str_of(c->base) };
	uint32_t uid = txn_next_uid(k->to);
	struct key key = key_message(k->to->m.number, uid);
	char name[FNAME_SIZE];
	bool seen;

	c->taken = true;
	row.flags &= store_rights_flags(k->rights);
	seen = row.flags & STORE_SEEN;
	if (k->q->r.is_guest)
		row.flags &= ~(uint32_t)STORE_SEEN;
	row.keywords = copy_mapped(row.keywords, k->bits);
	row.modseq = k->to->m.row.modseq;
	row.save_date = wall_seconds(wall_now());
	fname_write(name, &f, c->file_size, uid, row.flags, row.keywords, STR(""));
	snap_put(&k->t->s, T_IDS, key_val(&key), str_val(str_from(&c->email, sizeof c->email)));
	txn_add(k->t, k->to, uid, &row, name);
	if (k->q->r.is_guest && seen)
		guest_set_seen(&k->t->s, &k->guest, k->to->m.number, uid, true);
	uidset_add(&k->q->r.uids, uid, uid);
	uidset_add(&k->q->r.source, c->uid, c->uid);
}

static void
take_all(struct txn *t, struct carry_request *q, struct open_mbox *to)
{
	struct taking k = { .t = t, .q = q, .to = to, .rights = acl_granted(t, &q->r, to->m.number) };
	struct uidset none;

	guest_init(&k.guest, str_of(q->r.who));
	if (k.rights & STORE_RIGHT_WRITE)
		copy_map_keywords(q->from, to, k.bits);
	q->r.modseq = txn_bump(to);
	for (size_t i = 0; i < q->n && t->s.rc == 0; i++)
		if (q->p[i].linked)
			take_one(&k, &q->p[i]);
	guest_flush(&t->s, &k.guest);
	uidset_init(&none);
	change_write(&t->s, &to->m, &q->r.uids, &none);
	txn_todo(t, TODO_PLACE, to->m.number, &q->r.uids, NULL);
}

static void
carry_apply(struct txn *t, struct store_request *r)
{
	struct carry_request *q = (struct carry_request *)r;
	struct open_mbox *to = txn_mbox(t, q->to);

	if (to == NULL || strcmp(to->m.dir, q->to_dir) != 0) {
		request_refuse(r, STORE_NONEXISTENT, "mailbox %u", q->to);
		return;
	}
	if (!acl_allows(t, r, q->to, STORE_RIGHT_INSERT))
		return;
	if (!fits(t, q)) {
		request_refuse(r, STORE_OVERQUOTA, "%s: over quota", t->w->u->address);
		return;
	}
	r->mailbox = q->to;
	r->uidvalidity = to->m.row.uidvalidity;
	if (q->n > 0)
		take_all(t, q, to);
}

/* --- its end --- */

static void
carry_after(struct work *w, struct store_request *r)
{
	struct carry_request *q = (struct carry_request *)r;
	bool done = r->code == STORE_OK && w->rc == 0 && w->err.class == ERR_NONE;
	struct mdir d;

	if (!mdir_open(w->u, q->to_dir, &d))
		return;
	for (size_t i = 0; i < q->n; i++)
		if (q->p[i].linked && !(done && q->p[i].taken))
			unlinkat(d.tmp, q->p[i].base, 0);
	mdir_close(&d);
}

static void
carry_fini(struct store_request *r)
{
	struct carry_request *q = (struct carry_request *)r;

	store_user_unref(q->source);
	free(q->from);
	arena_fini(&q->arena);
}

static const struct request_kind carry_kind = { "carry", carry_prepare, carry_apply, carry_after, carry_fini, false, NULL };

struct store_request *
store_carry(struct store_user *u, uint32_t from, const struct uidset *uids, struct store_user *target, uint32_t to,
    uint64_t limit, struct store_done done)
{
	struct carry_request *q = (struct carry_request *)request_new(sizeof *q, &carry_kind, done);

	ASSERT(done.who.n > 0); /* neither account is the other's */
	store_user_ref(u);
	q->source = u;
	q->from = NEW(struct mbox);
	q->r.look = to;
	q->to = to;
	q->limit = limit;
	q->clock = store_clock_next(target->store);
	arena_init(&q->arena);
	if (uidset_count(uids) > STORE_CARRY_MAX)
		q->code = STORE_LIMIT;
	else
		look_at_source(q, from, uids);
	return work_submit(target, &q->r);
}
