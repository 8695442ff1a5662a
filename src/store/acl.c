/* acl.c - lists of rights: what they come to for somebody, and how they are changed (RFC 4314 2, 3). */
#include "acl.h"

#include <stdlib.h>

#include <postern/core/mem.h>

#include "annotation.h"
#include "shares.h"
#include "view.h"

/* --- reading --- */

static bool
row_of(struct snap *s, uint32_t mailbox, struct str identifier, unsigned *rights)
{
	struct str letters;

	*rights = 0;
	if (!annotation_get(s, T_RIGHTS, mailbox, identifier, &letters))
		return false;
	return store_rights_parse(letters, rights) || snap_fail(s, MDB_CORRUPTED);
}

/* "-" before the identifier. */
static unsigned
taken_from(struct snap *s, uint32_t mailbox, struct str identifier)
{
	char name[STORE_IDENTIFIER_SIZE + 1];
	unsigned rights;

	if (identifier.n >= sizeof name)
		return 0;
	name[0] = '-';
	memcpy(name + 1, identifier.p, identifier.n);
	row_of(s, mailbox, str_from(name, identifier.n + 1), &rights);
	return rights;
}

/* A name that begins with "-" has no row of its own: such a row is what somebody else is denied. */
static bool
given_to(struct snap *s, uint32_t mailbox, struct str who, unsigned *rights)
{
	*rights = 0;
	return !str_starts(who, STR("-")) && row_of(s, mailbox, who, rights);
}

unsigned
acl_rights(struct snap *s, uint32_t mailbox, struct str owner, struct str who)
{
	bool owns = str_eq(owner, who);
	unsigned own, all;

	if (!given_to(s, mailbox, who, &own) && owns)
		own = STORE_RIGHTS_ALL;
	row_of(s, mailbox, STR("anyone"), &all);
	own = (own | all) & ~taken_from(s, mailbox, who) & ~taken_from(s, mailbox, STR("anyone"));
	return owns ? own | STORE_RIGHTS_OWNER : own;
}

unsigned
store_rights(struct store_view *v, uint32_t mailbox, struct str who)
{
	return acl_rights(&v->s, mailbox, str_of(v->u->address), who);
}

unsigned
acl_granted(struct txn *t, const struct store_request *r, uint32_t mailbox)
{
	unsigned rights = STORE_RIGHTS_ALL;

	if (r->who[0] != '\0')
		rights = acl_rights(&t->s, mailbox, str_of(t->w->u->address), str_of(r->who));
	return rights & STORE_RIGHT_LOOKUP ? rights : 0;
}

bool
acl_refuse(struct store_request *r, unsigned granted)
{
	return request_refuse(r, granted == 0 ? STORE_NONEXISTENT : STORE_NOPERM, "%s: rights", r->who);
}

bool
acl_allows(struct txn *t, struct store_request *r, uint32_t mailbox, unsigned want)
{
	unsigned granted = acl_granted(t, r, mailbox);

	return (granted & want) == want || acl_refuse(r, granted);
}

struct listing {
	struct arena *arena;
	struct str owner;
	struct store_ace *p;
	size_t n;
};

static void
list_one(void *ctx, struct str name, struct str value)
{
	struct listing *l = ctx;
	unsigned rights;

	if (!store_rights_parse(value, &rights))
		return;
	if (str_eq(name, l->owner))
		l->p[0].rights = rights | STORE_RIGHTS_OWNER;
	else
		l->p[l->n++] = (struct store_ace){ arena_str(l->arena, name), rights };
}

size_t
store_acl(struct store_view *v, uint32_t mailbox, struct arena *a, struct store_ace **all)
{
	struct listing l = { .arena = a, .owner = arena_str(a, str_of(v->u->address)), .n = 1 };

	l.p = arena_array(a, annotation_count(&v->s, T_RIGHTS, mailbox) + 1, sizeof *l.p);
	l.p[0] = (struct store_ace){ l.owner, STORE_RIGHTS_ALL };
	annotation_each(&v->s, T_RIGHTS, mailbox, list_one, &l);
	*all = l.p;
	return l.n;
}

/* --- changing --- */

struct rights_request {
	struct store_request r;
	uint32_t to;
	char identifier[STORE_IDENTIFIER_SIZE + 1];
	enum store_rights_mode mode;
	unsigned rights;
	bool bad;
};

static bool
grants(const struct rights_request *q)
{
	return q->rights != 0 && (q->mode == STORE_RIGHTS_REPLACE || q->mode == STORE_RIGHTS_ADD);
}

