/* search_near.c - keys that compare days, ages and sizes tell how far a message is from matching; and what FUZZY makes of a key: what
 * is a little off matches, too, with a score that falls with the distance (RFC 6203 5). */
#include "search.h"

#include <postern/message/date.h>

enum {
	DAY = 86400,
};

static const uint64_t nowhere = UINT64_MAX;       /* no distance */
static const uint64_t reach_max = UINT64_C(1) << 40; /* that FUZZY gives; a hundred times as much is still a number */

/* --- how far --- */

static uint64_t
above(int64_t is, int64_t limit)
{
	return is > limit ? (uint64_t)is - (uint64_t)limit : 0;
}

static uint64_t
between(int64_t a, int64_t b)
{
	return a > b ? above(a, b) : above(b, a);
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

uint64_t
search_off_before(const struct search *q, const struct search_key *k)
{
	return above(internal_day(q), k->day - 1);
}

uint64_t
search_off_on(const struct search *q, const struct search_key *k)
{
	return between(internal_day(q), k->day);
}

uint64_t
search_off_since(const struct search *q, const struct search_key *k)
{
	return above(k->day, internal_day(q));
}

static int64_t
saved_day(const struct search *q)
{
	return day_of(q->m.save_date);
}

uint64_t
search_off_savedbefore(const struct search *q, const struct search_key *k)
{
	return above(saved_day(q), k->day - 1);
}

uint64_t
search_off_savedon(const struct search *q, const struct search_key *k)
{
	return between(saved_day(q), k->day);
}

uint64_t
search_off_savedsince(const struct search *q, const struct search_key *k)
{
	return above(k->day, saved_day(q));
}

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

uint64_t
search_off_sentbefore(const struct search *q, const struct search_key *k)
{
	int64_t day;

	return sent_day(q, &day) ? above(day, k->day - 1) : nowhere;
}

uint64_t
search_off_senton(const struct search *q, const struct search_key *k)
{
	int64_t day;

	return sent_day(q, &day) ? between(day, k->day) : nowhere;
}

uint64_t
search_off_sentsince(const struct search *q, const struct search_key *k)
{
	int64_t day;

	return sent_day(q, &day) ? above(k->day, day) : nowhere;
}

/* RFC 5032 2: to the second, both with the one they name. */
uint64_t
search_off_older(const struct search *q, const struct search_key *k)
{
	return above(q->m.internal_date, k->second);
}

uint64_t
search_off_younger(const struct search *q, const struct search_key *k)
{
	return above(k->second, q->m.internal_date);
}

uint64_t
search_off_larger(const struct search *q, const struct search_key *k)
{
	return q->m.size > k->number ? 0 : k->number - q->m.size + 1;
}

uint64_t
search_off_smaller(const struct search *q, const struct search_key *k)
{
	return q->m.size < k->number ? 0 : q->m.size - k->number + 1;
}

enum truth
search_match_off(struct search *q, const struct search_key *k)
{
	return k->row->off(q, k) == 0 ? TRUTH_YES : TRUTH_NO;
}

/* --- FUZZY --- */

bool
search_holds(const struct search_key *k, struct str text)
{
	if (k->fuzzy == NULL)
		return search_contains(text, k->needle);
	fuzzy_begin(k->fuzzy);
	fuzzy_see_text(k->fuzzy, text);
	return fuzzy_score(k->fuzzy) > 0;
}

static uint64_t
reach_of(const struct search_key *k)
{
	uint64_t part = k->number / SEARCH_NEAR_PART;

	if (k->row->near == NEAR_DAYS)
		return SEARCH_NEAR_DAYS;
	return part < reach_max ? part : reach_max;
}

/* Of a message that does not match. */
static unsigned
score_of_miss(const struct search *q, const struct search_key *k)
{
	uint64_t reach = reach_of(k), off;

	if (k->row->near == NEAR_FLAG)
		return SEARCH_NEAR_FLAG;
	if (k->row->off == NULL)
		return 0;
	off = k->row->off(q, k);
	return off <= reach ? FUZZY_BEST - (unsigned)(off * FUZZY_BEST / (reach + 1)) : 0;
}

static unsigned
score_of_match(const struct search_key *k)
{
	return k->fuzzy != NULL ? fuzzy_score(k->fuzzy) : FUZZY_BEST;
}

enum truth
search_match_near(const struct search *q, const struct search_key *k, enum truth said)
{
	if (said == TRUTH_OPEN)
		return said;
	*k->score = (uint8_t)(said == TRUTH_YES ? score_of_match(k) : score_of_miss(q, k));
	return *k->score > 0 ? TRUTH_YES : TRUTH_NO;
}
