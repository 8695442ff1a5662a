/* line.c - framing of command lines. Looks at complete input each time: a line is short. */
#include "line.h"

enum { TLS_HANDSHAKE_RECORD = 0x16 };

static enum line_found
first_byte(struct str input)
{
	if (input.n == 0)
		return LINE_MORE;
	if (input.p[0] == TLS_HANDSHAKE_RECORD)
		return LINE_TLS;
	if (!ascii_is_print(input.p[0]) && input.p[0] != '\r' && input.p[0] != '\n')
		return LINE_FOREIGN;
	return LINE_OK;
}

enum line_found
line_find(struct str input, size_t max, struct str *line, size_t *used)
{
	enum line_found first = first_byte(input);
	struct str seen = str_sub(input, 0, max);
	size_t lf;
	size_t cr;

	if (first != LINE_OK)
		return first;
	lf = str_find(seen, '\n');
	cr = str_find(seen, '\r');
	if (lf < cr || (cr + 1 < seen.n && lf != cr + 1))
		return LINE_BARE;
	if (lf == seen.n)
		return seen.n == max ? LINE_LONG : LINE_MORE;
	*line = str_sub(input, 0, cr);
	*used = lf + 1;
	return LINE_OK;
}
