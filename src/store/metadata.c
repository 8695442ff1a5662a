/* metadata.c - setting and reading annotations (RFC 5464 3). */
#include <postern/store/metadata.h>

#include <stdlib.h>

#include <postern/core/mem.h>

#include "acl.h"
#include "annotation.h"
#include "view.h"

/* No wildcards, no controls, no upper case: names are compared without it, so they are kept in one. */
static bool
is_entry_char(char c)
{
	return ascii_is_print(c) && c != '*' && c != '%' && ascii_lower(c) == c;
}

static bool
is_vendors(struct str entry, struct str vendor)
{
	return str_starts(entry, vendor) && (entry.n == vendor.n || entry.p[vendor.n] == '/');
}

/* RFC 5464 3.2: two components at least, and four in the vendors' part. */
static bool
is_deep_enough(struct str entry)
{
	size_t components = 0;

	for (size_t i = 0; i < entry.n; i++)
		components += entry.p[i] == '/';
	return components >= (is_vendors(entry, STR("/private/vendor")) || is_vendors(entry, STR("/shared/vendor")) ? 4 : 2);
}

bool
store_entry_ok(struct str entry)
{
	if (entry.n > STORE_ENTRY_SIZE || (!str_starts(entry, STR("/private/")) && !str_starts(entry, STR("/shared/"))))
		return false;
	for (size_t i = 0; i < entry.n; i++)
		if (!is_entry_char(entry.p[i]))
			return false;
	return entry.p[entry.n - 1] != '/' && str_search(entry, STR("//")) == entry.n && is_deep_enough(entry);
}

/* --- reading --- */

bool
store_metadata(struct store_view *v, uint32_t mailbox, struct str entry, struct str *value)
{
	return annotation_get(&v->s, T_METADATA, mailbox, entry, value);
}

struct listing {
	struct arena *arena;
	struct store_annotation *p;
	size_t n;
};

static void
list_one(void *ctx, struct str name, struct str value)
{
	struct listing *l = ctx;

	l->p[l->n++] = (struct store_annotation){ arena_str(l->arena, name), value, true };
}

size_t
store_metadata_list(struct store_view *v, uint32_t mailbox, struct arena *a, struct store_annotation **all)
{
	struct listing l = { a, NULL, 0 };

	l.p = arena_array(a, annotation_count(&v->s, T_METADATA, mailbox), sizeof *l.p);
	annotation_each(&v->s, T_METADATA, mailbox, list_one, &l);
	*all = l.p;
	return l.n;
}

/* --- setting --- */

struct metadata_request {
	struct store_request r;
	uint32_t to;
	struct arena arena;
	struct store_annotation *all;
	size_t n;
	bool sets_use;
	enum store_use use;
	struct uidset losers; /* mailboxes that lose this use */
	struct buf names; /* for the event: those that were set, each with a NUL behind it */
};

static bool
all_ok(const struct metadata_request *q)
{
	for (size_t i = 0; i < q->n; i++)
		if (!store_entry_ok(q->all[i].entry) || q->all[i].value.n > STORE_VALUE_MAX)
			return false;
	return !q->sets_use || q->to != 0;
}

static bool
prepare(struct work *w, struct store_request *r)
{
	(void)w;
	return all_ok((struct metadata_request *)r) || request_refuse(r, STORE_CANNOT, "no such annotation can be");
}

/* The same name comes again: the last one counts. */
static bool
is_overridden(const struct metadata_request *q, size_t at)
{
	for (size_t i = at + 1; i < q->n; i++)
		if (str_eq(q->all[i].entry, q->all[at].entry))
			return true;
	return false;
}

/* How many entries and bytes there will be; less is always allowed. */
static bool
has_room(struct txn *t, const struct metadata_request *q)
{
	size_t entries = annotation_count(&t->s, T_METADATA, q->to);
	uint64_t bytes = meta_get(&t->s, META_METADATA);
	bool more = false;

	for (size_t i = 0; i < q->n; i++) {
		const struct store_annotation *a = &q->all[i];
		struct str old = { 0 };
		bool have = annotation_get(&t->s, T_METADATA, q->to, a->entry, &old);

		if (is_overridden(q, i))
			continue;
		entries = entries + a->set - have;
		bytes = bytes + (a->set ? a->entry.n + a->value.n : 0) - (have ? a->entry.n + old.n : 0);
		more |= a->set && (!have || a->value.n > old.n);
	}
	return !more || (entries <= STORE_ENTRIES_MAX && bytes <= STORE_METADATA_MAX);
}

static void
set_use(struct txn *t, uint32_t mailbox, enum store_use use)
{
	struct open_mbox *o = txn_mbox(t, mailbox);

	if (o == NULL || o->m.row.use == (uint32_t)use)
		return;
	o->m.row.use = (uint32_t)use;
	o->dirty = true;
	txn_todo(t, TODO_SIDECAR, mailbox, NULL, NULL);
}

