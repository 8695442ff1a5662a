/* date.h - dates with their zone: RFC 5322 3.3 and 4.3, IMAP date-time and date (RFC 9051 9).
 *
 * A date is an instant and the zone it was written in. Nothing here looks at the clock or the environment except
 * date_local(). */
#ifndef POSTERN_MESSAGE_DATE_H
#define POSTERN_MESSAGE_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/clock.h>
#include <postern/core/str.h>

struct date {
	int64_t seconds; /* since the epoch */
	int zone;        /* minutes east of UTC the date was written in */
	bool zone_known; /* false: "-0000" and the letters that RFC 5322 4.3 reads as such */
};

/* The value of a Date field: comments, folds, obsolete zones, two-digit years, missing seconds and day names, wrong day
 * names. False: no such date. Years 1900 to 9999. */
bool date_parse_mail(struct str value, struct date *out);
/* "Wed, 17 Jul 1996 02:44:25 -0700" */
void date_write_mail(struct buf *out, struct date d);

/* "17-Jul-1996 02:44:25 -0700", without the quotes; " 7-Jul-…" for one digit. Strict. */
bool date_parse_imap(struct str s, struct date *out);
void date_write_imap(struct buf *out, struct date d);

/* A day of the calendar, as days since 1970-01-01: what SEARCH compares (RFC 9051 6.4.4: without time and zone). */
/* "1-Feb-1994" (date-text). Strict. */
bool date_parse_day(struct str s, int64_t *day);
/* The day the date shows in its own zone: SENTON, SENTBEFORE, SENTSINCE. */
int64_t date_day(struct date d);

/* The instant in the zone of this machine (localtime). */
struct date date_local(struct wall t);

#endif
