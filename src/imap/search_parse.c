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

/* --- the arguments of the keys: what is kept lives in the arena, for a context outlives the command's bytes --- */

void
search_parse_nothing_more(struct lex *l, struct search *q, struct search_key *k)
{
	(void)l;
	(void)q;
	(void)k;
}

/* SP astring in the charset of the command, folded. */
void
search_parse_needle(struct lex *l, struct search *q, struct search_key *k)
{
	struct buf utf8;
	struct buf folded;
	struct str raw;

	lex_sp(l);
	raw = lex_astring(l);
	if (raw.n > SEARCH_NEEDLE_MAX)
		lex_fail(l, "search string too long");
	if (++q->nneedles > SEARCH_NEEDLES_MAX)
		lex_fail(l, "too many search strings");
	if (!lex_ok(l))
		return;
	buf_init(&utf8, SIZE_MAX);
	buf_init(&folded, SIZE_MAX);
	charset_to_utf8(&utf8, q->charset, raw);
	charset_fold(&folded, buf_str(&utf8));
	k->needle = arena_str(l->arena, buf_str(&folded));
	buf_fini(&utf8);
	buf_fini(&folded);
}

/* BODY and TEXT: a bit in the mask of what was found. */
void
search_parse_text(struct lex *l, struct search *q, struct search_key *k)
{
	search_parse_needle(l, q, k);
	if (q->text.n == SEARCH_TEXTS_MAX) {
		lex_fail(l, "too many BODY and TEXT keys");
		return;
	}
	k->text = q->text.n;
	q->text.keys[q->text.n++] = k;
	if (k->needle.n > q->text.longest)
		q->text.longest = k->needle.n;
}

/* SP header-fld-name SP astring */
void
search_parse_header(struct lex *l, struct search *q, struct search_key *k)
{
	uint64_t line;

	lex_sp(l);
	k->word = arena_str(l->arena, lex_astring(l));
	if (headlines_bits(&k->word, 1, &line))
		q->lines |= line;
	else
		q->unkept = true;
	search_parse_needle(l, q, k);
}

void
search_parse_keyword(struct lex *l, struct search *q, struct search_key *k)
{
	(void)q;
	lex_sp(l);
	k->word = arena_str(l->arena, lex_atom(l));
}

/* SP objectid: what cannot be one of ours matches nothing (RFC 8474 6). */
void
search_parse_object(struct lex *l, struct search *q, struct search_key *k)
{
	lex_sp(l);
	k->word = arena_str(l->arena, lex_atom(l));
	q->by_id = true;
}

void
search_parse_date(struct lex *l, struct search *q, struct search_key *k)
{
	(void)q;
	lex_sp(l);
	k->day = lex_date(l);
}

/* SP nz-number: seconds before now (RFC 5032 3). */
void
search_parse_age(struct lex *l, struct search *q, struct search_key *k)
{
	(void)q;
	lex_sp(l);
	k->number = lex_nz_number(l);
}

void
search_parse_number(struct lex *l, struct search *q, struct search_key *k)
{
	(void)q;
	lex_sp(l);
	k->number = lex_number64(l);
}

/* ["/flags/name" SP ("priv" / "shared" / "all") SP] mod-sequence-valzer: a message has one mod-sequence for all its flags,
 * so the entry is only read (RFC 7162 3.1.5). */
void
search_parse_modseq(struct lex *l, struct search *q, struct search_key *k)
{
	lex_sp(l);
	if (cur_peek(&l->c) == '"') {
		if (!str_starts(lex_string(l), STR("/flags/")))
			lex_fail(l, "unknown entry");
		lex_sp(l);
		if (!lex_word(l, "priv") && !lex_word(l, "shared") && !lex_word(l, "all"))
			lex_fail(l, "expected priv, shared or all");
		lex_sp(l);
	}
	k->number = lex_number64(l);
	q->modseq = true;
}

void
search_parse_uid(struct lex *l, struct search *q, struct search_key *k)
{
	(void)q;
	lex_sp(l);
	k->set = lex_seq_set(l);
}

/* One range of UIDs, or none. */
static void
parse_uids(struct lex *l, struct search_key *k, uint64_t lo, uint64_t hi)
{
	k->set.r = ARENA_NEW(l->arena, struct seq_range);
	if (lo > hi || lo > UINT32_MAX || !lex_ok(l))
		return;
	k->set.r[k->set.n++] = (struct seq_range){ (uint32_t)lo, (uint32_t)hi };
}

/* SP uniqueid: the UIDs above (RFC 9738 3.2) */
void
search_parse_uidafter(struct lex *l, struct search *q, struct search_key *k)
{
	(void)q;
	lex_sp(l);
	parse_uids(l, k, (uint64_t)lex_nz_number(l) + 1, UINT32_MAX);
}

/* SP uniqueid: the UIDs below */
void
search_parse_uidbefore(struct lex *l, struct search *q, struct search_key *k)
{
	uint32_t uid;

	(void)q;
	lex_sp(l);
	uid = lex_nz_number(l);
	parse_uids(l, k, 1, uid > 0 ? uid - 1 : 0);
}

void
search_parse_set(struct lex *l, struct search *q, struct search_key *k)
{
	k->set = lex_seq_set(l);
	q->numbers |= k->set.n > 0;
}

/* SP search-key */
static struct search_key *
parse_child(struct lex *l, struct search *q)
{
	struct search_key *k;

	lex_sp(l);
	k = search_new_key(l, q);
	search_parse_key(l, q, k);
	return k;
}

/* FUZZY finds more, never less: behind its NOT keys are exact. */
void
search_parse_not(struct lex *l, struct search *q, struct search_key *k)
{
	bool before = q->fuzzily;

	q->fuzzily = false;
	k->child = parse_child(l, q);
	q->fuzzily = before;
}

void
search_parse_or(struct lex *l, struct search *q, struct search_key *k)
{
	unsigned before = q->nnear;

	k->child = parse_child(l, q);
	k->child->next = parse_child(l, q);
	k->graded = q->nnear > before;
}

/* RFC 6203 3: SP search-key */
void
search_parse_fuzzy(struct lex *l, struct search *q, struct search_key *k)
{
	bool before = q->fuzzily;

	q->fuzzily = q->fuzzy = true;
	k->child = parse_child(l, q);
	q->fuzzily = before;
}

/* "(" search-key *(SP search-key) ")" */
void
search_parse_list(struct lex *l, struct search *q, struct search_key *k)
{
	struct search_key **tail = &k->child;

	lex_want(l, '(');
	do {
		*tail = search_new_key(l, q);
		search_parse_key(l, q, *tail);
		tail = &(*tail)->next;
	} while (lex_ok(l) && lex_take(l, ' '));
	lex_want(l, ')');
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
