/* id.c - RFC 2971: the client's list is checked against the limits, ours names the program and no version that an
 * attacker could look up. */
#include "id.h"

static bool
take_nil(struct lex *l)
{
	return lex_word(l, "NIL");
}

static void
id_pair(struct lex *l)
{
	if (lex_string(l).n > ID_FIELD_MAX)
		lex_fail(l, "field name too long");
	lex_sp(l);
	if (!take_nil(l) && lex_string(l).n > ID_VALUE_MAX)
		lex_fail(l, "value too long");
}

bool
lex_id_params(struct lex *l)
{
	unsigned pairs = 0;

	lex_sp(l);
	if (take_nil(l))
		return lex_ok(l);
	lex_want(l, '(');
	while (lex_ok(l) && !lex_take(l, ')')) {
		if (pairs++ > 0)
			lex_sp(l);
		if (pairs > ID_PAIRS_MAX)
			return lex_fail(l, "too many fields");
		id_pair(l);
	}
	return lex_ok(l);
}

void
id_write(struct buf *out)
{
	buf_add_cstr(out, "* ID (\"name\" \"postern\")\r\n");
}
