/* search_key.c - every SEARCH key: a row with its grammar and its answer (RFC 9051 6.4.4; RECENT, NEW, OLD: RFC 3501 6.4.4). */
#include "search.h"

#include "commands.h"
#include "out.h"
#include "rows.h"
#include "threadid.h"

static enum truth
truth(bool yes)
{
	return yes ? TRUTH_YES : TRUTH_NO;
}

static enum truth
not(enum truth t)
{
	return t == TRUTH_OPEN ? t : truth(t == TRUTH_NO);
}

/* A key whose level is not reached yet is open, unless the search index knows that its needle is not there. */
static enum truth
match_key(struct search *q, const struct search_key *k)
{
	enum truth t;

	if (k->may != NULL && q->may.on && !store_may_hold(k->may, q->m.uid))
		return TRUTH_NO;
	if (q->level < k->row->level)
		return TRUTH_OPEN;
	t = k->row->match(q, k);
	return k->near ? search_match_near(q, k, t) : t;
}

/* The score is the mean of those that count. */
static enum truth
match_and(struct search *q, const struct search_key *list, uint8_t *score)
{
	enum truth all = TRUTH_YES;
	unsigned sum = 0, n = 0;

	for (const struct search_key *k = list; k != NULL && all != TRUTH_NO; k = k->next) {
		enum truth one = match_key(q, k);

		if (one != TRUTH_YES)
			all = one == TRUTH_NO ? TRUTH_NO : TRUTH_OPEN;
		sum += *k->score;
		n += *k->score > 0;
	}
	*score = (uint8_t)(n > 0 ? sum / n : 0);
	return all;
}

static enum truth
match_list(struct search *q, const struct search_key *k)
{
	return match_and(q, k->child, k->score);
}

static enum truth
match_all(struct search *q, const struct search_key *k)
{
	(void)q;
	(void)k;
	return TRUTH_YES;
}

static enum truth
match_not(struct search *q, const struct search_key *k)
{
	return not(match_key(q, k->child));
}

static enum truth
match_either(struct search *q, const struct search_key *k)
{
	enum truth a = match_key(q, k->child);
	enum truth b = a == TRUTH_YES ? a : match_key(q, k->child->next);

	if (a == TRUTH_YES || b == TRUTH_YES)
		return TRUTH_YES;
	return a == TRUTH_OPEN || b == TRUTH_OPEN ? TRUTH_OPEN : TRUTH_NO;
}

/* What is exact is worth the most. */
static uint8_t
score_of(const struct search_key *k, enum truth t)
{
	if (t != TRUTH_YES)
		return 0;
	return *k->score > 0 ? *k->score : (uint8_t)FUZZY_BEST;
}

/* The better one: both have to be known, but for the best. */
static enum truth
match_better(struct search *q, const struct search_key *k)
{
	enum truth a = match_key(q, k->child);
	enum truth b = match_key(q, k->child->next);
	uint8_t x = score_of(k->child, a), y = score_of(k->child->next, b);

	*k->score = x > y ? x : y;
	if (*k->score < FUZZY_BEST && (a == TRUTH_OPEN || b == TRUTH_OPEN))
		return TRUTH_OPEN;
	return truth(*k->score > 0);
}

static enum truth
match_or(struct search *q, const struct search_key *k)
{
	return q->scored && k->graded ? match_better(q, k) : match_either(q, k);
}

static enum truth
match_flag(struct search *q, const struct search_key *k)
{
	return truth(q->m.flags & k->row->flag);
}

static enum truth
match_no_flag(struct search *q, const struct search_key *k)
{
	return truth(!(q->m.flags & k->row->flag));
}

static bool
has_keyword(struct search *q, const struct search_key *k)
{
	return k->keyword < STORE_KEYWORDS_MAX && q->m.keywords >> k->keyword & 1;
}

static enum truth
match_keyword(struct search *q, const struct search_key *k)
{
	return truth(has_keyword(q, k));
}

static enum truth
match_no_keyword(struct search *q, const struct search_key *k)
{
	return truth(!has_keyword(q, k));
}

static bool
is_recent(const struct search *q)
{
	return uidset_has(&q->box->recent, q->m.uid);
}

static enum truth
match_recent(struct search *q, const struct search_key *k)
{
	(void)k;
	return truth(is_recent(q));
}

static enum truth
match_new(struct search *q, const struct search_key *k)
{
	(void)k;
	return truth(is_recent(q) && !(q->m.flags & STORE_SEEN));
}

static enum truth
match_old(struct search *q, const struct search_key *k)
{
	(void)k;
	return truth(!is_recent(q));
}

/* An object's name in the search, of this kind, is this id. */
static bool
names_object(const struct search_key *k, enum object_kind kind, struct id id)
{
	struct id named;

	return k->word.n > 0 && k->word.p[0] == (char)kind && id_parse(str_sub(k->word, 1, k->word.n), &named) && id_eq(named, id);
}

static enum truth
match_emailid(struct search *q, const struct search_key *k)
{
	return truth(names_object(k, OBJECT_EMAIL, q->email_id));
}

