/* explain.c - what RCPT would do, in words for an administrator. */
#include <postern/auth/resolve.h>

#include <postern/core/buf.h>

static void
add_target(struct buf *out, const struct resolve_target *t)
{
	buf_add(out, t->local ? STR("  to the mailbox of ") : STR("  on to "));
	buf_add(out, t->address);
	if (t->detail.n > 0) {
		buf_add_cstr(out, ", folder ");
		buf_add(out, t->detail);
		buf_add_cstr(out, " if there is one");
	}
	buf_add_char(out, '\n');
}

void
resolve_explain(const struct resolve_answer *answer, struct buf *out)
{
	buf_addf(out, "%u %s %s\n", answer->code, answer->enhanced, answer->words);
	for (size_t i = 0; i < answer->nchain; i++) {
		buf_add_cstr(out, "  ");
		buf_add(out, answer->chain[i]);
		buf_add_char(out, '\n');
	}
	for (size_t i = 0; i < answer->ntargets; i++)
		add_target(out, &answer->targets[i]);
}
