/* notify_turn.c - telling while no command is under way (RFC 5465 3.1): a command of the session's own without a tag, which ends
 * without an answer. What the client sends meanwhile waits for its end, as for any command's. */
#include "notify.h"

#include "command.h"
#include "condstore.h"
#include "metadata.h"
#include "select.h"
#include "sync.h"

/* RFC 5465 6.1: EXPUNGE at once, or when a command of the client allows it. */
static const struct verb immediate = { .name = STR_INIT(""), .where = IN_BOTH, .rfc = "RFC 5465 6.1.1" };
static const struct verb delayed = { .name = STR_INIT(""), .where = IN_BOTH, .flags = VERB_NO_EXPUNGE,
	.rfc = "RFC 5465 6.1.2" };

static enum step
turn_step(struct imap_session *s, struct command *c)
{
	if (s->box != NULL && s->box->deleted) {
		select_drop_deleted(s, c);
		return STEP_WAIT;
	}
	if (sync_updates(s, c) == STEP_MORE || sync_is_due(s, c) || notify_tell(s) == STEP_MORE)
		return STEP_MORE;
	metadata_tell(s);
	condstore_end_command(s);
	command_free(s);
	return STEP_MORE;
}

static void
begin(struct imap_session *s)
{
	struct command *c = command_new(s);

	c->verb = s->notify->set != NULL && s->notify->set->delayed ? &delayed : &immediate;
	c->step = turn_step;
	s->command = c;
}

void
notify_wake(struct imap_session *s)
{
	if (s->notify == NULL || s->command != NULL || s->closed || s->state == IN_END)
		return;
	begin(s);
	session_again(s); /* what else the same commit did is told together */
}

void
notify_after_command(struct imap_session *s)
{
	if (s->notify != NULL && s->command == NULL && !s->closed && s->state != IN_END)
		begin(s);
}
