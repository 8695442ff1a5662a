/* search_parse.c - the grammar of SEARCH (RFC 9051 9: search, search-return-opts, search-program). */
#include "search.h"

#include "commands.h"

static const struct {
	const char *name;
	unsigned option;
	const char *capability;
	const char *rfc;
} returns[] = {
	{ "MIN", RETURN_MIN, "ESEARCH", "RFC 4731 3.1" },
	{ "MAX", RETURN_MAX, "ESEARCH", "RFC 4731 3.1" },
	{ "ALL", RETURN_ALL, "ESEARCH", "RFC 4731 3.1" },
	{ "COUNT", RETURN_COUNT, "ESEARCH", "RFC 4731 3.1" },
	{ "SAVE", RETURN_SAVE, "SEARCHRES", "RFC 5182 2.1" },
};
enum { RETURNS = sizeof(returns) / sizeof(*returns) };

void
search_capabilities(struct buf *out)
{
	for (size_t i = 0; i < RETURNS; i++)
		commands_add_capability(out, returns[i].capability);
}

static unsigned
return_option(struct lex *l)
{
	struct str name = lex_atom(l);

	for (size_t i = 0; i < RETURNS && lex_ok(l); i++)
		if (str_eq_nocase(name, str_of(returns[i].name)))
			return returns[i].option;
	lex_fail(l, "unknown RETURN option");
	return 0;
}

/* SP "(" [option *(SP option)] ")"; none means ALL (RFC 9051 6.4.4). */
static void
return_options(struct lex *l, struct search *q)
{
	unsigned n = 0;

	lex_sp(l);
	lex_want(l, '(');
	while (lex_ok(l) && cur_peek(&l->c) != ')') {
		if (n++ > 0)
			lex_sp(l);
		q->returns |= return_option(l);
	}
	lex_want(l, ')');
	if (q->returns == 0)
		q->returns = RETURN_ALL;
	q->returns |= RETURN_GIVEN;
}

/* "CHARSET" SP charset SP; an unknown one is answered when the command runs, for the rest has to be well-formed. */
static void
charset(struct lex *l, struct search *q)
{
	if (!lex_word(l, "CHARSET"))
		return;
	lex_sp(l);
	q->charset = lex_astring(l);
	q->bad_charset = lex_ok(l) && !charset_known(q->charset);
	lex_sp(l);
}

struct search_key *
search_new_key(struct lex *l, struct search *q)
{
	if (++q->nkeys > SEARCH_KEYS_MAX)
		lex_fail(l, "too many search keys");
	return ARENA_NEW(l->arena, struct search_key);
}

static const struct search_row *
find_row(struct lex *l)
{
	const struct search_row *row;

	if (cur_peek(&l->c) == '(')
		return search_list_row();
	if (lex_at_seq_set(l))
		return search_set_row();
	row = search_find(lex_atom(l));
	if (row == NULL)
		lex_fail(l, "unknown search key");
	return row;
}

void
search_parse_key(struct lex *l, struct search *q, struct search_key *k)
{
	if (++q->depth > SEARCH_DEPTH_MAX)
		lex_fail(l, "search keys too deep in each other");
	k->row = lex_ok(l) ? find_row(l) : NULL;
	if (lex_ok(l))
		k->row->parse(l, q, k);
	if (lex_ok(l) && k->row->level > q->deepest)
		q->deepest = k->row->level;
	q->depth--;
}

static void
search_fini(struct command *c)
{
	struct search *q = c->args;

	letter_fini(&q->letter);
	arena_fini(&q->folds);
	search_text_fini(&q->text);
	uidset_fini(&q->found);
	uidset_fini(&q->told);
}

bool
cmd_search_parse(struct lex *l, struct command *c)
{
	struct search *q = ARENA_NEW(&c->arena, struct search);
	struct search_key **tail = &q->keys;

	letter_init(&q->letter);
	arena_init(&q->folds);
	buf_init(&q->text.window, SIZE_MAX);
	q->charset = STR("UTF-8");
	c->args = q;
	c->fini = search_fini;
	lex_sp(l);
	if (lex_word(l, "RETURN")) {
		return_options(l, q);
		lex_sp(l);
	}
	charset(l, q);
	do {
		*tail = search_new_key(l, q);
		search_parse_key(l, q, *tail);
		tail = &(*tail)->next;
	} while (lex_ok(l) && lex_take(l, ' '));
	return lex_ok(l);
}