static enum truth
match_threadid(struct search *q, const struct search_key *k)
{
	return truth(names_object(k, OBJECT_THREAD, threadid_of(search_envelope(q), q->email_id)));
}

static enum truth
match_modseq(struct search *q, const struct search_key *k)
{
	return truth(q->m.modseq >= k->number);
}

static enum truth
match_set(struct search *q, const struct search_key *k)
{
	if (k->set.saved && uidset_has(q->saved, q->m.uid))
		return TRUTH_YES;
	return truth(uidset_has(k->members, k->by_uid ? q->m.uid : q->next));
}

const struct mime_envelope *
search_envelope(const struct search *q)
{
	return q->envelope != NULL ? q->envelope : q->letter.tree->root->envelope;
}

/* --- what the keys of the message tell, and else its envelope --- */

static enum truth
match_subject(struct search *q, const struct search_key *k)
{
	const struct mailkeys *known = &q->mailkeys;

	if (q->level == LEVEL_KEYS)
		return truth(known->flags & MAILKEYS_SUBJECT && search_holds(k, known->text[KEY_SUBJECT]));
	return truth(search_envelope(q)->subject.p != NULL && search_in_field(q, FIELD_SUBJECT, k));
}

static enum truth
match_addresses(struct search *q, const struct search_key *k, const struct addrlist *list, enum search_field field)
{
	return truth(list->n > 0 && search_in_field(q, field, k));
}

/* Lists that are too long are not in the keys. */
static enum truth
match_known(const struct search *q, const struct search_key *k, enum mailkeys_text text)
{
	struct str known = q->mailkeys.text[text];

	if (!(q->mailkeys.flags & MAILKEYS_WHOLE))
		return TRUTH_OPEN;
	return truth(known.n > 0 && search_holds(k, known));
}

static enum truth
match_from(struct search *q, const struct search_key *k)
{
	return q->level == LEVEL_KEYS ? match_known(q, k, KEY_ALL_FROM)
				      : match_addresses(q, k, &search_envelope(q)->from, FIELD_FROM);
}

static enum truth
match_to(struct search *q, const struct search_key *k)
{
	return q->level == LEVEL_KEYS ? match_known(q, k, KEY_ALL_TO)
				      : match_addresses(q, k, &search_envelope(q)->to, FIELD_TO);
}

static enum truth
match_cc(struct search *q, const struct search_key *k)
{
	return q->level == LEVEL_KEYS ? match_known(q, k, KEY_ALL_CC)
				      : match_addresses(q, k, &search_envelope(q)->cc, FIELD_CC);
}

static enum truth
match_bcc(struct search *q, const struct search_key *k)
{
	return q->level == LEVEL_KEYS ? match_known(q, k, KEY_ALL_BCC)
				      : match_addresses(q, k, &search_envelope(q)->bcc, FIELD_BCC);
}

static enum truth
match_header(struct search *q, const struct search_key *k)
{
	return truth(search_in_header(q, k));
}

static enum truth
match_text(struct search *q, const struct search_key *k)
{
	if (k->fuzzy != NULL)
		return truth(fuzzy_score(k->fuzzy) > 0);
	return truth(q->text.found >> k->text & 1);
}

/* A row begins with these; what differs from 0 follows. */
#define ROW(n, how, match_row, at, doc, ...)                                                                           \
	{                                                                                                              \
		.name = STR_INIT(n), .parse = how, .match = match_row, .level = at, .rfc = doc, __VA_ARGS__            \
	}
#define IMAP "RFC 9051 6.4.4"
#define KEY(name, parse, match) ROW(name, parse, match, LEVEL_RECORD, IMAP, .flag = 0)
#define OLD_KEY(name, match) ROW(name, search_parse_nothing_more, match, LEVEL_RECORD, "RFC 3501 6.4.4", .flag = 0)
/* behind: the text behind the one that is looked into. */
#define STRING(name, match, behind)                                                                                    \
	ROW(name, search_parse_needle, match, LEVEL_KEYS, IMAP, .text = behind, .near = NEAR_WORDS)
#define LOOK(name, parse, match, level) ROW(name, parse, match, level, IMAP, .near = NEAR_WORDS)
#define WISH(name, bit, match, fuzzily)                                                                                \
	ROW(name, search_parse_nothing_more, match, LEVEL_RECORD, IMAP, .flag = bit, .near = fuzzily)
#define FLAG(name, bit) WISH(name, bit, match_flag, NEAR_FLAG)
#define NO_FLAG(name, bit) WISH(name, bit, match_no_flag, NEAR_FLAG)
#define KEYWORD(name, match) ROW(name, search_parse_keyword, match, LEVEL_RECORD, IMAP, .near = NEAR_FLAG)
#define OFF(name, parse, level, fuzzily, how_far, rfc, names)                                                          \
	ROW(name, parse, search_match_off, level, rfc, .near = fuzzily, .off = how_far, .capability = names)
