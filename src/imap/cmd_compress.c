/* cmd_compress.c - COMPRESS (RFC 4978 3). The stream begins behind the tagged OK; where the operator has not allowed it,
 * there is no such command. */
#include "commands.h"

bool
cmd_compress_parse(struct lex *l, struct command *c)
{
	(void)c;
	lex_sp(l);
	if (lex_ok(l) && !lex_word(l, "DEFLATE"))
		lex_fail(l, "unknown algorithm");
	return lex_ok(l);
}

enum step
cmd_compress_run(struct imap_session *s, struct command *c)
{
	if (!s->setup.compress)
		return done_bad(c, "compression is not offered");
	if (s->compress != NULL)
		return done_bad(c, "compression is active");
	s->begin_compress = true;
	return done_ok(c, "from here on");
}
