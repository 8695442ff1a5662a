/* create.c - CREATE, and the folders everybody gets: directories first, durable; then the index knows them. */
#include "create.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern/core/mem.h>

#include "acl.h"
#include "name.h"

bool
create_dir_name(struct str name, char dir[static 256])
{
	struct buf b;
	bool ok;

	buf_init(&b, 255);
	ok = name_to_dir(&b, name);
	snprintf(dir, 256, "%s", buf_cstr(&b));
	buf_fini(&b);
	return ok;
}

static bool
exists(struct work *w, struct str name)
{
	struct row_name r = { 0 };
	struct snap s;

	if (work_snap(w, &s))
		name_read(&s, name, &r);
	work_snap_end(w, &s);
	return r.mailbox != 0;
}

/* Calls fn for each parent, from the top, and for the name itself. */
static bool
each_level(struct str name, bool (*fn)(void *ctx, struct str name), void *ctx)
{
	for (size_t i = 0; i <= name.n; i++)
		if ((i == name.n || name.p[i] == '/') && !fn(ctx, str_sub(name, 0, i)))
			return false;
	return true;
}

struct making {
	struct work *w;
	struct store_request *r;
};

static bool
make_level(void *ctx, struct str name)
{
	struct making *m = ctx;
	char dir[256];

	if (exists(m->w, name))
		return true;
	if (!create_dir_name(name, dir))
		return request_refuse(m->r, STORE_CANNOT, "a name is too long");
	if (!mdir_exists(m->w->u->maildir, dir)) {
		buf_add(&m->r->made, name);
		buf_add_char(&m->r->made, '\0');
	}
	return mdir_make(m->w->u, dir) || request_refuse_errno(m->r, "create");
}

bool
create_prepare(struct work *w, struct store_request *r, struct str name)
{
	struct making m = { w, r };

	return each_level(name, make_level, &m);
}

void
create_undo(struct work *w, struct store_request *r)
{
	struct str left = buf_str(&r->made), name;
	char dir[256];

	if (r->code == STORE_OK || w->rc != 0 || w->err.class != ERR_NONE)
		return;
	while (str_cut(&left, '\0', &name))
		if (!exists(w, name) && create_dir_name(name, dir))
			mdir_unmake(w->u, dir);
}

/* 0: none is above it. */
static uint32_t
nearest_above(struct txn *t, struct str name)
{
	struct row_name row = { 0 };

	while (row.mailbox == 0 && str_rfind(name, '/') < name.n) {
		name = str_sub(name, 0, str_rfind(name, '/'));
		name_read(&t->s, name, &row);
	}
	return row.mailbox;
}

bool
create_allowed(struct txn *t, struct store_request *r, struct str name)
{
	uint32_t above = nearest_above(t, name);

	if (above == 0 ? !r->is_guest : acl_granted(t, r, above) & STORE_RIGHT_CREATE)
		return true;
	return acl_refuse(r, STORE_RIGHT_LOOKUP);
}

struct adding {
	struct txn *t;
	struct store_request *r;
	struct open_mbox *o;
};

static bool
add_level(void *ctx, struct str name)
{
	struct adding *a = ctx;
	struct row_name r;
	char dir[256];
	uint32_t parent;

	name_read(&a->t->s, name, &r);
	if (r.mailbox != 0) {
		a->o = txn_mbox(a->t, r.mailbox);
		return true;
	}
	/* there when directories were made, so that it got none, and gone or renamed by this very commit */
	if (exists(a->t->w, name)) {
		a->o = NULL;
		return request_refuse(a->r, STORE_UNAVAILABLE, "the names changed meanwhile");
	}
	create_dir_name(name, dir);
	parent = a->o != NULL ? a->o->m.number : 0;
	a->o = txn_mbox_new(a->t, name, str_of(dir));
	txn_by(a->o, a->r);
	if (parent != 0)
		acl_inherit(a->t, parent, a->o->m.number);
	return true;
}

static bool
too_many(struct txn *t)
{
	MDB_stat st;

	return t->s.rc == 0 && mdb_stat(t->s.mdb, t->s.ix->table[T_MAILBOX], &st) == 0 &&
	    st.ms_entries + STORE_DEPTH_MAX > STORE_MAILBOXES_MAX;
}

struct open_mbox *
create_apply(struct txn *t, struct store_request *r, struct str name)
{
	struct adding a = { t, r, NULL };

	if (too_many(t) || acl_is_full(t)) { /* a new one inherits rights */
		request_refuse(r, STORE_LIMIT, "%s: too many mailboxes, or rights", t->w->u->address);
		return NULL;
	}
	each_level(name, add_level, &a);
	if (a.o != NULL) {
		r->mailbox = a.o->m.number;
		r->uidvalidity = a.o->m.row.uidvalidity;
	}
	return a.o;
}

