/* cmd_append.c - APPEND (RFC 9051 6.3.12; literal8: RFC 3516 4.4; several messages, all or none: RFC 3502).
 *
 * What can be refused is refused before the client sends the message. Each message goes to a stage of the store as it
 * comes and is never whole in memory here. A refusal that shows while it comes waits for the next message or the end of
 * the command. */
#include "append.h"

#include <stdlib.h>

#include <postern/core/mem.h>

#include "commands.h"
#include "names.h"
#include "uidonly.h"

static void
drop_stages(struct append *a)
{
	for (size_t i = 0; i < a->n; i++)
		store_stage_free(a->stages[i]);
	a->n = 0;
}

void
append_free(struct imap_session *s)
{
	if (s->append == NULL)
		return;
	drop_stages(s->append);
	free(s->append);
	s->append = NULL;
}

/* [SP flag-list] [SP date-time] SP literal; of the literal only the header is here. The first space is taken. */
static void
append_message(struct lex *l, struct append_message *m)
{
	if (cur_peek(&l->c) == '(') {
		lex_flag_list(l, &m->flags);
		lex_sp(l);
	}
	if (cur_peek(&l->c) == '"') {
		m->dated = true;
		m->date = lex_date_time(l);
		lex_sp(l);
	}
	lex_literal_header(l, &m->size, &m->binary);
}

bool
append_parse(struct lex *l, struct command *c, struct append_args *a, size_t max)
{
	c->args = a;
	a->m = arena_array(&c->arena, max, sizeof(*a->m));
	lex_sp(l);
	a->mailbox = lex_mailbox(l, c);
	do {
		lex_sp(l);
		append_message(l, &a->m[a->n++]);
	} while (lex_ok(l) && cur_left(&l->c) > 0 && a->n < max);
	return lex_ok(l);
}

bool
cmd_append_parse(struct lex *l, struct command *c)
{
	return append_parse(l, c, ARENA_NEW(&c->arena, struct append_args), APPEND_MESSAGES_MAX + 1);
}

