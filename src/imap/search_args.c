/* search_args.c - what stands behind the names of search keys (RFC 9051 9: search-key). What is kept lives in the arena, for a context
 * outlives the command's bytes. */
#include "search.h"

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
