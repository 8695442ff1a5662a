/* sort_key.c - every sort criterion: a row and its value, which is read or stands in the keys (RFC 5256 3; DISPLAYFROM, DISPLAYTO:
 * RFC 5957 3). */
#include "sort.h"

#include <postern/core/mem.h>

#include "commands.h"

static int64_t
arrival(const struct store_message *m, const struct mailkeys *k)
{
	(void)k;
	return m->internal_date;
}

static int64_t
size(const struct store_message *m, const struct mailkeys *k)
{
	(void)k;
	return (int64_t)m->size;
}

static int64_t
date(const struct store_message *m, const struct mailkeys *k)
{
	return mailkeys_sent(k, m);
}

#define NUMBER(name, keys, value) { STR_INIT(name), keys, value, 0, "SORT", "RFC 5256 3" }
#define TEXT(name, text) { STR_INIT(name), true, NULL, text, "SORT", "RFC 5256 3" }
#define DISPLAY(name, text) { STR_INIT(name), true, NULL, text, "SORT=DISPLAY", "RFC 5957 4" }

static const struct sort_row rows[] = {
	NUMBER("ARRIVAL", false, arrival),
	TEXT("CC", KEY_CC),
	NUMBER("DATE", true, date),
	DISPLAY("DISPLAYFROM", KEY_DISPLAY_FROM),
	DISPLAY("DISPLAYTO", KEY_DISPLAY_TO),
	TEXT("FROM", KEY_FROM),
	NUMBER("SIZE", false, size),
	TEXT("SUBJECT", KEY_BASE_SUBJECT),
	TEXT("TO", KEY_TO),
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
value_of(struct sort *o, const struct sort_row *row, const struct store_message *m, const struct mailkeys *k)
{
	union sort_value v = { .number = 0 };

	if (row->number != NULL) {
		v.number = row->number(m, k);
		return v;
	}
	v.text.at = (uint32_t)o->text.n;
	buf_add(&o->text, k->text[row->text]);
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
sort_add(struct sort *o, const struct store_message *m, const struct mailkeys *k, uint32_t seq)
{
	make_room(o);
	o->seq[o->n] = seq;
	for (size_t i = 0; i < o->nby; i++)
		o->values[o->n * o->nby + i] = value_of(o, o->by[i].row, m, k);
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
	if (row->number != NULL)
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
