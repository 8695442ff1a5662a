/* cmd_idle.c - IDLE (RFC 9051 6.3.13). The command stays under way; the watch of the mailbox wakes it, it tells the
 * news and waits again. */
#include "idle.h"

#include "commands.h"
#include "metadata.h"
#include "notify.h"
#include "select.h"
#include "sync.h"

static bool
is_idling(const struct imap_session *s)
{
	return s->command != NULL && s->command->takes_lines;
}

/* Tells the news, then waits for more. */
static enum step
news_step(struct imap_session *s, struct command *c)
{
	if (s->box != NULL && s->box->deleted) {
		select_drop_deleted(s, c);
		return STEP_WAIT;
	}
	metadata_tell(s);
	if (sync_updates(s, c) == STEP_MORE || sync_is_due(s, c) || notify_tell(s) == STEP_MORE)
		return STEP_MORE;
	return STEP_WAIT;
}

void
idle_wake(struct imap_session *s)
{
	if (is_idling(s) && s->sync == NULL)
		command_go_on(s, news_step);
	else
		notify_wake(s);
}

void
idle_wake_later(struct imap_session *s)
{
	if (!is_idling(s)) {
		notify_wake(s);
		return;
	}
	s->command->step = news_step;
	session_again(s);
}

/* What is half told is told to its end by the updates before the tagged answer. */
void
idle_line(struct imap_session *s, struct str line)
{
	struct command *c = s->command;

	if (str_eq_nocase(line, STR("DONE")))
		done_ok(c, "done");
	else
		done_bad(c, "expected DONE");
	c->takes_lines = false;
	command_finish(s);
}

enum step
cmd_idle_run(struct imap_session *s, struct command *c)
{
	buf_add_cstr(&s->out, "+ idling\r\n");
	arena_fini(&c->arena);
	frame_expect_line(&s->frame);
	c->takes_lines = true;
	c->step = news_step;
	return STEP_MORE;
}
