/* fetch_unasked.c - data of messages for which there is no command: items that NOTIFY and UPDATE named (RFC 5465 5.2, 7). */
#include "fetch.h"

#include "uidonly.h"

struct fetch *
fetch_new_unasked(struct arena *arena)
{
	struct fetch *f = ARENA_NEW(arena, struct fetch);

	letter_init(&f->letter);
	f->items = NULL;
	return f;
}

static bool
has_label(const struct fetch *f, const struct fetch_item *i)
{
	for (size_t n = 0; n < f->n; n++)
		if (str_eq(f->items[n].label, i->label))
			return true;
	return false;
}

/* Nothing sets \Seen: the client has not asked for this message. */
static void
add(struct fetch *f, const struct fetch_item *i)
{
	if (has_label(f, i))
		return;
	f->items[f->n] = *i;
	f->items[f->n].flags &= ~(unsigned)FETCH_SEEN;
	f->flags |= f->items[f->n].flags;
	f->lines |= i->lines;
	f->n++;
}

void
fetch_add_unasked(struct arena *arena, struct fetch *f, const struct fetch *from)
{
	struct fetch_item *items = arena_array(arena, f->n + from->n + FETCH_IMPLIED, sizeof(*items));

	if (f->n > 0)
		memcpy(items, f->items, f->n * sizeof(*items));
	f->items = items;
	for (size_t i = 0; i < from->n; i++)
		add(f, &from->items[i]);
}

void
fetch_begin_unasked(struct imap_session *s, struct command *run, const struct uidset *seqs)
{
	struct fetch *f = run->args;
	struct lex nothing = lex_init(STR(""), &run->arena);

	if (!s->uidonly)
		fetch_add_named(&nothing, f, STR("UID"));
	if (s->condstore)
		fetch_add_named(&nothing, f, STR("MODSEQ"));
	fetch_order_items(f, &run->arena);
	uidset_copy(&f->seqs, seqs);
	f->next = uidset_first(&f->seqs);
	run->step = fetch_walk_step;
}
