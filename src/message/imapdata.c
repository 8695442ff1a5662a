/* imapdata.c - reading the cache record: everything imaptext.c relies on is checked, so that kinds fit their children, and a message
 * has its envelope. */
#include <postern/message/imapdata.h>

#include <postern/core/cur.h>

#include "imapdata_wire.h"

struct reading {
	struct cur c;
	struct str lines;
	struct arena *a;
	struct mime *m;
};

static uint64_t
get_number(struct reading *r, uint64_t max)
{
	uint64_t n = 0;
	unsigned shift = 0;
	int b;

	if (cur_ok(&r->c) && r->c.p < r->c.end && (unsigned char)*r->c.p < 0x80 && (unsigned char)*r->c.p <= max)
		return (unsigned char)*r->c.p++; /* nearly all of them */
	do {
		b = cur_peek(&r->c);
		if (b < 0 || shift > 56) {
			cur_fail(&r->c, "number");
			return 0;
		}
		r->c.p++;
		n |= (uint64_t)(b & 0x7f) << shift;
		shift += 7;
	} while (b & 0x80);
	if (n > max)
		cur_fail(&r->c, "smaller number");
	return n <= max ? n : 0;
}

/* The length of a list whose items take at least this many bytes each. */
static size_t
get_count(struct reading *r, size_t item)
{
	return (size_t)get_number(r, cur_left(&r->c) / item);
}

/* A string that stands in the lines. */
static struct str
get_shared(struct reading *r, uint64_t n)
{
	uint64_t at = get_number(r, r->lines.n);

	if (n > r->lines.n - at || r->lines.p == NULL)
		cur_fail(&r->c, "a place in the lines");
	return cur_ok(&r->c) ? str_from(r->lines.p + at, (size_t)n) : (struct str){ 0 };
}

static struct str
get_str(struct reading *r)
{
	uint64_t n = get_number(r, 2 * (uint64_t)(cur_left(&r->c) + r->lines.n) + 2);

	if (n == 0)
		return (struct str){ 0 };
	return n % 2 == 1 ? cur_bytes(&r->c, (size_t)(n / 2)) : get_shared(r, n / 2 - 1);
}

/* A string that must be there. */
static struct str
get_some(struct reading *r)
{
	struct str s = get_str(r);

	if (s.p == NULL)
		cur_fail(&r->c, "string");
	return s;
}

static const struct param *
get_params(struct reading *r)
{
	size_t n = get_count(r, 2);
	struct param *list = n > 0 ? arena_array(r->a, n, sizeof *list) : NULL;

	for (size_t i = 0; i < n; i++) {
		list[i].name = get_some(r);
		list[i].value = get_some(r);
		list[i].next = i + 1 < n ? &list[i + 1] : NULL;
	}
	return list;
}

static struct mime_tag *
get_tags(struct reading *r)
{
	size_t n = get_count(r, 1);
	struct mime_tag *list = n > 0 ? arena_array(r->a, n, sizeof *list) : NULL;

	for (size_t i = 0; i < n; i++) {
		list[i].tag = get_some(r);
		list[i].next = i + 1 < n ? &list[i + 1] : NULL;
	}
	return list;
}

static void
get_addresses(struct reading *r, struct addrlist *list)
{
	size_t n = get_count(r, 5);
	struct addrlist_item *items = n > 0 ? arena_array(r->a, n, sizeof *items) : NULL;

	for (size_t i = 0; i < n; i++) {
		items[i].kind = (enum addrlist_kind)get_number(r, ADDRLIST_END);
		items[i].display = get_str(r);
		items[i].route = get_str(r);
		items[i].local = get_str(r);
		items[i].domain = get_str(r);
		items[i].next = i + 1 < n ? &items[i + 1] : NULL;
		list->mailboxes += items[i].kind == ADDRLIST_MAILBOX;
	}
	list->first = items;
	list->last = n > 0 ? &items[n - 1] : NULL;
	list->n = n;
}

static struct mime_envelope *
get_envelope(struct reading *r)
{
	struct mime_envelope *e = ARENA_NEW(r->a, struct mime_envelope);

	e->date = get_str(r);
	e->subject = get_str(r);
	get_addresses(r, &e->from);
	get_addresses(r, &e->sender);
	get_addresses(r, &e->reply_to);
	get_addresses(r, &e->to);
	get_addresses(r, &e->cc);
	get_addresses(r, &e->bcc);
	e->in_reply_to = get_str(r);
	e->message_id = get_str(r);
	e->references = get_str(r);
	return e;
}

