/* command.c - the life of a command: from whole bytes to steps, from steps to the tagged answer. */
#include "command.h"

#include <stdlib.h>

#include <postern/core/clock.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "append.h"
#include "commands.h"
#include "condstore.h"
#include "limit.h"
#include "metadata.h"
#include "notify.h"
#include "owners.h"
#include "progress.h"
#include "rights.h"
#include "select.h"
#include "sync.h"
#include "uidonly.h"

void
command_free(struct imap_session *s)
{
	struct command *c = s->command;

	if (c == NULL)
		return;
	if (c->request != NULL)
		store_cancel(c->request);
	if (c->fini != NULL)
		c->fini(c);
	owners_free(c);
	s->opening = NULL;
	arena_fini(&c->arena);
	free(c);
	s->command = NULL;
	sync_free(s->sync);
	s->sync = NULL;
}

/* --- answers of handlers --- */

enum step
done_ok_code(struct command *c, struct str code, const char *text)
{
	c->reply = (struct reply){ REPLY_OK, code, str_of(text) };
	return STEP_DONE;
}

enum step
done_ok(struct command *c, const char *text)
{
	return done_ok_code(c, STR(""), text);
}

enum step
done_no(struct command *c, const char *code, const char *text)
{
	c->reply = (struct reply){ REPLY_NO, str_of(code), str_of(text) };
	return STEP_DONE;
}

enum step
done_bad_code(struct command *c, const char *code, const char *text)
{
	c->reply = (struct reply){ REPLY_BAD, str_of(code), str_of(text) };
	return STEP_DONE;
}

enum step
done_bad(struct command *c, const char *text)
{
	return done_bad_code(c, "", text);
}

enum step
done_refused(struct command *c, const struct store_result *r, enum refused where)
{
	static const char *const codes[] = {
		[STORE_OK] = "SERVERBUG",
		[STORE_NONEXISTENT] = "NONEXISTENT",
		[STORE_EXISTS] = "ALREADYEXISTS",
		[STORE_CANNOT] = "CANNOT",
		[STORE_OVERQUOTA] = "OVERQUOTA",
		[STORE_LIMIT] = "LIMIT",
		[STORE_GONE] = "EXPUNGEISSUED",
		[STORE_NOPERM] = "NOPERM",
		[STORE_UNAVAILABLE] = "UNAVAILABLE",
	};

	if (r->code == STORE_UNAVAILABLE)
		log_say(LEVEL_WARN, "store", "%s", r->err->log);
	if (r->code == STORE_NONEXISTENT && where == REFUSED_TARGET)
		return done_no(c, "TRYCREATE", "no such mailbox");
	return done_no(c, codes[r->code], r->err->say != NULL && r->err->say[0] != '\0' ? r->err->say : "refused");
}

enum step
done_unreadable(struct imap_session *s, struct command *c, const struct err *e)
{
	struct log_line l;

	log_begin(&l, LEVEL_WARN, "store");
	log_str(&l, "sid", buf_str(&s->sid));
	log_str(&l, "user", store_user_address(s->setup.user));
	log_cstr(&l, "why", e->log);
	log_end(&l);
	return done_no(c, "UNAVAILABLE", SAY_LATER);
}

enum step
command_wait(struct command *c, struct store_request *r)
{
	c->request = r;
	return STEP_WAIT;
}

struct command *
command_answered(struct imap_session *s)
{
	s->command->request = NULL;
	return s->command;
}

/* --- steps --- */

static enum step
step_waiting(struct imap_session *s, struct command *c)
{
	(void)s;
	(void)c;
	return STEP_WAIT;
}

/* The tagged answer; bad commands in a row end the session. */
static void
answer(struct imap_session *s, struct command *c)
{
	condstore_end_command(s);
	limit_answer(s, c);
	reply_write(&s->out, str_from(c->tag, c->tag_size), &c->reply);
	if (c->reply.kind == REPLY_BAD) {
		session_log_bad(s, c->reply.text.p);
		s->bad++;
	} else {
		s->bad = 0;
	}
	command_free(s);
	append_free(s);
	frame_reset(&s->frame);
	if (s->begin_compress)
		session_compress(s);
	if (s->leaving) {
		session_leave(s);
		return;
	}
	if (s->state == IN_END)
		session_end(s);
	else if (s->bad >= IMAP_BAD_MAX)
		session_bye(s, "", "too many errors");
	notify_after_command(s);
}

static enum step
step_updates(struct imap_session *s, struct command *c)
{
	if (sync_updates(s, c) == STEP_MORE)
		return STEP_MORE;
	metadata_tell(s);
	answer(s, c);
	return STEP_DONE;
}

