/* cmd_append.c - APPEND (RFC 9051 6.3.12; literal8: RFC 3516 4.4).
 *
 * What can be refused is refused before the client sends the message. The message goes to the store's stage as it
 * comes and is never whole in memory here. A refusal that shows while it comes waits for the end of the command. */
#include "append.h"

#include <stdlib.h>

#include <postern/core/mem.h>

#include "commands.h"
#include "flags.h"
#include "names.h"

struct append_args {
	struct str mailbox;
	struct flag_args flags;
	bool dated;
	struct date date;
	uint64_t size;
	bool binary;
};

struct append {
	struct store_stage *stage;
	uint32_t mailbox;
	bool binary;
	bool failed;          /* `why` is the answer, the rest of the message is dropped */
	struct reply why;
};

void
append_free(struct imap_session *s)
{
	if (s->append == NULL)
		return;
	if (s->append->stage != NULL)
		store_stage_free(s->append->stage);
	free(s->append);
	s->append = NULL;
}

/* SP mailbox [SP flag-list] [SP date-time] SP literal; of the literal only the header is here. */
bool
cmd_append_parse(struct lex *l, struct command *c)
{
	struct append_args *a = ARENA_NEW(&c->arena, struct append_args);

	c->args = a;
	lex_sp(l);
	a->mailbox = lex_mailbox(l, c);
	lex_sp(l);
	if (cur_peek(&l->c) == '(') {
		lex_flag_list(l, &a->flags);
		lex_sp(l);
	}
	if (cur_peek(&l->c) == '"') {
		a->dated = true;
		a->date = lex_date_time(l);
		lex_sp(l);
	}
	return lex_literal_header(l, &a->size, &a->binary);
}

/* A parser that stopped at the very end misses only the literal that is to come. */
enum append_literal
append_look(struct imap_session *s, struct command *c, struct lex *l)
{
	if (c->verb == NULL || c->verb->run != cmd_append_run || s->append != NULL)
		return APPEND_ARGUMENT;
	if (cmd_append_parse(l, c) && lex_end(l))
		return APPEND_MESSAGE;
	return l->c.p == l->c.end ? APPEND_ARGUMENT : APPEND_WRONG;
}

/* --- before the message comes --- */

static uint32_t
find_mailbox(struct imap_session *s, struct str name, struct err *e)
{
	struct store_view *v = store_view_open(s->setup.user, e);
	uint32_t mailbox;

	if (v == NULL)
		return 0;
	mailbox = name.n > 0 ? store_find(v, name) : 0;
	store_view_close(v);
	return mailbox;
}

/* Why the message is not wanted: fills c->reply and returns true. */
static bool
is_unwanted(struct imap_session *s, struct command *c, uint32_t *mailbox)
{
	const struct append_args *a = c->args;
	uint64_t quota = s->setup.quota;
	struct err e = { .class = ERR_NONE };

	if (a->size == 0)
		done_no(c, "CANNOT", "the message is empty");
	else if (s->setup.message_max != 0 && a->size > s->setup.message_max)
		done_no(c, "TOOBIG", "the message is too large");
	else if (quota != 0 && (a->size > quota || store_user_bytes(s->setup.user) > quota - a->size))
		done_no(c, "OVERQUOTA", "the mailbox is full");
	else if ((*mailbox = find_mailbox(s, a->mailbox, &e)) == 0 && e.class == ERR_NONE)
		done_no(c, "TRYCREATE", "no such mailbox");
	else if (*mailbox == 0)
		done_unreadable(s, c, &e);
	else
		return false;
	return true;
}

static void
refuse(struct imap_session *s, struct command *c)
{
	if (s->frame.literal.nonsync && s->frame.literal.size > IMAP_SKIP_MAX) {
		session_bye(s, "TOOBIG", "the message is too large");
		return;
	}
	reply_write(&s->out, str_from(c->tag, c->tag_size), &c->reply);
	frame_refuse(&s->frame);
}

void
append_on_literal(struct imap_session *s, struct command *c)
{
	uint32_t mailbox = 0;

	if (is_unwanted(s, c, &mailbox)) {
		refuse(s, c);
		return;
	}
	s->append = NEW(struct append);
	s->append->mailbox = mailbox;
	s->append->binary = s->frame.literal.binary;
	s->append->stage = store_stage_new(s->setup.user);
	frame_stream(&s->frame);
	if (!s->frame.literal.nonsync)
		buf_add_cstr(&s->out, "+ go on\r\n");
}

/* --- while it comes --- */

static void
fail(struct append *a, enum reply_kind kind, const char *code, const char *text)
{
	a->failed = true;
	a->why = (struct reply){ kind, str_of(code), str_of(text) };
	store_stage_free(a->stage);
	a->stage = NULL;
}

void
append_on_data(struct imap_session *s, struct str chunk)
{
	struct append *a = s->append;
	struct err e;

	if (a->failed)
		return;
	if (!a->binary && str_has(chunk, '\0'))
		fail(a, REPLY_BAD, "", "NUL in a literal; literal8 may hold it");
	else if (!store_stage_write(a->stage, chunk, &e))
		fail(a, REPLY_NO, "UNAVAILABLE", SAY_LATER);
}

/* --- when all is there --- */

static void
on_appended(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);

	if (r->code != STORE_OK)
		done_refused(c, r, REFUSED_TARGET);
	else
		done_ok_code(c, arena_strf(&c->arena, "APPENDUID %u %u", r->uidvalidity, uidset_first(r->uids)), "done");
	if (s->box != NULL)
		s->box->dirty = true;
	command_finish(s);
}

enum step
cmd_append_run(struct imap_session *s, struct command *c)
{
	const struct append_args *args = c->args;
	struct append *a = s->append;
	struct store_new message = { 0 };

	if (a == NULL)
		return done_bad(c, "expected a literal");
	if (a->failed) {
		c->reply = a->why;
		return STEP_DONE;
	}
	message.stage = a->stage;
	message.flags = args->flags.flags;
	message.keywords = args->flags.keywords;
	message.nkeywords = args->flags.n;
	message.internal_date = args->dated ? args->date.seconds : STORE_DATE_NOW;
	a->stage = NULL;
	return command_wait(c, store_append(s->setup.user, a->mailbox, &message, 1, s->setup.quota,
	    (struct store_done){ on_appended, s }));
}
