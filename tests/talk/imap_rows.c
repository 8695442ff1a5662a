/* imap_rows.c - prints the rows of IMAP's tables, a line each: table, name, capability, RFC, with tabs between them. From this and
 * the transcripts tests/house/imaptable.py makes docs/imap-table.md. */
#include <stdio.h>

#include "rows.h"

static void
print(void *ctx, const struct row *row)
{
	(void)ctx;
	printf("%s\t%.*s\t%s\t%s\n", row->table, STR_ARG(row->name), row->capability != NULL ? row->capability : "", row->rfc);
}

int
main(void)
{
	const struct rows rows = { print, NULL };

	front_rows(&rows);
	session_rows(&rows);
	capability_session_rows(&rows);
	return 0;
}