/* The command's own work is done: what happened meanwhile is told, then the answer. */
static void
command_done(struct imap_session *s, struct command *c)
{
	bool no_updates = c->reply.kind == REPLY_BAD || c->verb->flags & VERB_NO_UPDATES;

	if (no_updates && s->sync == NULL) {
		answer(s, c);
		return;
	}
	if (s->box != NULL && s->box->deleted && !select_drop_deleted(s, c))
		return;
	if (s->modseq_written && s->box != NULL)
		s->box->dirty = true; /* from a look that was newer than what the watch has told: nothing older may be missing */
	c->step = step_updates;
	c->updating = true;
}

static bool
has_time(struct imap_session *s, struct mono until)
{
	if (mono_before(mono_now(), until))
		return true;
	session_again(s);
	return false;
}

/* A command that has ended may have left its place in memory to one of the session's own. */
static bool
is_under_way(const struct imap_session *s, uint64_t number)
{
	return s->command != NULL && s->command->number == number;
}

/* One step of the command under way. False: nothing more can be done now. */
static bool
run_step(struct imap_session *s)
{
	struct command *c = s->command;
	uint64_t number = c->number;
	enum step step;

	progress_tell(s, c);
	step = c->step(s, c);

	session_flush(s);
	if (s->closed || !is_under_way(s, number))
		return !s->closed;
	if (step == STEP_WAIT) {
		c->step = step_waiting;
		progress_wait(s, c);
	}
	if (step == STEP_DONE && !c->updating)
		command_done(s, c);
	return step != STEP_WAIT;
}

static bool
can_run(const struct imap_session *s)
{
	return s->command != NULL && !s->closed && !session_is_full(s);
}

/* One step at least, however late it is. */
void
command_run(struct imap_session *s)
{
	struct mono until = mono_add_ms(mono_now(), IMAP_SLICE_MS);

	while (can_run(s) && run_step(s) && has_time(s, until))
		continue;
	session_write_out(s);
}

void
command_go_on(struct imap_session *s, enum step (*next)(struct imap_session *s, struct command *c))
{
	s->command->step = next;
	command_run(s);
	if (imap_session_wants(s) || s->command == NULL)
		session_again(s); /* bytes of the next command may wait here */
}

static enum step
step_done(struct imap_session *s, struct command *c)
{
	(void)s;
	(void)c;
	return STEP_DONE;
}

void
command_finish(struct imap_session *s)
{
	command_go_on(s, step_done);
}

/* --- commands --- */

/* tag SP ["UID" SP] name: finds the row. False: the line is no command. */
bool
command_read_head(struct lex *l, struct command *c)
{
	struct str tag = lex_tag(l);
	struct str name;

	if (!lex_ok(l))
		return false;
	memcpy(c->tag, tag.p, tag.n);
	c->tag_size = tag.n;
	lex_sp(l);
	name = lex_atom(l);
	if (lex_ok(l) && str_eq_nocase(name, STR("UID"))) {
		c->uid = true;
		lex_sp(l);
		name = lex_atom(l);
	}
	c->verb = lex_ok(l) ? commands_find(name, c->uid) : NULL;
	return lex_ok(l);
}

/* What is wrong with the command before its arguments are looked at, or NULL. */
static const char *
wrong_state(const struct imap_session *s, const struct command *c)
{
	if (c->verb == NULL)
		return "unknown command";
	if (!(c->verb->where & s->state))
		return "no mailbox is selected";
	return NULL;
}

static enum step
start(struct imap_session *s, struct command *c, struct lex *l)
{
	const char *why;

	if (!command_read_head(l, c))
		return done_bad(c, l->c.why);
	why = wrong_state(s, c);
	if (why != NULL)
		return done_bad(c, why);
	if (uidonly_forbids_verb(c))
		return uidonly_refuse(c);
	if (!c->verb->parse(l, c) || !lex_end(l))
		return done_bad(c, l->c.why);
	if (uidonly_forbids_arguments(c))
		return uidonly_refuse(c);
	if (c->verb->where == IN_SELECTED && !(s->box->rights & STORE_RIGHT_READ))
		return done_no(c, "NOPERM", "the mailbox may not be read any more");
	if (c->verb->flags & VERB_WRITES && s->box->readonly)
		return done_no(c, "NOPERM", "the mailbox is open read-only");
	if (c->condstore)
		condstore_enable(s);
	c->step = c->verb->run;
	return owners_are_due(c) ? owners_open(s, c, c->verb->run) : STEP_MORE;
}

struct command *
command_new(struct imap_session *s)
{
	struct command *c = NEW(struct command);

	c->number = ++s->numbered;
	arena_init(&c->arena);
	c->session = s;
	c->names = session_names(s);
	c->uidonly = s->uidonly;
	return c;
}

void
command_begin(struct imap_session *s)
{
	struct command *c = command_new(s);
	struct lex l = lex_init(buf_str(&s->frame.bytes), &c->arena);

	s->commands++;
	s->command = c;
	progress_begin(c);
	if (start(s, c, &l) == STEP_DONE)
		command_done(s, c);
	command_run(s);
}
