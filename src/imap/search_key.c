/* search_key.c - every SEARCH key: a row with its grammar and its answer (RFC 9051 6.4.4; RECENT, NEW, OLD: RFC 3501 6.4.4). */
#include "search.h"

#include <postern/message/date.h>

#include "commands.h"
#include "out.h"
#include "rows.h"
#include "threadid.h"

enum {
	DAY = 86400,
};

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
	if (k->may != NULL && q->may.on && !store_may_hold(k->may, q->m.uid))
		return TRUTH_NO;
	return q->level < k->row->level ? TRUTH_OPEN : k->row->match(q, k);
}

static enum truth
match_and(struct search *q, const struct search_key *list)
{
	enum truth all = TRUTH_YES;

	for (const struct search_key *k = list; k != NULL && all != TRUTH_NO; k = k->next) {
		enum truth one = match_key(q, k);

		if (one != TRUTH_YES)
			all = one == TRUTH_NO ? TRUTH_NO : TRUTH_OPEN;
	}
	return all;
}

static enum truth
match_list(struct search *q, const struct search_key *k)
{
	return match_and(q, k->child);
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
match_or(struct search *q, const struct search_key *k)
{
	enum truth a = match_key(q, k->child);
	enum truth b = a == TRUTH_YES ? a : match_key(q, k->child->next);

	if (a == TRUTH_YES || b == TRUTH_YES)
		return TRUTH_YES;
	return a == TRUTH_OPEN || b == TRUTH_OPEN ? TRUTH_OPEN : TRUTH_NO;
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

/* RFC 9051 6.4.4: dates are compared as INTERNALDATE shows them, which is in UTC here (out.c). */
static int64_t
day_of(int64_t t)
{
	return t >= 0 ? t / DAY : -((-t + DAY - 1) / DAY);
}

static int64_t
internal_day(const struct search *q)
{
	return day_of(q->m.internal_date);
}

static enum truth
match_before(struct search *q, const struct search_key *k)
{
	return truth(internal_day(q) < k->day);
}

static enum truth
match_on(struct search *q, const struct search_key *k)
{
	return truth(internal_day(q) == k->day);
}

static enum truth
match_since(struct search *q, const struct search_key *k)
{
	return truth(internal_day(q) >= k->day);
}

/* RFC 5032 2: to the second, both with the one they name. */
static enum truth
match_older(struct search *q, const struct search_key *k)
{
	return truth(q->m.internal_date <= k->second);
}

static enum truth
match_younger(struct search *q, const struct search_key *k)
{
	return truth(q->m.internal_date >= k->second);
}

static int64_t
saved_day(const struct search *q)
{
	return day_of(q->m.save_date);
}

static enum truth
match_savedbefore(struct search *q, const struct search_key *k)
{
	return truth(saved_day(q) < k->day);
}

static enum truth
match_savedon(struct search *q, const struct search_key *k)
{
	return truth(saved_day(q) == k->day);
}

static enum truth
match_savedsince(struct search *q, const struct search_key *k)
{
	return truth(saved_day(q) >= k->day);
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
match_larger(struct search *q, const struct search_key *k)
{
	return truth(q->m.size > k->number);
}

static enum truth
match_smaller(struct search *q, const struct search_key *k)
{
	return truth(q->m.size < k->number);
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

/* The day the Date field shows in its own zone; false without such a field. */
static bool
sent_day(const struct search *q, int64_t *day)
{
	struct date d;

	if (q->level == LEVEL_KEYS) {
		*day = q->mailkeys.day;
		return q->mailkeys.flags & MAILKEYS_DATED;
	}
	if (!date_parse_mail(search_envelope(q)->date, &d))
		return false;
	*day = date_day(d);
	return true;
}

static enum truth
match_sentbefore(struct search *q, const struct search_key *k)
{
	int64_t day;

	return truth(sent_day(q, &day) && day < k->day);
}

static enum truth
match_senton(struct search *q, const struct search_key *k)
{
	int64_t day;

	return truth(sent_day(q, &day) && day == k->day);
}

static enum truth
match_sentsince(struct search *q, const struct search_key *k)
{
	int64_t day;

	return truth(sent_day(q, &day) && day >= k->day);
}

static enum truth
match_subject(struct search *q, const struct search_key *k)
{
	const struct mailkeys *known = &q->mailkeys;

	if (q->level == LEVEL_KEYS)
		return truth(known->flags & MAILKEYS_SUBJECT && search_contains(known->text[KEY_SUBJECT], k->needle));
	return truth(search_envelope(q)->subject.p != NULL && search_in_field(q, FIELD_SUBJECT, k->needle));
}

static enum truth
match_addresses(struct search *q, const struct search_key *k, const struct addrlist *list, enum search_field field)
{
	return truth(list->n > 0 && search_in_field(q, field, k->needle));
}

/* Lists that are too long are not in the keys. */
static enum truth
match_known(const struct search *q, const struct search_key *k, enum mailkeys_text text)
{
	struct str known = q->mailkeys.text[text];

	if (!(q->mailkeys.flags & MAILKEYS_WHOLE))
		return TRUTH_OPEN;
	return truth(known.n > 0 && search_contains(known, k->needle));
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
	return truth(search_in_header(q, k->word, k->needle));
}

static enum truth
match_text(struct search *q, const struct search_key *k)
{
	return truth(q->text.found >> k->text & 1);
}

#define ROW(name, parse, match, level, flag, rfc, capability)                                                          \
	{                                                                                                              \
		STR_INIT(name), parse, match, level, 0, flag, rfc, capability                                          \
	}
/* behind: the text behind the one that is looked into. */
#define STRING(name, match, behind)                                                                                    \
	{                                                                                                              \
		STR_INIT(name), search_parse_needle, match, LEVEL_KEYS, behind, 0, "RFC 9051 6.4.4", NULL              \
	}
#define FLAG(name, flag) ROW(name, search_parse_nothing_more, match_flag, LEVEL_RECORD, flag, "RFC 9051 6.4.4", NULL)
#define NO_FLAG(name, flag)                                                                                            \
	ROW(name, search_parse_nothing_more, match_no_flag, LEVEL_RECORD, flag, "RFC 9051 6.4.4", NULL)
#define KEY(name, parse, match, level) ROW(name, parse, match, level, 0, "RFC 9051 6.4.4", NULL)
#define OLD_KEY(name, match) ROW(name, search_parse_nothing_more, match, LEVEL_RECORD, 0, "RFC 3501 6.4.4", NULL)

static const struct search_row rows[] = {
	KEY("ALL", search_parse_nothing_more, match_all, LEVEL_RECORD),
	FLAG("ANSWERED", STORE_ANSWERED),
	STRING("BCC", match_bcc, KEY_BASE_SUBJECT),
	KEY("BEFORE", search_parse_date, match_before, LEVEL_RECORD),
	KEY("BODY", search_parse_text, match_text, LEVEL_TEXT),
	STRING("CC", match_cc, KEY_ALL_BCC),
	FLAG("DELETED", STORE_DELETED),
	FLAG("DRAFT", STORE_DRAFT),
	ROW("EMAILID", search_parse_object, match_emailid, LEVEL_RECORD, 0, "RFC 8474 6", "OBJECTID"),
	FLAG("FLAGGED", STORE_FLAGGED),
	STRING("FROM", match_from, KEY_ALL_TO),
	KEY("HEADER", search_parse_header, match_header, LEVEL_HEADER),
	KEY("KEYWORD", search_parse_keyword, match_keyword, LEVEL_RECORD),
	KEY("LARGER", search_parse_number, match_larger, LEVEL_RECORD),
	ROW("MODSEQ", search_parse_modseq, match_modseq, LEVEL_RECORD, 0, "RFC 7162 3.1.5", "CONDSTORE"),
	OLD_KEY("NEW", match_new),
	KEY("NOT", search_parse_not, match_not, LEVEL_RECORD),
	OLD_KEY("OLD", match_old),
	ROW("OLDER", search_parse_age, match_older, LEVEL_RECORD, 0, "RFC 5032 2", "WITHIN"),
	KEY("ON", search_parse_date, match_on, LEVEL_RECORD),
	KEY("OR", search_parse_or, match_or, LEVEL_RECORD),
	OLD_KEY("RECENT", match_recent),
	ROW("SAVEDATESUPPORTED", search_parse_nothing_more, match_all, LEVEL_RECORD, 0, "RFC 8514 4.3", "SAVEDATE"),
	ROW("SAVEDBEFORE", search_parse_date, match_savedbefore, LEVEL_RECORD, 0, "RFC 8514 4.3", "SAVEDATE"),
	ROW("SAVEDON", search_parse_date, match_savedon, LEVEL_RECORD, 0, "RFC 8514 4.3", "SAVEDATE"),
	ROW("SAVEDSINCE", search_parse_date, match_savedsince, LEVEL_RECORD, 0, "RFC 8514 4.3", "SAVEDATE"),
	FLAG("SEEN", STORE_SEEN),
	KEY("SENTBEFORE", search_parse_date, match_sentbefore, LEVEL_KEYS),
	KEY("SENTON", search_parse_date, match_senton, LEVEL_KEYS),
	KEY("SENTSINCE", search_parse_date, match_sentsince, LEVEL_KEYS),
	KEY("SINCE", search_parse_date, match_since, LEVEL_RECORD),
	KEY("SMALLER", search_parse_number, match_smaller, LEVEL_RECORD),
	STRING("SUBJECT", match_subject, KEY_ALL_FROM),
	KEY("TEXT", search_parse_text, match_text, LEVEL_TEXT),
	ROW("THREADID", search_parse_object, match_threadid, LEVEL_ENVELOPE, 0, "RFC 8474 6", "OBJECTID"),
	STRING("TO", match_to, KEY_ALL_CC),
	KEY("UID", search_parse_uid, match_set, LEVEL_RECORD),
	ROW("UIDAFTER", search_parse_uidafter, match_set, LEVEL_RECORD, 0, "RFC 9738 3.2", NULL),
	ROW("UIDBEFORE", search_parse_uidbefore, match_set, LEVEL_RECORD, 0, "RFC 9738 3.2", NULL),
	NO_FLAG("UNANSWERED", STORE_ANSWERED),
	NO_FLAG("UNDELETED", STORE_DELETED),
	NO_FLAG("UNDRAFT", STORE_DRAFT),
	NO_FLAG("UNFLAGGED", STORE_FLAGGED),
	KEY("UNKEYWORD", search_parse_keyword, match_no_keyword, LEVEL_RECORD),
	NO_FLAG("UNSEEN", STORE_SEEN),
	ROW("YOUNGER", search_parse_age, match_younger, LEVEL_RECORD, 0, "RFC 5032 2", "WITHIN"),
};
static const struct search_row list_row = KEY("(", search_parse_list, match_list, LEVEL_RECORD);
static const struct search_row set_row = KEY("*", search_parse_set, match_set, LEVEL_RECORD);

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
	return match_and(q, q->keys);
}
