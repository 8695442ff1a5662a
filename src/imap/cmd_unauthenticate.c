/* cmd_unauthenticate.c - UNAUTHENTICATE (RFC 8437 3): the connection goes back to where it was before the login. All state of
 * the user is the session's, and ends with it; where the operator does not allow it there is no such command. */
#include "commands.h"

enum step
cmd_unauthenticate_run(struct imap_session *s, struct command *c)
{
	if (!s->setup.unauthenticate)
		return done_bad(c, "UNAUTHENTICATE is not offered");
	s->leaving = true;
	return done_ok(c, "nobody is logged in");
}
