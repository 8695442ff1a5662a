/* sort_key.c - every sort criterion: a row and its value (RFC 5256 3; DISPLAYFROM, DISPLAYTO: RFC 5957 3). */
#include "sort.h"

#include <postern/core/mem.h>

#include "commands.h"
#include "subject.h"

static int64_t
arrival(const struct store_message *m, const struct mime_envelope *e)
{
	(void)e;
	return m->internal_date;
}

static int64_t
size(const struct store_message *m, const struct mime_envelope *e)
{
	(void)e;
	return (int64_t)m->size;
}

static void
subject(struct buf *out, const struct mime_envelope *e)
{
	subject_base(out, e->subject);
}

/* addr-mailbox of the first address; of a group it is the group's name (RFC 9051 7.5.2). */
static void
mailbox(struct buf *out, const struct addrlist *list)
{
	if (list->first != NULL)
		charset_fold(out, list->first->local);
}

static void
from(struct buf *out, const struct mime_envelope *e)
{
	mailbox(out, &e->from);
}

static void
to(struct buf *out, const struct mime_envelope *e)
{
	mailbox(out, &e->to);
}

static void
cc(struct buf *out, const struct mime_envelope *e)
{
	mailbox(out, &e->cc);
}

/* RFC 5957 3: the name, decoded; else mailbox@host; else the mailbox. */
static void
display(struct buf *out, const struct addrlist *list)
{
	const struct addrlist_item *a = list->first;
	size_t before = out->n;

	if (a == NULL)
		return;
	if (a->kind == ADDRLIST_MAILBOX)
		search_fold_text(out, a->display);
	if (out->n > before)
		return;
	charset_fold(out, a->local);
	if (a->kind == ADDRLIST_MAILBOX && a->domain.n > 0) {
		buf_add_char(out, '@');
		charset_fold(out, a->domain);
	}
}

static void
display_from(struct buf *out, const struct mime_envelope *e)
{
	display(out, &e->from);
}

static void
display_to(struct buf *out, const struct mime_envelope *e)
{
	display(out, &e->to);
}

#define NUMBER(name, envelope, value) { STR_INIT(name), false, envelope, value, NULL, "SORT", "RFC 5256 3" }
#define TEXT(name, write) { STR_INIT(name), true, true, NULL, write, "SORT", "RFC 5256 3" }
#define DISPLAY(name, write) { STR_INIT(name), true, true, NULL, write, "SORT=DISPLAY", "RFC 5957 4" }

static const struct sort_row rows[] = {
	NUMBER("ARRIVAL", false, arrival),
	TEXT("CC", cc),
	NUMBER("DATE", true, search_sent_date),
	DISPLAY("DISPLAYFROM", display_from),
	DISPLAY("DISPLAYTO", display_to),
	TEXT("FROM", from),
	NUMBER("SIZE", false, size),
	TEXT("SUBJECT", subject),
	TEXT("TO", to),
};
enum { ROWS = sizeof(rows) / sizeof(*rows) };

const struct sort_row *
sort_find(struct str name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (str_eq_nocase(rows[i].name, name))
			return &rows[i];
	return NULL;
}

/* What SORT promises besides its criteria: collation without case (RFC 5255 4.3), RETURN options (RFC 5267 3.1). */
void
sort_capabilities(struct buf *out)
{
	for (size_t i = 0; i < ROWS; i++)
		commands_add_capability(out, rows[i].capability);
	commands_add_capability(out, "ESORT");
	commands_add_capability(out, "I18NLEVEL=1");
}

/* --- values --- */

static union sort_value
value_of(struct sort *o, const struct sort_row *row, const struct store_message *m, const struct mime_envelope *e)
{
	union sort_value v = { .number = 0 };

	if (!row->text) {
		v.number = row->number(m, e);
		return v;
	}
	v.text.at = (uint32_t)o->text.n;
	row->write(&o->text, e);
	v.text.size = (uint32_t)(o->text.n - v.text.at);
	return v;
}

static void
make_room(struct sort *o)
{
	if (o->n < o->cap)
		return;
	o->cap += o->cap / 2 + 64;
	o->seq = mem_resize(o->seq, o->cap * sizeof(*o->seq));
	o->values = mem_resize(o->values, o->cap * o->nby * sizeof(*o->values));
}

bool
sort_add(struct sort *o, const struct store_message *m, const struct mime_envelope *e, uint32_t seq)
{
	make_room(o);
	o->seq[o->n] = seq;
	for (size_t i = 0; i < o->nby; i++)
		o->values[o->n * o->nby + i] = value_of(o, o->by[i].row, m, e);
	o->n++;
	return !o->text.over;
}

static struct str
text_of(const struct sort *o, const union sort_value *v)
{
	return str_sub(buf_str(&o->text), v->text.at, v->text.at + v->text.size);
}

static int
compare_values(const struct sort *o, const struct sort_row *row, const union sort_value *a, const union sort_value *b)
{
	if (!row->text)
		return (a->number > b->number) - (a->number < b->number);
	return str_cmp(text_of(o, a), text_of(o, b));
}

/* What is equal stays in the order of the mailbox: sorting is stable. */
int
sort_compare(const void *ctx, uint32_t a, uint32_t b)
{
	const struct sort *o = ctx;

	for (size_t i = 0; i < o->nby; i++) {
		int c = compare_values(o, o->by[i].row, &o->values[a * o->nby + i], &o->values[b * o->nby + i]);

		if (c != 0)
			return o->by[i].reverse ? -c : c;
	}
	return 0;
}
