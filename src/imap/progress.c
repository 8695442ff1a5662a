/* progress.c - "* OK [INPROGRESS (tag done goal)]" (RFC 9585 4). */
#include "progress.h"

#include <postern/core/clock.h>

#include "commands.h"

/* RFC 9585 3. */
void
progress_begin(struct command *c)
{
	c->progress_due = mono_add_ms(mono_now(), PROGRESS_MS);
}

/* False: nothing may be said now. */
static bool
look(const struct imap_session *s, const struct command *c, struct progress *p)
{
	if (c->request != NULL) {
		store_progress(c->request, &p->done, &p->goal);
		return true;
	}
	return c->progress != NULL && c->progress(s, c, p);
}

/* RFC 9585 4: NIL for a tag with "]", which would end the code. */
static void
add_tag(struct buf *out, const struct command *c)
{
	struct str tag = str_from(c->tag, c->tag_size);

	if (str_has(tag, ']'))
		buf_add_cstr(out, "NIL");
	else
		out_quoted(out, tag);
}

/* The goal is never reached before the command is done; what is too large for a number is not known. */
static void
write_notice(struct buf *out, const struct command *c, const struct progress *p)
{
	uint64_t done = p->done < p->goal ? p->done : p->goal - 1;

	buf_add_cstr(out, "* OK [INPROGRESS (");
	add_tag(out, c);
	if (p->goal == 0 || p->goal > UINT32_MAX)
		buf_add_cstr(out, " NIL NIL");
	else
		buf_addf(out, " %u %u", (unsigned)done, (unsigned)p->goal);
	buf_add_cstr(out, ")] still at work\r\n");
}

void
progress_tell(struct imap_session *s, struct command *c)
{
	struct progress p = { 0 };

	if (c->updating || c->takes_lines || s->in_literal || mono_before(mono_now(), c->progress_due))
		return;
	if (!look(s, c, &p))
		return;
	write_notice(&s->out, c, &p);
	progress_begin(c);
}

void
progress_wait(struct imap_session *s, const struct command *c)
{
	int64_t ms = mono_ms_between(c->progress_due, mono_now());

	if (c->request != NULL)
		s->ops->later(s->ctx, ms > 0 ? ms : 0);
}

uint64_t
progress_below(const struct uidset *set, uint32_t next)
{
	uint64_t n = 0;

	for (size_t i = 0; i < set->n && set->p[i].first < next; i++)
		n += (uint64_t)(set->p[i].last < next ? set->p[i].last : next - 1) - set->p[i].first + 1;
	return n;
}
