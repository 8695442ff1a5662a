/* cmd_cancelupdate.c - CANCELUPDATE (RFC 5267 4.3.5). */
#include "commands.h"
#include "context.h"

struct cancel_args {
	struct str tag[CONTEXT_TAGS_MAX];
	size_t n;
};

/* 1*(SP quoted) */
bool
cmd_cancelupdate_parse(struct lex *l, struct command *c)
{
	struct cancel_args *a = ARENA_NEW(&c->arena, struct cancel_args);

	c->args = a;
	lex_sp(l);
	do {
		if (a->n == CONTEXT_TAGS_MAX)
			return lex_fail(l, "too many tags");
		a->tag[a->n++] = lex_string(l);
	} while (lex_ok(l) && lex_take(l, ' '));
	return lex_ok(l);
}

/* A context may have ended by itself while the client wrote: the others are ended all the same. */
enum step
cmd_cancelupdate_run(struct imap_session *s, struct command *c)
{
	const struct cancel_args *a = c->args;
	bool all = true;

	for (size_t i = 0; i < a->n; i++)
		all &= context_cancel(s->box, a->tag[i]);
	return all ? done_ok(c, "done") : done_no(c, "NONEXISTENT", "no context of that tag");
}
