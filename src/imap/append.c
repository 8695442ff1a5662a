/* append.c - what APPEND takes in before its command is complete: texts as they come, each message into a stage of the store,
 * so that none is whole in memory here.
 *
 * What can be refused is refused before the client sends it. A refusal that shows while a text comes waits for the next
 * literal or the end of the command. */
#include "append.h"

#include <stdlib.h>

#include <postern/core/mem.h>

#include "command.h"
#include "commands.h"
#include "limit.h"
#include "owners.h"
#include "rights.h"

enum {
	CATENATED_MAX = UINT32_MAX, /* octets of a message that is put together (RFC 4469 4.2) */
};

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
	url_copy_free(s->append->copy);
	if (s->append->to.user != NULL)
		store_user_unref(s->append->to.user);
	free(s->append);
	s->append = NULL;
}

/* --- before it comes --- */

/* The message that is replaced makes room (RFC 8508 3.4); the store looks again. */
static uint64_t
replaced_size(struct imap_session *s, struct command *c)
{
	uint32_t uid = c->verb->run == cmd_replace_run ? replace_find(s, c) : 0;
	struct err e;
	struct store_view *v = uid != 0 ? session_look(s, s->box->user, &e) : NULL;
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
	uint64_t quota = s->append->to.quota;

	return quota == 0 || (size <= quota && store_user_bytes(s->append->to.user) <= quota - size + replaced_size(s, c));
}

bool
append_is_too_much(struct imap_session *s, struct command *c, uint64_t size)
{
	const struct append_args *args = c->args;
	const struct append *a = s->append;
	const struct append_part *p = &args->parts[a->parts];
	uint64_t before = p->message < a->n ? a->message_size : 0;
	uint64_t max = s->setup.message_max != 0 ? s->setup.message_max : INT64_MAX;

	if (args->m[p->message].catenated && max > CATENATED_MAX)
		max = CATENATED_MAX;
	if (size > max || before > max - size)
		done_no(c, "TOOBIG", "the message is too large");
	else if (size > INT64_MAX - a->size || !fits_quota(s, c, a->size + size))
		done_no(c, "OVERQUOTA", "the mailbox is full");
	else
		return false;
	return true;
}

/* Why there is no place for it: fills c->reply and returns true. */
static bool
has_no_mailbox(struct imap_session *s, struct command *c)
{
	const struct append_args *a = c->args;
	struct place to;

	if (s->append->to.mailbox != 0)
		return false;
	if (!rights_find(s, c, a->mailbox, STORE_RIGHT_INSERT, REFUSED_TARGET, &to))
		return true;
	if (c->verb->run == cmd_replace_run && to.user != s->box->user) {
		done_no(c, "CANNOT", "a message is replaced in its owner's mailboxes"); /* RFC 8508 3.1: at once, or not at all */
		return true;
	}
	store_user_ref(to.user);
	s->append->to = (struct place){ .user = to.user, .mailbox = to.mailbox, .quota = to.quota };
	return false;
}

/* Why the command is not wanted, whatever comes: fills c->reply and returns true. */
static bool
is_unwanted(struct imap_session *s, struct command *c)
{
	const struct append_args *a = c->args;

	if (s->append->failed)
		c->reply = s->append->why;
	else if (c->verb->flags & VERB_WRITES && s->box->readonly)
		done_no(c, "NOPERM", "the mailbox is open read-only");
	else if (c->verb->run == cmd_replace_run && (!replace_may(s, c) || replace_find(s, c) == 0))
		return true;
	else if (limit_refuse_save(s, c, a->n, NULL) == STEP_DONE)
		return true;
	else if (a->n > APPEND_MESSAGES_MAX)
		done_no(c, "LIMIT", "too many messages at once");
	else
		return false;
	return true;
}

/* Why the next text is not wanted. */
static bool
is_bad_text(struct imap_session *s, struct command *c, const struct append_part *p)
{
	const struct append_args *a = c->args;

	if (p->size == 0 && !a->m[p->message].catenated) {
		done_no(c, "CANNOT", "the message is empty");
		return true;
	}
	return append_is_too_much(s, c, p->size);
}

