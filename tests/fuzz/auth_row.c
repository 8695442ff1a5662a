/* auth_row.c - the rows of the directory under any bytes: what is taken must come out the same again. */
#include <stdlib.h>

#include "../../src/auth/row.h"
#include "fuzz.h"

static void
same(struct buf *written, struct str row)
{
	if (written->over || !str_eq(buf_str(written), row))
		abort();
	buf_clear(written);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str row = str_from(p, n);
	struct user u = { 0 };
	struct alias al = { 0 };
	struct domain d = { 0 };
	struct arena a;
	struct buf out;

	arena_init(&a);
	buf_init(&out, ROW_MAX);
	if (row_parse_user(row, &u)) {
		row_write_user(&out, &u);
		same(&out, row);
	}
	if (row_parse_alias(row, &a, &al)) {
		row_write_alias(&out, &al);
		same(&out, row);
	}
	if (row_parse_domain(row, &d)) {
		row_write_domain(&out, &d);
		same(&out, row);
	}
	buf_fini(&out);
	arena_fini(&a);
	return 0;
}
