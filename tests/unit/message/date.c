/* date.c - dates in mail and in IMAP. */
#include "testing.h"

#include <time.h>

#include <postern/message/date.h>

static const struct {
	const char *text, *want; /* NULL: no date */
} rows[] = {
	{ "Tue, 1 Jul 2003 10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200" },
	{ "Fri, 21 Nov 1997 09:55:06 -0600", "Fri, 21 Nov 1997 09:55:06 -0600" },
	{ "Thu, 13 Feb 1969 23:32:54 -0330", "Thu, 13 Feb 1969 23:32:54 -0330" },
	{ "Thu,\r\n   13\r\n  Feb\r\n    1969\r\n  23:32\r\n  -0330 (Newfoundland Time)",
	    "Thu, 13 Feb 1969 23:32:00 -0330" },
	{ " 1 Jul 2003 (comment about date) 10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200" },
	{ "Tue, 1 Jul 2003 ((tricky)\n comment) 10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200" },
	{ " Wed, 27 Jun 99 04:11 +0900 ", "Sun, 27 Jun 1999 04:11:00 +0900" },
	{ "2 feb 2021 09:55:06 +0200", "Tue, 2 Feb 2021 09:55:06 +0200" },
	{ "Sun, 27 Oct 2002 23:57:07 EST", "Sun, 27 Oct 2002 23:57:07 -0500" },
	{ "Thu, 10 Jul 1997 14:53:31 EST5EDT", "Thu, 10 Jul 1997 14:53:31 -0500" },
	{ "Thu, 10 Jul 1997 14:53:31 A", "Thu, 10 Jul 1997 14:53:31 -0000" },
	{ "Thu, 10 Jul 1997 14:53:31 GMT", "Thu, 10 Jul 1997 14:53:31 +0000" },
	{ "Thu, 10 Jul 1997 14:53:31 pdt", "Thu, 10 Jul 1997 14:53:31 -0700" },
	{ "Thu, 10 Jul 1997 14:53:31 Z", "Thu, 10 Jul 1997 14:53:31 -0000" },
	{ "Thu, 10 Jul 1997 14:53:31 CEST", "Thu, 10 Jul 1997 14:53:31 -0000" },
	{ "Thu, 10 Jul 1997 14:53:31", "Thu, 10 Jul 1997 14:53:31 -0000" },
	{ "Thu, 10 Jul 1997 14:53:31 +9999", "Thu, 10 Jul 1997 14:53:31 -0000" },
	{ "Mon, 21 Aug 95 13:30:57 -600", "Mon, 21 Aug 1995 13:30:57 -0600" },
	{ "Thu, 10 Jul 1997 14:53:31 -0000", "Thu, 10 Jul 1997 14:53:31 -0000" },
	{ "Thursday, 10-Jul-97 14:53:31 GMT", "Thu, 10 Jul 1997 14:53:31 +0000" },
	{ "Thu Jul 10 14:53:31 1997", "Thu, 10 Jul 1997 14:53:31 -0000" },
	{ "Jul 10 14:53:31 1997 +0100", "Thu, 10 Jul 1997 14:53:31 +0100" },
	{ "Mon, 31 Dec 2012 23:59:60 +0000", "Tue, 1 Jan 2013 00:00:00 +0000" },
	{ "Tue, 29 Feb 2000 00:00:00 +0000", "Tue, 29 Feb 2000 00:00:00 +0000" },
	{ "1 Jan 49 00:00:00 +0000", "Fri, 1 Jan 2049 00:00:00 +0000" },
	{ "1 Jan 50 00:00:00 +0000", "Sun, 1 Jan 1950 00:00:00 +0000" },
	{ "1 Jan 103 00:00:00 +0000", "Wed, 1 Jan 2003 00:00:00 +0000" },
	{ "31 Dec 9999 23:59:59 +0000", "Fri, 31 Dec 9999 23:59:59 +0000" },
	{ "1 Jan 1900 00:00:00 +0000", "Mon, 1 Jan 1900 00:00:00 +0000" },
	{ "17 May 2026 22:15:15 +1345", "Sun, 17 May 2026 22:15:15 +1345" },
	{ "", NULL },
	{ "Tue", NULL },
	{ "1 Jul", NULL },
	{ "1 Jul 2003", NULL },
	{ "13 zzz 2021 09:55:06 +0200", NULL },
	{ "Tue, 7 00 2026 19:14:51 +0000", NULL },
	{ "30 Feb 2021 09:55:06 +0200", NULL },
	{ "29 Feb 1900 09:55:06 +0200", NULL },
	{ "0 Feb 2021 09:55:06 +0200", NULL },
	{ "1 Feb 2021 24:00:00 +0200", NULL },
	{ "1 Feb 2021 23:60:00 +0200", NULL },
	{ "1 Feb 1899 23:00:00 +0200", NULL },
	{ "1 Feb 12345 23:00:00 +0200", NULL },
	{ "4 8 15 16 23 42", NULL },
	{ "Tue, 1 Jul 2003 (unclosed 10:52:37 +0200", NULL },
};

