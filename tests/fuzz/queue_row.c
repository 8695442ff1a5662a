/* queue_row.c - ledger rows and records under any bytes; what parses is canonical, but for rows of an older version. First byte:
 * which. */
#include <stdlib.h>

#include "../../src/queue/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = str_from(p + 1, n > 0 ? n - 1 : 0);
	struct row_message m;
	struct row_recipient r;
	struct record_sts sts;
	struct record record;
	bool parsed = false;
	struct buf b;

	if (n < 2)
		return 0;
	buf_init(&b, RECORD_MAX + QUEUE_STS_MAX);
	switch (p[0] % 4) {
	case 0:
		if ((parsed = row_parse_recipient(in, &r)))
			row_write_recipient(&b, &r);
		parsed = parsed && p[1] == ROW_RECIPIENT_VERSION;
		break;
	case 1:
		if ((parsed = row_parse_message(in, &m)))
			row_write_message(&b, &m);
		break;
	case 2:
		if (record_parse(in, &record))
			record_write(&b, &record); /* one with fewer results than are known grows */
		break;
	case 3:
		if ((parsed = record_parse_sts(in, &sts)))
			record_write_sts(&b, &sts);
		break;
	}
	if (parsed && !str_eq(buf_str(&b), in))
		abort();
	buf_fini(&b);
	return 0;
}