struct create_request {
	struct store_request r;
	struct named named;
	enum store_use use;
};

static bool
prepare(struct work *w, struct store_request *r)
{
	struct create_request *q = (struct create_request *)r;

	if (!named_ok(r, &q->named))
		return false;
	if (exists(w, buf_str(&q->named.name)))
		return request_refuse(r, STORE_EXISTS, "a mailbox of that name exists");
	return create_prepare(w, r, buf_str(&q->named.name));
}

static void
apply(struct txn *t, struct store_request *r)
{
	struct create_request *q = (struct create_request *)r;
	struct row_name row;
	struct open_mbox *o;

	if (name_read(&t->s, buf_str(&q->named.name), &row) && row.mailbox != 0) {
		request_refuse(r, STORE_EXISTS, "a mailbox of that name exists");
		return;
	}
	if (!create_allowed(t, r, buf_str(&q->named.name)))
		return;
	o = create_apply(t, r, buf_str(&q->named.name));
	if (o != NULL)
		o->m.row.use = (uint32_t)q->use;
}

static void
fini(struct store_request *r)
{
	named_fini(&((struct create_request *)r)->named);
}

static const struct request_kind create_kind = { "create", prepare, apply, create_undo, fini, true, NULL };

struct store_request *
store_create(struct store_user *u, struct str name, enum store_use use, struct store_done done)
{
	struct create_request *q = (struct create_request *)request_new(sizeof *q, &create_kind, done);

	named_init(&q->named, name);
	q->use = use;
	return work_submit(u, &q->r);
}

/* -- names in requests -- */

void
named_init(struct named *n, struct str name)
{
	n->why = NULL;
	buf_init(&n->name, STORE_NAME_SIZE);
	name_canonical(&n->name, name, &n->why);
}

void
named_fini(struct named *n)
{
	buf_fini(&n->name);
}

bool
named_ok(struct store_request *r, const struct named *n)
{
	if (n->why == NULL)
		return true;
	request_refuse(r, STORE_CANNOT, "%s", n->why);
	r->err.say = n->why;
	return false;
}

/* -- default folders -- */

static const struct {
	const char *name;
	enum store_use use;
} defaults[] = {
	{ "Drafts", STORE_USE_DRAFTS },
	{ "Sent", STORE_USE_SENT },
	{ "Junk", STORE_USE_JUNK },
	{ "Trash", STORE_USE_TRASH },
	{ "Archive", STORE_USE_ARCHIVE },
};
enum { DEFAULTS = sizeof defaults / sizeof defaults[0] };

static bool
made_before(struct work *w)
{
	struct snap s;
	bool made = work_snap(w, &s) && meta_get(&s, META_DEFAULTS) != 0;

	work_snap_end(w, &s);
	return made;
}

static bool
defaults_prepare(struct work *w, struct store_request *r)
{
	if (made_before(w)) {
		r->skip = true;
		return true;
	}
	for (size_t i = 0; i < DEFAULTS; i++)
		if (!create_prepare(w, r, str_of(defaults[i].name)))
			return false;
	return true;
}

static void
subscribe(struct txn *t, struct str name, struct open_mbox *o)
{
	struct row_name row;

	name_read(&t->s, name, &row);
	row.subscribed = 1;
	name_write(&t->s, name, &row);
	o->m.row.subscribed = 1;
	o->dirty = o->sidecar = true;
	o->kinds |= STORE_EVENT_SUBSCRIBED;
}

static void
defaults_apply(struct txn *t, struct store_request *r)
{
	struct row_name row;
	struct open_mbox *o;

	if (r->skip)
		return;
	for (size_t i = 0; i < DEFAULTS && t->s.rc == 0; i++) {
		o = create_apply(t, r, str_of(defaults[i].name));
		if (o == NULL)
			return;
		if (o->m.row.use == STORE_USE_NONE)
			o->m.row.use = (uint32_t)defaults[i].use;
		subscribe(t, str_of(defaults[i].name), o);
	}
	if (name_read(&t->s, STR("INBOX"), &row) && (o = txn_mbox(t, row.mailbox)) != NULL)
		subscribe(t, STR("INBOX"), o);
	meta_put(&t->s, META_DEFAULTS, 1);
}

static const struct request_kind defaults_kind = { "defaults", defaults_prepare, defaults_apply, create_undo, NULL, true, NULL };

struct store_request *
store_make_defaults(struct store_user *u, struct store_done done)
{
	return work_submit(u, request_new(sizeof(struct store_request), &defaults_kind, done));
}