#define DAY(name, off) OFF(name, search_parse_date, LEVEL_RECORD, NEAR_DAYS, off, IMAP, NULL)
#define SENT_DAY(name, off) OFF(name, search_parse_date, LEVEL_KEYS, NEAR_DAYS, off, IMAP, NULL)
#define SAVED_DAY(name, off) OFF(name, search_parse_date, LEVEL_RECORD, NEAR_DAYS, off, "RFC 8514 4.3", "SAVEDATE")
#define SIZE(name, off) OFF(name, search_parse_number, LEVEL_RECORD, NEAR_PART, off, IMAP, NULL)
#define AGE(name, off) OFF(name, search_parse_age, LEVEL_RECORD, NEAR_PART, off, "RFC 5032 2", "WITHIN")

static const struct search_row rows[] = {
	KEY("ALL", search_parse_nothing_more, match_all),
	FLAG("ANSWERED", STORE_ANSWERED),
	STRING("BCC", match_bcc, KEY_BASE_SUBJECT),
	DAY("BEFORE", search_off_before),
	LOOK("BODY", search_parse_text, match_text, LEVEL_TEXT),
	STRING("CC", match_cc, KEY_ALL_BCC),
	WISH("DELETED", STORE_DELETED, match_flag, NEAR_EXACT),
	FLAG("DRAFT", STORE_DRAFT),
	ROW("EMAILID", search_parse_object, match_emailid, LEVEL_RECORD, "RFC 8474 6", .capability = "OBJECTID"),
	FLAG("FLAGGED", STORE_FLAGGED),
	STRING("FROM", match_from, KEY_ALL_TO),
	ROW("FUZZY", search_parse_fuzzy, match_list, LEVEL_RECORD, "RFC 6203 3", .flag = 0),
	LOOK("HEADER", search_parse_header, match_header, LEVEL_HEADER),
	KEYWORD("KEYWORD", match_keyword),
	SIZE("LARGER", search_off_larger),
	ROW("MODSEQ", search_parse_modseq, match_modseq, LEVEL_RECORD, "RFC 7162 3.1.5", .capability = "CONDSTORE"),
	OLD_KEY("NEW", match_new),
	KEY("NOT", search_parse_not, match_not),
	OLD_KEY("OLD", match_old),
	AGE("OLDER", search_off_older),
	DAY("ON", search_off_on),
	KEY("OR", search_parse_or, match_or),
	OLD_KEY("RECENT", match_recent),
	ROW("SAVEDATESUPPORTED", search_parse_nothing_more, match_all, LEVEL_RECORD, "RFC 8514 4.3", .capability = "SAVEDATE"),
	SAVED_DAY("SAVEDBEFORE", search_off_savedbefore),
	SAVED_DAY("SAVEDON", search_off_savedon),
	SAVED_DAY("SAVEDSINCE", search_off_savedsince),
	FLAG("SEEN", STORE_SEEN),
	SENT_DAY("SENTBEFORE", search_off_sentbefore),
	SENT_DAY("SENTON", search_off_senton),
	SENT_DAY("SENTSINCE", search_off_sentsince),
	DAY("SINCE", search_off_since),
	SIZE("SMALLER", search_off_smaller),
	STRING("SUBJECT", match_subject, KEY_ALL_FROM),
	LOOK("TEXT", search_parse_text, match_text, LEVEL_TEXT),
	ROW("THREADID", search_parse_object, match_threadid, LEVEL_ENVELOPE, "RFC 8474 6", .capability = "OBJECTID"),
	STRING("TO", match_to, KEY_ALL_CC),
	KEY("UID", search_parse_uid, match_set),
	ROW("UIDAFTER", search_parse_uidafter, match_set, LEVEL_RECORD, "RFC 9738 3.2", .flag = 0),
	ROW("UIDBEFORE", search_parse_uidbefore, match_set, LEVEL_RECORD, "RFC 9738 3.2", .flag = 0),
	NO_FLAG("UNANSWERED", STORE_ANSWERED),
	WISH("UNDELETED", STORE_DELETED, match_no_flag, NEAR_EXACT),
	NO_FLAG("UNDRAFT", STORE_DRAFT),
	NO_FLAG("UNFLAGGED", STORE_FLAGGED),
	KEYWORD("UNKEYWORD", match_no_keyword),
	NO_FLAG("UNSEEN", STORE_SEEN),
	AGE("YOUNGER", search_off_younger),
};
static const struct search_row list_row = KEY("(", search_parse_list, match_list);
static const struct search_row set_row = KEY("*", search_parse_set, match_set);

void
search_key_rows(const struct rows *r)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		rows_show(r, "SEARCH key", rows[i].name, rows[i].capability, rows[i].rfc);
}

const struct search_row *
search_find(struct str name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (str_eq_nocase(rows[i].name, name))
			return &rows[i];
	return NULL;
}

const struct search_row *
search_list_row(void)
{
	return &list_row;
}

const struct search_row *
search_set_row(void)
{
	return &set_row;
}

enum truth
search_match(struct search *q)
{
	return match_and(q, q->keys, &q->score);
}

bool
search_demands_all(const struct search_key *k)
{
	return k->row->match == match_list;
}
