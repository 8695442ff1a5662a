/* session.c - the life of a session: bytes to commands, commands to steps, steps to the tagged answer. */
#include "sess.h"

#include <stdlib.h>

#include <postern/core/clock.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "append.h"
#include "commands.h"
#include "idle.h"
#include "select.h"
#include "sync.h"

enum {
	FLUSH_AT = 16 * 1024, /* bytes collected before they go to the role */
};

static const struct frame_limits limits = {
	.line_max = IMAP_LINE_MAX,
	.bytes_max = IMAP_COMMAND_MAX,
	.literal_max = IMAP_LITERAL_MAX,
	.literals_max = IMAP_LITERALS_MAX,
};

/* --- out --- */

static void
write_out(struct imap_session *s)
{
	if (s->out.n == 0 || s->closed)
		return;
	s->bytes_out += s->out.n;
	s->ops->write(s->ctx, buf_str(&s->out));
	buf_fini(&s->out);
}

void
session_flush(struct imap_session *s)
{
	if (s->out.n >= FLUSH_AT)
		write_out(s);
}

bool
session_is_full(const struct imap_session *s)
{
	return s->out.n + s->ops->pending(s->ctx) > IMAP_OUTPUT_MAX;
}

void
session_again(struct imap_session *s)
{
	if (!s->closed)
		s->ops->again(s->ctx);
}

void
session_log_bad(const struct imap_session *s, const char *why)
{
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "bad");
	log_str(&l, "sid", buf_str(&s->sid));
	log_str(&l, "user", store_user_address(s->setup.user));
	log_cstr(&l, "why", why);
	log_end(&l);
}

/* --- end --- */

static void
command_free(struct imap_session *s)
{
	struct command *c = s->command;

	if (c == NULL)
		return;
	if (c->request != NULL)
		store_cancel(c->request);
	if (c->fini != NULL)
		c->fini(c);
	arena_fini(&c->arena);
	free(c);
	s->command = NULL;
	sync_free(s->sync);
	s->sync = NULL;
}

static void
end(struct imap_session *s)
{
	write_out(s);
	s->state = IN_END;
	if (!s->closed)
		s->ops->close(s->ctx);
	s->closed = true;
}

void
session_bye(struct imap_session *s, const char *code, const char *text)
{
	struct reply r = { REPLY_BYE, str_of(code), str_of(text) };

	if (s->closed)
		return;
	reply_write(&s->out, STR("*"), &r);
	end(s);
}