/* Other mailboxes with the use that is given away. */
static void
find_losers(struct txn *t, struct metadata_request *q)
{
	struct mbox *m = NEW(struct mbox);
	MDB_cursor *c = snap_cursor(&t->s, T_MAILBOX);
	MDB_val key, value;
	uint32_t number;

	uidset_clear(&q->losers);
	for (bool more = q->use != STORE_USE_NONE && snap_step(&t->s, c, &key, &value, MDB_FIRST); more;
	    more = snap_step(&t->s, c, &key, &value, MDB_NEXT))
		if (key_number(key, &number) && mbox_read(&t->s, number, m) && m->row.use == (uint32_t)q->use && number != q->to)
			uidset_add(&q->losers, number, number);
	cursor_close(c);
	free(m);
}

static void
move_use(struct txn *t, struct metadata_request *q)
{
	find_losers(t, q);
	for (uint32_t n = uidset_next(&q->losers, 1); n != 0; n = uidset_next(&q->losers, n + 1))
		set_use(t, n, STORE_USE_NONE);
	set_use(t, q->to, q->use);
	buf_add_cstr(&q->names, STORE_ENTRY_USE);
	buf_add_char(&q->names, '\0');
}

static void
put_one(struct txn *t, struct metadata_request *q, const struct store_annotation *a)
{
	if (a->set)
		annotation_put(t, T_METADATA, q->to, a->entry, a->value);
	else
		annotation_del(t, T_METADATA, q->to, a->entry);
	buf_add(&q->names, a->entry);
	buf_add_char(&q->names, '\0');
}

/* One right of several is enough (RFC 5464 3.3). */
static bool
may_annotate(struct txn *t, struct store_request *r, uint32_t mailbox)
{
	unsigned granted = acl_granted(t, r, mailbox);

	return granted & STORE_RIGHTS_ANNOTATE || acl_refuse(r, granted);
}

static void
apply(struct txn *t, struct store_request *r)
{
	struct metadata_request *q = (struct metadata_request *)r;

	buf_clear(&q->names);
	if (q->to != 0 && txn_mbox(t, q->to) == NULL) {
		request_refuse(r, STORE_NONEXISTENT, "no such mailbox");
		return;
	}
	if (q->to != 0 && !may_annotate(t, r, q->to))
		return;
	if (!has_room(t, q)) {
		request_refuse(r, STORE_LIMIT, "%s: too many annotations", t->w->u->address);
		return;
	}
	for (size_t i = 0; i < q->n; i++)
		put_one(t, q, &q->all[i]);
	if (q->n > 0)
		txn_todo(t, TODO_ANNOTATIONS, q->to, NULL, NULL);
	if (q->sets_use)
		move_use(t, q);
	r->mailbox = q->to;
}

static void
events(struct work *w, const struct store_request *r)
{
	const struct metadata_request *q = (const struct metadata_request *)r;

	work_event(w, &(struct store_event){ .mailbox = q->to,
	    .kinds = STORE_EVENT_METADATA,
	    .entries = buf_str(&q->names),
	    .by = r->done.ctx });
	for (uint32_t n = uidset_next(&q->losers, 1); n != 0; n = uidset_next(&q->losers, n + 1))
		work_event(w, &(struct store_event){ .mailbox = n,
		    .kinds = STORE_EVENT_METADATA,
		    .entries = STR(STORE_ENTRY_USE "\0"),
		    .by = r->done.ctx });
}

static void
fini(struct store_request *r)
{
	struct metadata_request *q = (struct metadata_request *)r;

	arena_fini(&q->arena);
	buf_fini(&q->names);
	uidset_fini(&q->losers);
}

static const struct request_kind kind = {
	.name = "metadata", .prepare = prepare, .apply = apply, .fini = fini, .events = events
};

struct store_request *
store_set_metadata(struct store_user *u, uint32_t mailbox, const struct store_annotation *all, size_t n,
    const enum store_use *use, struct store_done done)
{
	struct metadata_request *q = (struct metadata_request *)request_new(sizeof *q, &kind, done);

	q->to = mailbox;
	q->n = n;
	q->sets_use = use != NULL;
	q->use = use != NULL ? *use : STORE_USE_NONE;
	arena_init(&q->arena);
	buf_init(&q->names, SIZE_MAX);
	q->all = arena_array(&q->arena, n, sizeof *q->all);
	for (size_t i = 0; i < n; i++)
		q->all[i] = (struct store_annotation){ arena_str(&q->arena, all[i].entry),
			arena_str(&q->arena, all[i].value), all[i].set };
	return work_submit(u, &q->r);
}
