/* date.c - dates of mail and of IMAP. */
#include <postern/message/date.h>

#include <time.h>

#include <postern/core/cur.h>

#include "lex.h"

/* The fields of a date as written. */
struct civil {
	int year, month, day; /* month 1 to 12 */
	int hour, minute, second;
};

static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

enum { DAY_SECONDS = 24 * 60 * 60, YEAR_MIN = 1900, YEAR_MAX = 9999 };

static bool
is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
month_length(int year, int month)
{
	static const int length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return length[month - 1] + (month == 2 && is_leap(year));
}

/* Days since 1970-01-01 of a day of the Gregorian calendar; years are counted from March so that the leap day is
 * last. */
static int64_t
to_days(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void
from_days(int64_t n, struct civil *c)
{
	int64_t era, of_era, years, of_year, m;

	n += 719468;
	era = (n >= 0 ? n : n - 146096) / 146097;
	of_era = n - era * 146097;
	years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * years + years / 4 - years / 100);
	m = (5 * of_year + 2) / 153;
	c->day = (int)(of_year - (153 * m + 2) / 5 + 1);
	c->month = (int)(m < 10 ? m + 3 : m - 9);
	c->year = (int)(years + era * 400 + (c->month <= 2));
}

static bool
is_valid(const struct civil *c, int year_min)
{
	return c->year >= year_min && c->year <= YEAR_MAX && c->month >= 1 && c->month <= 12 && c->day >= 1 &&
	    c->day <= month_length(c->year, c->month) && c->hour <= 23 && c->minute <= 59 && c->second <= 60;
}

static int64_t
to_seconds(const struct civil *c, int zone)
{
	return to_days(c->year, c->month, c->day) * DAY_SECONDS + c->hour * 3600 + (c->minute - zone) * 60 + c->second;
}

int64_t
date_day(struct date d)
{
	int64_t local = d.seconds + (int64_t)d.zone * 60;

	return (local >= 0 ? local : local - (DAY_SECONDS - 1)) / DAY_SECONDS;
}

/* 1 to 12, or 0: the name begins with the three letters of a month. */
static int
month_of(struct str name)
{
	for (int i = 0; i < 12; i++)
		if (str_starts_nocase(name, str_of(months[i])))
			return i + 1;
	return 0;
}

static int
digits(struct cur *c, size_t least, size_t most)
{
	struct str s = cur_want_while(c, ascii_is_digit, most, "digits");
	uint64_t v = 0;

	if (s.n < least)
		cur_fail(c, "digits");
	str_u64(s, 9999, &v);
	return (int)v;
}

/* RFC 5322 4.3: two digits below 50 are of this century, other two or three digits count from 1900. */
static int
mail_year(struct cur *c)
{
	const char *start = c->p;
	int year = digits(c, 2, 4);

	if (c->p - start == 2 && year < 50)
		return year + 2000;
	return c->p - start < 4 ? year + 1900 : year;
}

static int
mail_month(struct cur *c)
{
	int month = month_of(cur_want_while(c, ascii_is_alpha, 16, "month"));

	if (month == 0)
		cur_fail(c, "month");
	return month;
}

/* "hh:mm[:ss]", blanks and comments anywhere. */
static void
mail_time(struct cur *c, struct civil *d)
{
	d->hour = digits(c, 1, 2);
	lex_blank(c);
	cur_want(c, ":");
	lex_blank(c);
	d->minute = digits(c, 1, 2);
	lex_blank(c);
	if (!cur_take_char(c, ':'))
		return;
	lex_blank(c);
	d->second = digits(c, 1, 2);
	lex_blank(c);
}

/* False: more than 59 minutes. */
static bool
set_zone(struct date *out, int sign, int hhmm)
{
	if (hhmm % 100 > 59)
		return false;
	out->zone = sign * (hhmm / 100 * 60 + hhmm % 100);
	out->zone_known = hhmm > 0 || sign > 0;
	return true;
}

/* RFC 5322 4.3: these names have a meaning, all others (military letters too) say "-0000". */
static void
named_zone(struct str name, struct date *out)
{
	static const struct {
		char name[4];
		int hours;
	} zones[] = { { "UT", 0 }, { "GMT", 0 }, { "UTC", 0 }, { "EDT", -4 }, { "EST", -5 }, { "CDT", -5 },
		{ "CST", -6 }, { "MDT", -6 }, { "MST", -7 }, { "PDT", -7 }, { "PST", -8 } };

	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
		if (str_eq_nocase(name, str_of(zones[i].name))) {
			out->zone = zones[i].hours * 60;
			out->zone_known = true;
		}
	}
}

static void
mail_zone(struct cur *c, struct date *out)
{
	int sign = cur_peek(c) == '-' ? -1 : 1;
	struct str number;
	uint64_t hhmm;

	if (!cur_take_char(c, '+') && !cur_take_char(c, '-')) {
		named_zone(cur_while(c, ascii_is_alpha), out);
		return;
	}
	number = cur_while(c, ascii_is_digit);
	if ((number.n == 4 || number.n == 3) && str_u64(number, 9999, &hhmm))
		set_zone(out, sign, (int)hhmm);
}