void
session_abort(struct imap_session *s, const char *why)
{
	session_log_bad(s, why);
	end(s);
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
done_bad(struct command *c, const char *text)
{
	c->reply = (struct reply){ REPLY_BAD, STR(""), str_of(text) };
	return STEP_DONE;
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
	if (s->state == IN_END)
		end(s);
	else if (s->bad >= IMAP_BAD_MAX)
		session_bye(s, "", "too many errors");
}

static enum step
step_updates(struct imap_session *s, struct command *c)
{
	if (sync_updates(s, c) == STEP_MORE)
		return STEP_MORE;
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

/* One step of the command under way. False: nothing more can be done now. */
static bool
run_step(struct imap_session *s)
{
	struct command *c = s->command;
	enum step step = c->step(s, c);

	session_flush(s);
	if (s->closed || s->command != c)
		return !s->closed;
	if (step == STEP_WAIT)
		c->step = step_waiting;
	if (step == STEP_DONE && !c->updating)
		command_done(s, c);
	return step != STEP_WAIT;
}

static void
run_steps(struct imap_session *s)
{
	struct mono until = mono_add_ms(mono_now(), IMAP_SLICE_MS);

	while (s->command != NULL && !s->closed && !session_is_full(s) && has_time(s, until))
		if (!run_step(s))
			break;
	write_out(s);
}

void
command_go_on(struct imap_session *s, enum step (*next)(struct imap_session *s, struct command *c))
{
	s->command->step = next;
	run_steps(s);
	if (imap_session_wants(s))
		session_again(s);
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
static bool
read_head(struct lex *l, struct command *c)
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

	if (!read_head(l, c))
		return done_bad(c, l->c.why);
	why = wrong_state(s, c);
	if (why != NULL)
		return done_bad(c, why);
	if (!c->verb->parse(l, c) || !lex_end(l))
		return done_bad(c, l->c.why);
	if (c->verb->flags & VERB_WRITES && s->box->readonly)
		return done_no(c, "NOPERM", "the mailbox is open read-only");
	c->step = c->verb->run;
	return STEP_MORE;
}

static struct command *
command_new(struct imap_session *s)
{
	struct command *c = NEW(struct command);

	arena_init(&c->arena);
	c->names = session_names(s);
	return c;
}

static void
on_command(struct imap_session *s)
{
	struct command *c = command_new(s);
	struct lex l = lex_init(buf_str(&s->frame.bytes), &c->arena);

	s->commands++;
	s->command = c;
	if (start(s, c, &l) == STEP_DONE)
		command_done(s, c);
	run_steps(s);
}

/* --- literals --- */

static void
refuse_literal(struct imap_session *s, const struct command *c, const struct reply *why)
{
	session_log_bad(s, why->text.p);
	if (s->frame.literal.nonsync && s->frame.literal.size > IMAP_SKIP_MAX) {
		session_bye(s, "TOOBIG", "literal too large");
		return;
	}
	reply_write(&s->out, str_from(c->tag, c->tag_size), why);
	frame_refuse(&s->frame);
	s->bad++;
	if (s->bad >= IMAP_BAD_MAX)
		session_bye(s, "", "too many errors");
}

static void
keep_literal(struct imap_session *s)
{
	frame_keep(&s->frame);
	if (!s->frame.literal.nonsync)
		buf_add_cstr(&s->out, "+ go on\r\n");
}

/* A literal was announced: APPEND's goes to the store, all others are kept if they are small. */
static void
on_literal(struct imap_session *s)
{
	struct command *c = command_new(s);
	struct lex l = lex_init(buf_str(&s->frame.bytes), &c->arena);
	enum append_literal is = read_head(&l, c) ? append_look(s, c, &l) : APPEND_ARGUMENT;
	struct reply why = { REPLY_BAD, STR_INIT("TOOBIG"), STR_INIT("literal too large") };

	if (is == APPEND_WRONG)
		why = (struct reply){ REPLY_BAD, { 0 }, str_of(l.c.why) };
	if (is == APPEND_MESSAGE)
		append_on_literal(s, c);
	else if (is == APPEND_ARGUMENT && frame_fits(&s->frame) && !s->frame.literal.binary)
		keep_literal(s);
	else
		refuse_literal(s, c, &why);
	arena_fini(&c->arena);
	free(c);
	write_out(s);
}

static void
on_bad_line(struct imap_session *s, const char *why)
{
	static const struct reply bad = { REPLY_BAD, STR_INIT(""), STR_INIT("lines end in CRLF") };

	session_log_bad(s, why);
	reply_write(&s->out, STR("*"), &bad);
	append_free(s);
	if (++s->bad >= IMAP_BAD_MAX)
		session_bye(s, "", "too many errors");
	write_out(s);
}

/* --- input --- */

static void
on_line(struct imap_session *s)
{
	if (s->command != NULL && s->command->takes_lines)
		idle_line(s, buf_str(&s->frame.bytes));
	else
		on_command(s);
}

static void
on_event(struct imap_session *s, enum frame_event event)
{
	switch (event) {
	case FRAME_COMMAND:
		on_line(s);
		break;
	case FRAME_LITERAL:
		on_literal(s);
		break;
	case FRAME_DATA:
		append_on_data(s, s->frame.chunk);
		break;
	case FRAME_BARE_LF:
		on_bad_line(s, "bare LF");
		break;
	case FRAME_TOO_LONG:
		session_log_bad(s, "line too long");
		session_bye(s, "TOOBIG", "command too long");
		break;
	case FRAME_MORE:
		break;
	}
}

bool
imap_session_wants(const struct imap_session *s)
{
	return !s->closed && (s->command == NULL || s->command->takes_lines) && !session_is_full(s);
}

size_t
imap_session_input(struct imap_session *s, struct str bytes)
{
	size_t used = 0;

	while (used < bytes.n && imap_session_wants(s)) {
		enum frame_event event;

		used += frame_feed(&s->frame, str_sub(bytes, used, bytes.n), &event);
		on_event(s, event);
	}
	s->bytes_in += used;
	return used;
}

void
imap_session_run(struct imap_session *s)
{
	if (!s->closed)
		run_steps(s);
}

void
imap_session_drained(struct imap_session *s)
{
	if (!s->closed && s->command != NULL)
		run_steps(s);
}

/* --- life --- */

static void
write_welcome(struct imap_session *s)
{
	struct buf code;
	struct reply r = { REPLY_OK, { 0 }, STR_INIT("logged in") };

	buf_init(&code, SIZE_MAX);
	commands_write_capabilities(&code);
	r.code = buf_str(&code);
	reply_write(&s->out, s->setup.tag, &r);
	buf_fini(&code);
	write_out(s);
}

struct imap_session *
imap_session_new(const struct imap_session_setup *setup, const struct imap_session_ops *ops, void *ctx)
{
	struct imap_session *s = NEW(struct imap_session);

	s->setup = *setup;
	s->ops = ops;
	s->ctx = ctx;
	s->state = IN_AUTH;
	frame_init(&s->frame, &limits);
	buf_init(&s->out, SIZE_MAX);
	buf_init(&s->sid, SIZE_MAX);
	buf_add(&s->sid, setup->sid);
	buf_init(&s->client, SIZE_MAX);
	buf_add(&s->client, setup->client);
	store_user_ref(setup->user);
	write_welcome(s);
	return s;
}

static void
log_logout(const struct imap_session *s)
{
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "logout");
	log_str(&l, "sid", buf_str(&s->sid));
	log_str(&l, "client", buf_str(&s->client));
	log_str(&l, "user", store_user_address(s->setup.user));
	log_num(&l, "commands", (int64_t)s->commands);
	log_num(&l, "in", (int64_t)s->bytes_in);
	log_num(&l, "out", (int64_t)s->bytes_out);
	log_end(&l);
}

void
imap_session_free(struct imap_session *s)
{
	if (s == NULL)
		return;
	log_logout(s);
	s->closed = true;
	command_free(s);
	append_free(s);
	select_close(s);
	frame_fini(&s->frame);
	buf_fini(&s->out);
	buf_fini(&s->sid);
	buf_fini(&s->client);
	store_user_unref(s->setup.user);
	free(s);
}

void
imap_session_timeout(struct imap_session *s)
{
	session_bye(s, "", "idle for too long");
}

void
imap_session_shutdown(struct imap_session *s, const char *why)
{
	session_bye(s, "UNAVAILABLE", why);
}