void
append_begin_part(struct imap_session *s, const struct append_part *p, uint64_t size)
{
	struct append *a = s->append;

	if (p->message == a->n) {
		a->stages[a->n++] = store_stage_new(s->append->to.user);
		a->message_size = 0;
		a->look = (struct header_look){ 0 };
	}
	a->parts++;
	a->size += size;
	a->message_size += size;
	a->binary = p->binary;
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

/* All before the text is there. */
static void
ask_for_text(struct imap_session *s, struct command *c)
{
	const struct append_args *args = c->args;
	const struct append_part *p = &args->parts[s->append->parts];

	if (has_no_mailbox(s, c) || is_bad_text(s, c, p)) {
		refuse(s, c);
		return;
	}
	append_begin_part(s, p, p->size);
	frame_stream(&s->frame);
	if (!s->frame.literal.nonsync)
		buf_add_cstr(&s->out, "+ go on\r\n");
}

/* The command is only begun: it ends here without an answer of its own, and comes again with the next literal. */
static enum step
step_before_text(struct imap_session *s, struct command *c)
{
	enum append_copied copied = has_no_mailbox(s, c) ? APPEND_REFUSED : append_copy_urls(s, c);

	if (copied == APPEND_COPYING)
		return STEP_MORE;
	if (copied == APPEND_COPIED)
		ask_for_text(s, c);
	else
		refuse(s, c);
	command_free(s);
	session_again(s); /* octets of the text may wait here */
	return STEP_WAIT;
}

static bool
begin(struct imap_session *s, struct command *c)
{
	if (s->append == NULL)
		s->append = NEW(struct append);
	return !is_unwanted(s, c);
}

bool
append_on_literal(struct imap_session *s, struct command *c)
{
	const struct append_args *args = c->args;

	if (!begin(s, c)) {
		refuse(s, c);
	} else if (owners_are_due(c)) {
		s->command = c;
		owners_open(s, c, step_before_text);
		return false;
	} else if (args->parts[s->append->parts].url.p == NULL) {
		ask_for_text(s, c);
	} else if (has_no_mailbox(s, c)) {
		refuse(s, c);
	} else {
		s->command = c;
		c->step = step_before_text;
		return false;
	}
	return true;
}

/* --- while it comes --- */

static void
fail(struct append *a, enum reply_kind kind, const char *code, const char *text)
{
	a->failed = true;
	a->why = (struct reply){ kind, str_of(code), str_of(text) };
	drop_stages(a);
}

/* An 8-bit octet before the first empty line. */
static bool
is_8bit_header(struct header_look *look, struct str bytes)
{
	for (size_t i = 0; i < bytes.n && !look->ended; i++) {
		if ((unsigned char)bytes.p[i] >= 0x80)
			return true;
		if (bytes.p[i] == '\n') {
			look->ended = !look->in_line;
			look->in_line = false;
		} else if (bytes.p[i] != '\r') {
			look->in_line = true;
		}
	}
	return false;
}

void
append_take(struct imap_session *s, struct str bytes)
{
	struct append *a = s->append;
	struct err e;

	if (!s->setup.accept_8bit && !session_takes_utf8(s) && is_8bit_header(&a->look, bytes))
		fail(a, REPLY_NO, "CANNOT", "8-bit header fields are for clients that said ENABLE UTF8=ACCEPT"); /* RFC 9755 4 */
	else if (!store_stage_write(a->stages[a->n - 1], bytes, &e))
		fail(a, REPLY_NO, "UNAVAILABLE", SAY_LATER);
}

void
append_on_data(struct imap_session *s, struct str chunk)
{
	struct append *a = s->append;

	if (a->failed)
		return;
	if (!a->binary && str_has(chunk, '\0'))
		fail(a, REPLY_BAD, "", "NUL in a literal; literal8 may hold it");
	else
		append_take(s, chunk);
}

/* --- when the command is complete --- */

static bool
is_whole(struct imap_session *s, struct command *c)
{
	const struct append_args *args = c->args;
	const struct append *a = s->append;

	if (a->failed) {
		c->reply = a->why;
		return false;
	}
	if (a->parts != args->nparts) {
		done_bad(c, "expected a literal");
		return false;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (store_stage_size(a->stages[i]) == 0) {
			done_no(c, "CANNOT", "the message is empty");
			return false;
		}
	}
	return true;
}

enum append_copied
append_gather(struct imap_session *s, struct command *c)
{
	enum append_copied copied = APPEND_COPIED;

	if (!begin(s, c) || has_no_mailbox(s, c))
		return APPEND_REFUSED;
	copied = append_copy_urls(s, c);
	if (copied == APPEND_COPIED && !is_whole(s, c))
		return APPEND_REFUSED;
	return copied;
}