static void
mail(void **state)
{
	struct date d;
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (date_parse_mail(str_of(rows[i].text), &d) != (rows[i].want != NULL))
			fail_msg("%s: %s", rows[i].text, rows[i].want != NULL ? "refused" : "accepted");
		if (rows[i].want == NULL)
			continue;
		buf_clear(&b);
		date_write_mail(&b, d);
		ASSERT_STR(buf_str(&b), str_of(rows[i].want), rows[i].text);
	}
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t n = 0; n < strlen(rows[i].text); n++)
			date_parse_mail(str_sub(str_of(rows[i].text), 0, n), &d);
	buf_fini(&b);
}

static void
imap(void **state)
{
	static const char *const good[] = { "17-Jul-1996 02:44:25 -0700", " 7-Jul-1996 23:59:59 +1345",
		"01-Jan-1970 00:00:00 +0000" };
	static const char *const bad[] = { "", "7-Jul-1996 02:44:25 -0700", "17-Jul-1996 02:44:25",
		"17-Jul-96 02:44:25 -0700", "17-Jul-1996 02:44 -0700", "17-Jul-1996 02:44:25 PDT",
		"17-Jul-1996 02:44:25 -0799", "17-Jul-1996 02:44:25 +0060", "31-Jun-1996 02:44:25 -0700",
		"17-Jul-1996  02:44:25 -0700", "17-Jul-1996 02:44:25 -0700 ", "17-Jux-1996 02:44:25 -0700" };
	struct date d;
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(date_parse_imap(str_of(good[i]), &d));
		buf_clear(&b);
		date_write_imap(&b, d);
		ASSERT_STR(buf_str(&b), i < 2 ? str_of(good[i]) : STR(" 1-Jan-1970 00:00:00 +0000"), good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (date_parse_imap(str_of(bad[i]), &d))
			fail_msg("accepted: %s", bad[i]);
	assert_true(date_parse_imap(STR("17-Jul-1996 02:44:25 -0700"), &d) && d.seconds == 837596665);
	buf_fini(&b);
}

static void
search_days(void **state)
{
	int64_t day;
	struct date d;

	(void)state;
	assert_true(date_parse_day(STR("1-Feb-1994"), &day) && day == 8797);
	assert_true(date_parse_day(STR("01-feb-1994"), &day) && day == 8797);
	assert_false(date_parse_day(STR("1-Feb-94"), &day));
	assert_false(date_parse_day(STR("1-Feb-1994 "), &day));
	assert_false(date_parse_day(STR("30-Feb-1994"), &day));
	/* the day as written, whatever the zone makes of it in UTC */
	assert_true(date_parse_mail(STR("1 Feb 1994 23:30:00 -0800"), &d) && date_day(d) == 8797);
	assert_true(date_parse_mail(STR("1 Feb 1994 00:30:00 +0800"), &d) && date_day(d) == 8797);
	assert_true(date_parse_mail(STR("31 Dec 1969 23:59:59 +0000"), &d) && date_day(d) == -1);
}

/* Every day of two centuries against the C library. */
static void
calendar(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (int64_t day = -25000; day < 60000; day++) {
		time_t t = (time_t)(day * 86400 + 3601);
		char want[64];
		struct tm tm;
		struct date back;

		gmtime_r(&t, &tm);
		snprintf(want, sizeof want, "%.3s, %d %.3s %d 01:00:01 +0000", &"SunMonTueWedThuFriSat"[tm.tm_wday * 3],
		    tm.tm_mday, &"JanFebMarAprMayJunJulAugSepOctNovDec"[tm.tm_mon * 3], tm.tm_year + 1900);
		buf_clear(&b);
		date_write_mail(&b, (struct date){ t, 0, true });
		assert_string_equal(buf_cstr(&b), want);
		assert_true(date_parse_mail(buf_str(&b), &back) && back.seconds == t);
		assert_int_equal(date_day(back), day);
	}
	buf_fini(&b);
}

static void
local(void **state)
{
	struct date d;

	(void)state;
	setenv("TZ", "XXX-5:30", 1);
	tzset();
	d = date_local(wall_from_seconds(1000000000));
	assert_int_equal(d.zone, 330);
	assert_true(d.zone_known && d.seconds == 1000000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail),
		cmocka_unit_test(imap),
		cmocka_unit_test(search_days),
		cmocka_unit_test(calendar),
		cmocka_unit_test(local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