/* A parser that stopped at the very end misses only the literal that is to come. */
enum append_literal
append_look(struct imap_session *s, struct command *c, struct lex *l)
{
	if (c->verb == NULL || (c->verb->run != cmd_append_run && c->verb->run != cmd_replace_run))
		return APPEND_ARGUMENT;
	if (!(c->verb->where & s->state))
		lex_fail(l, "no mailbox is selected");
	else if (uidonly_forbids_verb(c))
		uidonly_refuse_literal(l, c);
	if (c->verb->parse(l, c) && lex_end(l))
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

/* The message that is replaced makes room (RFC 8508 3.4); the store looks again. */
static uint64_t
replaced_size(struct imap_session *s, struct command *c)
{
	uint32_t uid = c->verb->run == cmd_replace_run ? replace_find(s, c) : 0;
	struct err e;
	struct store_view *v = uid != 0 ? store_view_open(s->setup.user, &e) : NULL;
	struct store_message m = { 0 };

	if (v == NULL)
		return 0;
	store_message(v, s->box->mailbox, uid, &m);
	store_view_close(v);
	return m.size;
}

static bool
fits_quota(struct imap_session *s, struct command *c, uint64_t size)
{
	uint64_t quota = s->setup.quota;

	return quota == 0 || (size <= quota && store_user_bytes(s->setup.user) <= quota - size + replaced_size(s, c));
}

/* Why there is no place for it: fills c->reply and returns true. */
static bool
has_no_mailbox(struct imap_session *s, struct command *c, uint32_t *mailbox)
{
	const struct append_args *a = c->args;
	struct err e = { .class = ERR_NONE };

	*mailbox = find_mailbox(s, a->mailbox, &e);
	if (*mailbox != 0)
		return false;
	if (e.class == ERR_NONE)
		done_no(c, "TRYCREATE", "no such mailbox");
	else
		done_unreadable(s, c, &e);
	return true;
}

/* Why the message is not wanted, after those that have come: fills c->reply and returns true. */
static bool
is_unwanted(struct imap_session *s, struct command *c)
{
	const struct append_args *a = c->args;
	uint64_t size = a->m[a->n - 1].size;
	uint64_t before = s->append != NULL ? s->append->size : 0;

	if (s->append != NULL && s->append->failed)
		c->reply = s->append->why;
	else if (c->verb->flags & VERB_WRITES && s->box->readonly)
		done_no(c, "NOPERM", "the mailbox is open read-only");
	else if (c->verb->run == cmd_replace_run && replace_find(s, c) == 0)
		return true;
	else if (size == 0)
		done_no(c, "CANNOT", "the message is empty");
	else if (s->setup.message_max != 0 && size > s->setup.message_max)
		done_no(c, "TOOBIG", "the message is too large");
	else if (size > INT64_MAX - before || !fits_quota(s, c, before + size))
		done_no(c, "OVERQUOTA", "the mailbox is full");
	else if (a->n > APPEND_MESSAGES_MAX)
		done_no(c, "LIMIT", "too many messages at once");
	else
		return false;
	return true;
}

/* What has come is dropped, too: all or none (RFC 3502). */
static void
refuse(struct imap_session *s, struct command *c)
{
	append_free(s);
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
	const struct append_args *args = c->args;
	uint32_t mailbox = 0;
	struct append *a;

	if (is_unwanted(s, c) || (s->append == NULL && has_no_mailbox(s, c, &mailbox))) {
		refuse(s, c);
		return;
	}
	if (s->append == NULL) {
		s->append = NEW(struct append);
		s->append->mailbox = mailbox;
	}
	a = s->append;
	a->binary = s->frame.literal.binary;
	a->size += args->m[args->n - 1].size;
	a->stages[a->n++] = store_stage_new(s->setup.user);
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
	drop_stages(a);
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
	else if (!store_stage_write(a->stages[a->n - 1], chunk, &e))
		fail(a, REPLY_NO, "UNAVAILABLE", SAY_LATER);
}

/* --- when all is there --- */

/* RFC 3502: as many UIDs as messages. */
struct str
append_uid_code(struct command *c, const struct store_result *r)
{
	struct buf code;
	struct str text;

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

	if (r->code != STORE_OK)
		done_refused(c, r, REFUSED_TARGET);
	else
		done_ok_code(c, append_uid_code(c, r), "done");
	if (s->box != NULL)
		s->box->dirty = true;
	command_finish(s);
}

void
append_fill(struct store_new *to, const struct append_message *m, struct store_stage *stage)
{
	to->stage = stage;
	to->flags = m->flags.flags;
	to->keywords = m->flags.keywords;
	to->nkeywords = m->flags.n;
	to->internal_date = m->dated ? m->date.seconds : STORE_DATE_NOW;
}

bool
append_is_complete(struct imap_session *s, struct command *c)
{
	const struct append_args *args = c->args;
	const struct append *a = s->append;

	if (a != NULL && a->failed) {
		c->reply = a->why;
		return false;
	}
	if (a != NULL && a->n == args->n)
		return true;
	done_bad(c, "expected a literal");
	return false;
}

enum step
cmd_append_run(struct imap_session *s, struct command *c)
{
	const struct append_args *args = c->args;
	struct append *a = s->append;
	struct store_new *messages;

	if (!append_is_complete(s, c))
		return STEP_DONE;
	messages = arena_array(&c->arena, args->n, sizeof(*messages));
	for (size_t i = 0; i < args->n; i++)
		append_fill(&messages[i], &args->m[i], a->stages[i]);
	a->n = 0; /* the stages are the store's */
	return command_wait(c, store_append(s->setup.user, a->mailbox, messages, args->n, s->setup.quota,
	    (struct store_done){ on_appended, s }));
}
