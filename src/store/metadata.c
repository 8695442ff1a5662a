/* metadata.c - setting and reading annotations (RFC 5464 3). */
#include <postern/store/metadata.h>

#include <stdlib.h>

#include <postern/core/mem.h>

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
	struct buf names; /* for the event: those that were set, each with a NUL behind it */
};

static bool
all_ok(const struct metadata_request *q)
{
	for (size_t i = 0; i < q->n; i++)
		if (!store_entry_ok(q->all[i].entry) || q->all[i].value.n > STORE_VALUE_MAX)
			return false;
	return true;
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
put_one(struct txn *t, struct metadata_request *q, const struct store_annotation *a)
{
	if (a->set)
		annotation_put(t, T_METADATA, q->to, a->entry, a->value);
	else
		annotation_del(t, T_METADATA, q->to, a->entry);
	buf_add(&q->names, a->entry);
	buf_add_char(&q->names, '\0');
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
	if (!has_room(t, q)) {
		request_refuse(r, STORE_LIMIT, "%s: too many annotations", t->w->u->address);
		return;
	}
	for (size_t i = 0; i < q->n; i++)
		put_one(t, q, &q->all[i]);
	txn_todo(t, TODO_ANNOTATIONS, q->to, NULL, NULL);
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
}

static void
fini(struct store_request *r)
{
	struct metadata_request *q = (struct metadata_request *)r;

	arena_fini(&q->arena);
	buf_fini(&q->names);
}

static const struct request_kind kind = {
	.name = "metadata", .prepare = prepare, .apply = apply, .fini = fini, .events = events
};

struct store_request *
store_set_metadata(struct store_user *u, uint32_t mailbox, const struct store_annotation *all, size_t n,
    struct store_done done)
{
	struct metadata_request *q = (struct metadata_request *)request_new(sizeof *q, &kind, done);

	q->to = mailbox;
	q->n = n;
	arena_init(&q->arena);
	buf_init(&q->names, SIZE_MAX);
	q->all = arena_array(&q->arena, n, sizeof *q->all);
	for (size_t i = 0; i < n; i++)
		q->all[i] = (struct store_annotation){ arena_str(&q->arena, all[i].entry),
			arena_str(&q->arena, all[i].value), all[i].set };
	return work_submit(u, &q->r);
}