/* A guest can be known before he has rights, never the other way round. Who is refused them in the end is forgotten when all that was
 * asked together is done. */
static bool
know_guest(struct work *w, struct store_request *r, struct str guest)
{
	struct str owner = str_of(w->u->address);

	if (!shares_has(w->store->shares, guest, owner) && shares_guests(w->store->shares, owner) >= STORE_GUESTS_MAX)
		return request_refuse(r, STORE_LIMIT, "%s: too many guests", w->u->address);
	w->rights = true;
	return shares_add(w->store->shares, guest, owner) || request_refuse_errno(r, SHARES_NAME);
}

static bool
prepare(struct work *w, struct store_request *r)
{
	const struct rights_request *q = (const struct rights_request *)r;

	if (q->bad)
		return request_refuse(r, STORE_CANNOT, "no such identifier can be");
	if (w->store->shares == NULL || !grants(q) || q->identifier[0] == '-' || strcmp(q->identifier, w->u->address) == 0)
		return true;
	return know_guest(w, r, str_of(q->identifier));
}

static void
put(struct txn *t, const struct rights_request *q, unsigned rights)
{
	struct buf letters;

	buf_init(&letters, 64);
	store_rights_write_members(&letters, rights);
	annotation_put(t, T_RIGHTS, q->to, str_of(q->identifier), buf_str(&letters));
	buf_fini(&letters);
}

/* What the identifier will have; an owner's rights are kept even if there are none, for without a row he has all. */
static void
change(struct txn *t, const struct rights_request *q)
{
	bool owns = strcmp(q->identifier, t->w->u->address) == 0;
	unsigned old, rights = q->rights;

	if (!row_of(&t->s, q->to, str_of(q->identifier), &old) && owns)
		old = STORE_RIGHTS_ALL;
	if (q->mode == STORE_RIGHTS_ADD)
		rights = old | q->rights;
	if (q->mode == STORE_RIGHTS_REMOVE)
		rights = old & ~q->rights;
	if (q->mode == STORE_RIGHTS_DELETE)
		rights = 0;
	if (rights == 0 && !owns)
		annotation_del(t, T_RIGHTS, q->to, str_of(q->identifier));
	else
		put(t, q, rights);
}

bool
acl_is_full(const struct txn *t)
{
	MDB_stat st;

	return t->s.rc == 0 && mdb_stat(t->s.mdb, t->s.ix->table[T_RIGHTS], &st) == 0 && st.ms_entries >= STORE_RIGHTS_ROWS_MAX;
}

static void
apply(struct txn *t, struct store_request *r)
{
	struct rights_request *q = (struct rights_request *)r;
	unsigned old;

	if (txn_mbox(t, q->to) == NULL) {
		request_refuse(r, STORE_NONEXISTENT, "no such mailbox");
		return;
	}
	if (!acl_allows(t, r, q->to, STORE_RIGHT_ADMIN))
		return;
	if (grants(q) && !row_of(&t->s, q->to, str_of(q->identifier), &old) &&
	    (annotation_count(&t->s, T_RIGHTS, q->to) >= STORE_ACL_MAX || acl_is_full(t))) {
		request_refuse(r, STORE_LIMIT, "%s: too many identifiers", t->w->u->address);
		return;
	}
	change(t, q);
	txn_todo(t, TODO_ANNOTATIONS, q->to, NULL, NULL);
	r->mailbox = q->to;
}

static void
events(struct work *w, const struct store_request *r)
{
	work_event(w, &(struct store_event){ .mailbox = r->mailbox, .kinds = STORE_EVENT_RIGHTS, .by = r->done.ctx });
}

static const struct request_kind kind = { .name = "rights", .prepare = prepare, .apply = apply, .events = events };

struct store_request *
store_set_rights(struct store_user *u, uint32_t mailbox, const struct store_ace *ace, enum store_rights_mode mode,
    struct store_done done)
{
	struct rights_request *q = (struct rights_request *)request_new(sizeof *q, &kind, done);

	q->to = mailbox;
	q->mode = mode;
	q->rights = ace->rights & STORE_RIGHTS_ALL;
	q->bad = !store_identifier_ok(ace->identifier);
	if (!q->bad)
		memcpy(q->identifier, ace->identifier.p, ace->identifier.n);
	return work_submit(u, &q->r);
}

void
acl_inherit(struct txn *t, uint32_t parent, uint32_t child)
{
	if (annotation_count(&t->s, T_RIGHTS, parent) == 0)
		return;
	annotation_copy(t, T_RIGHTS, parent, child);
	txn_todo(t, TODO_ANNOTATIONS, child, NULL, NULL);
}