static void
separator(struct cur *c)
{
	lex_blank(c);
	if (cur_take_char(c, '-'))
		lex_blank(c);
}

/* "17 Jul 1996 02:44:25", "17-Jul-96 02:44" */
static void
day_first(struct cur *c, struct civil *d)
{
	d->day = digits(c, 1, 2);
	separator(c);
	d->month = mail_month(c);
	separator(c);
	d->year = mail_year(c);
	lex_blank(c);
	mail_time(c, d);
}

/* "Jul 17 02:44:25 1996", as asctime() writes it */
static void
month_first(struct cur *c, struct civil *d, int month)
{
	d->month = month;
	lex_blank(c);
	d->day = digits(c, 1, 2);
	lex_blank(c);
	mail_time(c, d);
	d->year = mail_year(c);
	lex_blank(c);
}

bool
date_parse_mail(struct str value, struct date *out)
{
	struct cur c = cur_init(value);
	struct civil d = { 0 };
	struct str name;
	int month;

	*out = (struct date){ 0 };
	lex_blank(&c);
	name = cur_while(&c, ascii_is_alpha);
	lex_blank(&c);
	if (name.n > 0 && (cur_take_char(&c, ',') || cur_take_char(&c, '.')))
		lex_blank(&c);
	month = month_of(name);
	if (month == 0 && ascii_is_alpha((char)cur_peek(&c)))
		month = mail_month(&c);
	if (month > 0)
		month_first(&c, &d, month);
	else
		day_first(&c, &d);
	mail_zone(&c, out);
	if (!cur_ok(&c) || !is_valid(&d, YEAR_MIN))
		return false;
	out->seconds = to_seconds(&d, out->zone);
	return true;
}

static void
broken_down(struct date d, struct civil *c)
{
	int64_t day = date_day(d);
	int64_t second = d.seconds + (int64_t)d.zone * 60 - day * DAY_SECONDS;

	from_days(day, c);
	c->hour = (int)(second / 3600);
	c->minute = (int)(second / 60 % 60);
	c->second = (int)(second % 60);
}

static void
add_time_zone(struct buf *out, const struct civil *c, struct date d)
{
	int zone = d.zone < 0 ? -d.zone : d.zone;
	char sign = d.zone < 0 || !d.zone_known ? '-' : '+';

	buf_addf(out, " %02d:%02d:%02d %c%02d%02d", c->hour, c->minute, c->second, sign, zone / 60, zone % 60);
}

void
date_write_mail(struct buf *out, struct date d)
{
	int64_t weekday = ((date_day(d) + 4) % 7 + 7) % 7;
	struct civil c;

	broken_down(d, &c);
	buf_addf(out, "%s, %d %s %04d", days[weekday], c.day, months[c.month - 1], c.year);
	add_time_zone(out, &c, d);
}

void
date_write_imap(struct buf *out, struct date d)
{
	struct civil c;

	d.zone_known = true;
	broken_down(d, &c);
	buf_addf(out, "%2d-%s-%04d", c.day, months[c.month - 1], c.year);
	add_time_zone(out, &c, d);
}

/* "-Jul-1996" */
static void
imap_month_year(struct cur *c, struct civil *d)
{
	cur_want(c, "-");
	d->month = month_of(cur_bytes(c, 3));
	cur_want(c, "-");
	d->year = digits(c, 4, 4);
}

bool
date_parse_imap(struct str s, struct date *out)
{
	struct cur c = cur_init(s);
	struct civil d = { 0 };
	int sign;

	d.day = cur_take_char(&c, ' ') ? digits(&c, 1, 1) : digits(&c, 2, 2);
	imap_month_year(&c, &d);
	cur_want(&c, " ");
	d.hour = digits(&c, 2, 2);
	cur_want(&c, ":");
	d.minute = digits(&c, 2, 2);
	cur_want(&c, ":");
	d.second = digits(&c, 2, 2);
	cur_want(&c, " ");
	sign = cur_take_char(&c, '-') ? -1 : 1;
	if (sign > 0)
		cur_want(&c, "+");
	*out = (struct date){ 0 };
	if (!set_zone(out, sign, digits(&c, 4, 4)) || !cur_end(&c) || !is_valid(&d, 1))
		return false;
	out->seconds = to_seconds(&d, out->zone);
	return true;
}

bool
date_parse_day(struct str s, int64_t *day)
{
	struct cur c = cur_init(s);
	struct civil d = { 0 };

	d.day = digits(&c, 1, 2);
	imap_month_year(&c, &d);
	if (!cur_end(&c) || !is_valid(&d, 1))
		return false;
	*day = to_days(d.year, d.month, d.day);
	return true;
}

struct date
date_local(struct wall t)
{
	time_t seconds = wall_seconds(t);
	struct tm tm;

	if (localtime_r(&seconds, &tm) == NULL)
		return (struct date){ seconds, 0, true };
	return (struct date){ seconds, (int)(tm.tm_gmtoff / 60), true };
}