static void
get_fields(struct reading *r, struct mime_part *part)
{
	part->type = get_some(r);
	part->subtype = get_some(r);
	part->params = get_params(r);
	part->id = get_str(r);
	part->description = get_str(r);
	part->encoding = get_some(r);
	part->md5 = get_str(r);
	part->disposition = get_str(r);
	part->disposition_params = get_params(r);
	part->language = get_tags(r);
	part->location = get_str(r);
	if (part->is_message)
		part->envelope = get_envelope(r);
}

/* One part without its children; *n is how many follow. */
static struct mime_part *
get_part(struct reading *r, size_t *n)
{
	struct mime_part *part = ARENA_NEW(r->a, struct mime_part);

	part->kind = (enum mime_kind)get_number(r, MIME_MESSAGE);
	part->is_message = get_number(r, 1) == 1;
	*n = (size_t)get_number(r, MIME_PARTS_MAX);
	part->header_at = get_number(r, r->m->size);
	part->header_size = get_number(r, r->m->size - part->header_at);
	part->body_at = part->header_at + part->header_size;
	part->body_size = get_number(r, r->m->size - part->body_at);
	part->lines = get_number(r, r->m->size);
	get_fields(r, part);
	if (++r->m->parts > MIME_PARTS_MAX)
		cur_fail(&r->c, "fewer parts");
	return part;
}

static bool
is_message_type(const struct mime_part *part)
{
	return str_eq(part->type, STR("message")) &&
	    (str_eq(part->subtype, STR("rfc822")) || str_eq(part->subtype, STR("global")));
}

static void
check_kind(struct reading *r, const struct mime_part *part, size_t n)
{
	bool fits = part->kind == MIME_LEAF        ? n == 0 && !is_message_type(part)
	            : part->kind == MIME_MULTIPART ? n > 0
	                                           : n == 1 && is_message_type(part);

	if (!fits)
		cur_fail(&r->c, "another number of children");
	if (part->parent != NULL && part->is_message != (part->parent->kind == MIME_MESSAGE))
		cur_fail(&r->c, "a message where one belongs");
}

/* A part and what is in it. The recursion ends at MIME_DEPTH_MAX. */
static struct mime_part *
get_tree(struct reading *r, struct mime_part *parent, unsigned depth)
{
	size_t n;
	struct mime_part *part = get_part(r, &n);
	struct mime_part **tail = &part->child;

	part->parent = parent;
	check_kind(r, part, n);
	if (depth == MIME_DEPTH_MAX && n > 0)
		cur_fail(&r->c, "fewer levels");
	for (size_t i = 0; i < n && cur_ok(&r->c); i++) {
		*tail = get_tree(r, part, depth + 1);
		tail = &(*tail)->next;
	}
	return part;
}

static bool
get_begin(struct reading *r)
{
	uint64_t flags;

	if (get_number(r, UINT32_MAX) != IMAPDATA_VERSION)
		return false;
	flags = get_number(r, FLAGS);
	r->m->has_nul = flags & FLAG_NUL;
	r->m->has_8bit = flags & FLAG_8BIT;
	r->m->has_bare_lf = flags & FLAG_BARE_LF;
	r->m->limited = flags & FLAG_LIMITED;
	r->m->size = get_number(r, INT64_MAX);
	return true;
}

const struct mime_envelope *
imapdata_read_envelope(struct arena *a, struct str record, struct str lines)
{
	struct reading r = { .c = cur_init(record), .lines = lines, .a = a, .m = ARENA_NEW(a, struct mime) };
	const struct mime_part *root;
	size_t n;

	if (!get_begin(&r))
		return NULL;
	root = get_part(&r, &n);
	return cur_ok(&r.c) ? root->envelope : NULL;
}

const struct mime *
imapdata_read(struct arena *a, struct str record, struct str lines)
{
	struct reading r = { .c = cur_init(record), .lines = lines, .a = a, .m = ARENA_NEW(a, struct mime) };

	if (!get_begin(&r))
		return NULL;
	r.m->root = get_tree(&r, NULL, 1);
	if (!r.m->root->is_message)
		cur_fail(&r.c, "a message");
	return cur_end(&r.c) ? r.m : NULL;
}
