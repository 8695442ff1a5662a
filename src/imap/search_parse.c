/* search_parse.c - the grammar of SEARCH (RFC 9051 9: search, search-return-opts, search-program). */
#include "search.h"

#include "commands.h"
#include "context.h"
#include "fetch.h"
#include "rows.h"

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
	{ "PARTIAL", RETURN_PARTIAL, "PARTIAL", "RFC 9394 3.1" },
	{ "UPDATE", RETURN_UPDATE, "CONTEXT=SEARCH", "RFC 5267 4.3" },
	{ "CONTEXT", RETURN_CONTEXT, "CONTEXT=SEARCH", "RFC 5267 4.2" },
	{ "RELEVANCY", RETURN_RELEVANCY, NULL, "RFC 6203 4" },
};
enum { RETURNS = sizeof(returns) / sizeof(*returns) };

void
search_rows(const struct rows *r)
{
	for (size_t i = 0; i < RETURNS; i++)
		rows_show(r, "SEARCH return option", str_of(returns[i].name), returns[i].capability, returns[i].rfc);
	search_key_rows(r);
}

static unsigned
return_name(struct lex *l)
{
	struct str name = lex_atom(l);

	for (size_t i = 0; i < RETURNS && lex_ok(l); i++)
		if (str_eq_nocase(name, str_of(returns[i].name)))
			return returns[i].option;
	lex_fail(l, "unknown RETURN option");
	return 0;
}

/* [[SP] "(" fetch-att *(SP fetch-att) ")"]: the RFC's examples have the blank, its grammar has not (RFC 5465 7, 8). */
static void
update_data(struct lex *l, struct search *q)
{
	struct lex before = *l;

	lex_take(l, ' ');
	if (cur_peek(&l->c) != '(') {
		*l = before;
		return;
	}
	if (q->update != NULL)
		lex_fail(l, "more than one UPDATE");
	lex_keep(l);
	if (lex_ok(l))
		q->update = lex_fetch_unasked(l);
}

static void
return_option(struct lex *l, struct search *q)
{
	unsigned option = return_name(l);

	q->returns |= option;
	if (option == RETURN_PARTIAL) {
		lex_sp(l);
		lex_partial(l, &q->partial);
	}
	if (option == RETURN_UPDATE)
		update_data(l, q);
	q->scored |= option == RETURN_RELEVANCY;
	if (q->returns & RETURN_ALL && q->partial.given)
		lex_fail(l, "PARTIAL and ALL exclude each other");
}

/* SP "(" [option *(SP option)] ")"; none means ALL (RFC 9051 6.4.4). */
void
search_parse_returns(struct lex *l, struct search *q)
{
	unsigned n = 0;

	if (!lex_word(l, "RETURN"))
		return;
	lex_sp(l);
	lex_want(l, '(');
	while (lex_ok(l) && cur_peek(&l->c) != ')') {
		if (n++ > 0)
			lex_sp(l);
		return_option(l, q);
	}
	lex_want(l, ')');
	lex_sp(l);
	if (q->returns == 0)
		q->returns = RETURN_ALL;
	q->returns |= RETURN_GIVEN;
}

/* An unknown one is answered when the command runs, for the rest has to be well-formed. */
void
search_parse_charset(struct lex *l, struct search *q)
{
	q->charset = lex_astring(l);
	q->bad_charset = lex_ok(l) && !charset_known(q->charset);
	lex_sp(l);
}

struct search_key *
search_new_key(struct lex *l, struct search *q)
{
	struct search_key *k = ARENA_NEW(l->arena, struct search_key);

	if (++q->nkeys > SEARCH_KEYS_MAX)
		lex_fail(l, "too many search keys");
	k->score = ARENA_NEW(l->arena, uint8_t);
	return k;
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

/* Behind FUZZY. */
static void
make_near(struct lex *l, struct search *q, struct search_key *k)
{
	k->near = k->row->near != NEAR_EXACT;
	q->nnear += k->near;
	q->near_flags |= k->row->near == NEAR_FLAG;
	if (k->row->near != NEAR_WORDS)
		return;
	k->fuzzy = fuzzy_new(l->arena, k->needle);
	q->nwords += k->fuzzy != NULL && k->fuzzy->n > 0 ? k->fuzzy->n : 1;
	if (k->fuzzy == NULL || q->nwords > SEARCH_FUZZY_WORDS_MAX)
		lex_fail(l, "too many words behind FUZZY");
}

/* What the walk has to know of the key. */
static void
take_note(struct lex *l, struct search *q, struct search_key *k)
{
	if (k->row->level > q->deepest)
		q->deepest = k->row->level;
	if (k->row->level == LEVEL_KEYS)
		q->asks_keys = true;
	if (k->row->text > q->texts)
		q->texts = k->row->text;
	if (q->fuzzily)
		make_near(l, q, k);
}

void
search_parse_key(struct lex *l, struct search *q, struct search_key *k)
{
	if (++q->depth > SEARCH_DEPTH_MAX)
		lex_fail(l, "search keys too deep in each other");
	k->row = lex_ok(l) ? find_row(l) : NULL;
	if (lex_ok(l))
		k->row->parse(l, q, k);
	if (lex_ok(l))
		take_note(l, q, k);
	q->depth--;
}

/* search-key *(SP search-key) */
void
search_parse_keys(struct lex *l, struct command *c, struct search *q)
{
	struct search_key **tail = &q->keys;

	do {
		*tail = search_new_key(l, q);
		search_parse_key(l, q, *tail);
		tail = &(*tail)->next;
	} while (lex_ok(l) && lex_take(l, ' '));
	if (q->scored && !q->fuzzy)
		lex_fail(l, "RELEVANCY without FUZZY"); /* RFC 6203 4, 6 */
	q->text.scored = q->scored;
	c->condstore = q->modseq;
	c->numbers = q->numbers;
}

/* --- the command --- */

void
search_init(struct search *q)
{
	letter_init(&q->letter);
	arena_init(&q->folds);
	arena_init(&q->sets);
	buf_init(&q->text.window, SIZE_MAX);
	q->charset = STR("UTF-8");
}

void
search_forget(struct search *q)
{
	letter_close(&q->letter);
	uidset_fini(&q->found);
	uidset_fini(&q->within);
	numbers_fini(&q->seqs);
	numbers_fini(&q->told);
	scores_fini(&q->scores);
}

void
search_fini(struct search *q)
{
	search_forget(q);
	letter_fini(&q->letter);
	arena_fini(&q->folds);
	arena_fini(&q->sets);
	search_text_fini(&q->text);
	if (q->update != NULL)
		fetch_fini(q->update);
	if (q->context != NULL && q->context->run.args == NULL)
		context_free(q->context);
}

static void
args_fini(struct command *c)
{
	search_fini(c->args);
}

void
search_parse_program(struct lex *l, struct command *c, struct search *q)
{
	search_parse_returns(l, q);
	if (lex_word(l, "CHARSET")) {
		lex_sp(l);
		q->charset_given = true;
		search_parse_charset(l, q);
	}
	search_parse_keys(l, c, q);
}

bool
cmd_search_parse(struct lex *l, struct command *c)
{
	struct search *q = ARENA_NEW(&c->arena, struct search);

	search_init(q);
	c->args = q;
	c->fini = args_fini;
	lex_sp(l);
	search_parse_program(l, c, q);
	return lex_ok(l);
}
