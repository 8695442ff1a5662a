/* sort_key.c - every sort criterion: a row and its value, which is read or stands in the keys (RFC 5256 3; DISPLAYFROM, DISPLAYTO:
 * RFC 5957 3; RELEVANCY: RFC 6203 6). */
#include "sort.h"

#include <postern/core/mem.h>

#include "commands.h"
#include "rows.h"

static int64_t
arrival(const struct sort *o, const struct store_message *m, const struct mailkeys *k)
{
	(void)o;
	(void)k;
	return m->internal_date;
}

static int64_t
size(const struct sort *o, const struct store_message *m, const struct mailkeys *k)
{
	(void)o;
	(void)k;
	return (int64_t)m->size;
}

static int64_t
date(const struct sort *o, const struct store_message *m, const struct mailkeys *k)
{
	(void)o;
	return mailkeys_sent(k, m);
}

/* RFC 6203 6: the highest comes first. */
static int64_t
relevancy(const struct sort *o, const struct store_message *m, const struct mailkeys *k)
{
	(void)k;
	return -(int64_t)scores_of(&o->search.scores, m->uid);
}

#define NUMBER(name, keys, value) { STR_INIT(name), keys, value, 0, false, "SORT", "RFC 5256 3" }
#define TEXT(name, text) { STR_INIT(name), true, NULL, text, false, "SORT", "RFC 5256 3" }
#define DISPLAY(name, text) { STR_INIT(name), true, NULL, text, false, "SORT=DISPLAY", "RFC 5957 4" }

static const struct sort_row rows[] = {
	NUMBER("ARRIVAL", false, arrival),
	TEXT("CC", KEY_CC),
	NUMBER("DATE", true, date),
	DISPLAY("DISPLAYFROM", KEY_DISPLAY_FROM),
	DISPLAY("DISPLAYTO", KEY_DISPLAY_TO),
	TEXT("FROM", KEY_FROM),
	{ STR_INIT("RELEVANCY"), false, relevancy, 0, true, NULL, "RFC 6203 6" },
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

void
sort_rows(const struct rows *r)
{
	for (size_t i = 0; i < ROWS; i++)
		rows_show(r, "SORT criterion", rows[i].name, rows[i].capability, rows[i].rfc);
}

/* --- values --- */

static int64_t
value_of(struct sort *o, const struct sort_row *row, const struct store_message *m, const struct mailkeys *k)
{
	return row->number != NULL ? row->number(o, m, k) : ranks_add(&o->texts, k->text[row->text]);
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

void
sort_add(struct sort *o, const struct store_message *m, const struct mailkeys *k, uint32_t seq)
{
	make_room(o);
	o->seq[o->n] = seq;
	for (size_t i = 0; i < o->nby; i++)
		o->values[o->n * o->nby + i] = value_of(o, o->by[i].row, m, k);
	o->n++;
}

/* --- sorting --- */

static int64_t
value(const struct sort *o, uint32_t item)
{
	return o->values[item * o->nby + o->sorting - 1];
}

static int
compare_numbers(const void *ctx, uint32_t a, uint32_t b)
{
	const struct sort *o = ctx;
	int64_t x = value(o, a), y = value(o, b);
	int c = (x > y) - (x < y);

	return o->by[o->sorting - 1].reverse ? -c : c;
}

static uint32_t
rank_of(const void *ctx, uint32_t item)
{
	const struct sort *o = ctx;
	uint32_t rank = o->texts.rank[value(o, item)];

	return o->by[o->sorting - 1].reverse ? o->texts.n - 1 - rank : rank;
}

/* What is equal stays in the order of the criteria behind this one, at last in that of the mailbox: sorting is stable. */
bool
sort_step(struct sort *o, size_t budget)
{
	bool done;

	if (o->order.p == NULL) {
		order_init(&o->order, o->n);
		o->sorting = o->nby;
	}
	if (!ranks_step(&o->texts, budget))
		return false;
	if (o->by[o->sorting - 1].row->number != NULL)
		done = order_step(&o->order, compare_numbers, o, budget);
	else
		done = order_by_rank(&o->order, rank_of, o->texts.n, o, budget);
	if (!done || --o->sorting == 0)
		return done;
	order_again(&o->order);
	return false;
}
