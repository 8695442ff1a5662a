/* uidonly.c - UIDREQUIRED and UIDFETCH (RFC 9586 3, 3.3). */
#include "uidonly.h"

bool
uidonly_forbids_verb(const struct command *c)
{
	return c->uidonly && c->verb->flags & VERB_UID && !c->uid;
}

bool
uidonly_forbids_arguments(const struct command *c)
{
	return c->uidonly && c->numbers;
}

enum step
uidonly_refuse(struct command *c)
{
	return done_bad_code(c, "UIDREQUIRED", "message numbers are not allowed once UIDONLY is enabled");
}

void
uidonly_refuse_literal(struct lex *l, struct command *c)
{
	uidonly_refuse(c);
	lex_fail(l, c->reply.text.p);
}

void
uidonly_begin_fetch(struct imap_session *s, uint32_t seq, uint32_t uid, enum uid_told told)
{
	if (s->uidonly)
		buf_addf(&s->out, "* %u UIDFETCH (", uid);
	else if (told == UID_TOLD)
		buf_addf(&s->out, "* %u FETCH (UID %u ", seq, uid);
	else
		buf_addf(&s->out, "* %u FETCH (", seq);
}
