/* cmd_append.c - APPEND (RFC 9051 6.3.12; literal8: RFC 3516 4.4; several messages, all or none: RFC 3502; put together from
 * parts: RFC 4469), when all of it is there. */
#include "append.h"

#include "commands.h"
#include "notify.h"
#include "rights.h"

/* RFC 3502: as many UIDs as messages. */
struct str
append_uid_code(const struct imap_session *s, struct command *c, const struct place *to, const struct store_result *r)
{
	struct buf code;
	struct str text;

	if (!rights_tell_uids(s, to))
		return STR("");
	buf_init(&code, SIZE_MAX);
	buf_addf(&code, "APPENDUID %u ", r->uidvalidity);
	uidset_write(r->uids, &code);
	text = arena_str(&c->arena, buf_str(&code));
	buf_fini(&code);
	return text;
}

static void
on_appended(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);

	notify_own(s, s->append->to.user, r);
	if (r->code != STORE_OK)
		done_refused(c, r, REFUSED_TARGET);
	else
		done_ok_code(c, append_uid_code(s, c, &s->append->to, r), "done");
	if (s->box != NULL)
		s->box->dirty = true;
	command_finish(s);
}

void
append_fill(const struct imap_session *s, struct store_new *to, const struct append_args *a, size_t i)
{
	const struct append_message *m = &a->m[i];

	to->stage = s->append->stages[i];
	to->flags = m->flags.flags;
	to->keywords = m->flags.keywords;
	to->nkeywords = m->flags.n;
	to->internal_date = m->dated ? m->date.seconds : STORE_DATE_NOW;
}

enum step
cmd_append_run(struct imap_session *s, struct command *c)
{
	const struct append_args *args = c->args;
	enum append_copied copied = append_gather(s, c);
	struct store_new *messages;

	if (copied != APPEND_COPIED)
		return copied == APPEND_COPYING ? STEP_MORE : STEP_DONE;
	messages = arena_array(&c->arena, args->n, sizeof(*messages));
	for (size_t i = 0; i < args->n; i++)
		append_fill(s, &messages[i], args, i);
	s->append->n = 0; /* the stages are the store's */
	return command_wait(c, store_append(s->append->to.user, s->append->to.mailbox, messages, args->n, s->append->to.quota,
	    session_done(s, on_appended)));
}
