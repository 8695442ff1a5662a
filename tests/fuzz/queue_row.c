/* queue_row.c - ledger rows under any bytes; what parses is canonical. First byte: which row. */
#include <stdlib.h>

#include "../../src/queue/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = str_from(p + 1, n > 0 ? n - 1 : 0);
	struct row_message m;
	struct row_recipient r;
	bool parsed;
	struct buf b;

	if (n == 0)
		return 0;
	buf_init(&b, ROW_RECIPIENT_MAX);
	if ((p[0] & 1) != 0 && (parsed = row_parse_message(in, &m)))
		row_write_message(&b, &m);
	else if ((p[0] & 1) == 0 && (parsed = row_parse_recipient(in, &r)))
		row_write_recipient(&b, &r);
	else
		parsed = false;
	if (parsed && !str_eq(buf_str(&b), in))
		abort();
	buf_fini(&b);
	return 0;
}
