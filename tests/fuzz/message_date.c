/* message_date.c - dates under any bytes: what is read can be written and read again. */
#include <stdlib.h>

#include <postern/message/date.h>

#include "fuzz.h"

static void
check(struct date d, void (*write)(struct buf *, struct date), bool (*parse)(struct str, struct date *))
{
	struct date again;
	struct buf b;

	buf_init(&b, 100);
	write(&b, d);
	if (!parse(buf_str(&b), &again) || again.seconds != d.seconds || again.zone != d.zone)
		abort();
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str s = str_from(p, n);
	struct date d;
	int64_t day;

	/* the last minutes of the last year are the next year's in words */
	if (date_parse_mail(s, &d) && d.seconds < 253402214400)
		check(d, date_write_mail, date_parse_mail);
	if (date_parse_imap(s, &d) && d.seconds < 253402214400)
		check(d, date_write_imap, date_parse_imap);
	date_parse_day(s, &day);
	return 0;
}
