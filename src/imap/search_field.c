/* search_field.c - envelope and header as SEARCH looks into them: each text is decoded and folded once per message, however
 * many keys ask. */
#include "search.h"

#include <postern/message/header.h>

enum {
	ADDRESSES_MAX = 256 * 1024, /* octets of a list of addresses that are looked at */
};

size_t
search_reach(size_t strings)
{
	size_t reach = strings > 0 ? SEARCH_REACH_ALL / strings : SEARCH_REACH_ALL;

	return reach > SEARCH_REACH_MIN ? reach : SEARCH_REACH_MIN;
}

/* As much of the text as is left to the key. */
static struct str
within_reach(struct search *q, struct str text, size_t *left)
{
	text = str_sub(text, 0, *left);
	*left -= text.n;
	q->looked += text.n;
	return text;
}

/* An address as people write it: display name, then the address in brackets. Items are apart by NUL, which no needle
 * holds. */
static void
add_address(struct buf *out, const struct addrlist_item *a)
{
	buf_add(out, a->display);
	buf_add_cstr(out, a->kind == ADDRLIST_MAILBOX ? " <" : " ");
	buf_add(out, a->local);
	if (a->kind == ADDRLIST_MAILBOX) {
		buf_add_char(out, '@');
		buf_add(out, a->domain);
		buf_add_char(out, '>');
	}
}

static void
fold_addresses(struct buf *out, const struct addrlist *list)
{
	struct buf one;

	buf_init(&one, ADDRESSES_MAX);
	for (const struct addrlist_item *a = list->first; a != NULL && out->n < ADDRESSES_MAX; a = a->next) {
		if (a->kind == ADDRLIST_END)
			continue;
		buf_clear(&one);
		add_address(&one, a);
		search_fold_text(out, buf_str(&one));
		buf_add_char(out, '\0');
	}
	buf_fini(&one);
}

void
search_fold_field(struct buf *out, const struct mime_envelope *e, enum search_field field)
{
	const struct addrlist *const lists[] = { [FIELD_FROM] = &e->from, [FIELD_TO] = &e->to, [FIELD_CC] = &e->cc,
		[FIELD_BCC] = &e->bcc };

	if (field == FIELD_SUBJECT)
		search_fold_text(out, e->subject);
	else
		fold_addresses(out, lists[field]);
}

static struct search_folded *
keep(struct search *q, struct str name, struct str text)
{
	struct search_folded *f = ARENA_NEW(&q->folds, struct search_folded);

	f->name = name;
	f->text = arena_str(&q->folds, text);
	return f;
}

bool
search_in_field(struct search *q, enum search_field field, const struct search_key *k)
{
	size_t left = search_reach(q->nneedles);
	struct buf text;

	if (q->field[field] == NULL) {
		buf_init(&text, SIZE_MAX);
		search_fold_field(&text, search_envelope(q), field);
		q->field[field] = keep(q, STR(""), buf_str(&text));
		q->looked += text.n;
		buf_fini(&text);
	}
	return search_holds(k, within_reach(q, q->field[field]->text, &left));
}

void
search_fold_header(struct search *q, struct str header)
{
	struct search_folded **tail = &q->header;
	struct header_walk w = header_begin(header);
	struct header_field f;
	struct buf text;

	buf_init(&text, SIZE_MAX);
	while (header_next(&w, &f)) {
		buf_clear(&text);
		search_fold_text(&text, f.value);
		*tail = keep(q, arena_str(&q->folds, f.name), buf_str(&text));
		tail = &(*tail)->next;
		q->looked += text.n;
	}
	buf_fini(&text);
}

/* The words may stand in different fields of the name. */
static bool
in_header_fuzzily(struct search *q, const struct search_key *k)
{
	size_t left = search_reach(q->nneedles);
	bool any = false;

	fuzzy_begin(k->fuzzy);
	for (const struct search_folded *f = q->header; f != NULL; f = f->next)
		if (str_eq_nocase(f->name, k->word)) {
			fuzzy_see_text(k->fuzzy, within_reach(q, f->text, &left));
			any = true;
		}
	return any && fuzzy_score(k->fuzzy) > 0;
}

/* Any field of that name; an empty needle asks whether there is one. */
bool
search_in_header(struct search *q, const struct search_key *k)
{
	size_t left = search_reach(q->nneedles);

	if (k->fuzzy != NULL)
		return in_header_fuzzily(q, k);
	for (const struct search_folded *f = q->header; f != NULL; f = f->next)
		if (str_eq_nocase(f->name, k->word) && search_contains(within_reach(q, f->text, &left), k->needle))
			return true;
	return false;
}

void
search_forget_folds(struct search *q)
{
	memset(q->field, 0, sizeof(q->field));
	q->header = NULL;
	arena_reset(&q->folds);
}
