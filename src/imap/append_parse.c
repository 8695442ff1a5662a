/* append_parse.c - the grammar of APPEND and REPLACE behind the command's name (RFC 9051 6.3.12, RFC 3502, RFC 8508 6; UTF8:
 * RFC 6855 4; CATENATE: RFC 4469 5). Of a text only the literal's header is here. */
#include "append.h"

#include "commands.h"
#include "names.h"
#include "owners.h"
#include "url.h"
#include "rows.h"
#include "uidonly.h"

static struct append_part *
new_part(struct lex *l, struct append_args *a)
{
	struct append_part *p;

	if (a->nparts == APPEND_PARTS_MAX) {
		lex_fail(l, "too many parts");
		return NULL;
	}
	p = &a->parts[a->nparts++];
	p->message = a->n - 1;
	return p;
}

/* literal / literal8 */
static void
text(struct lex *l, struct append_args *a)
{
	struct append_part *p = new_part(l, a);

	if (p == NULL)
		return;
	if (lex_literal_header(l, &p->size, &p->binary))
		a->text_at = l->c.p;
}

/* SP "(" literal8 ")" */
static void
utf8_text(struct lex *l, struct append_args *a)
{
	lex_sp(l);
	lex_want(l, '(');
	if (lex_ok(l) && cur_peek(&l->c) != '~')
		lex_fail(l, "expected a literal8");
	text(l, a);
	lex_want(l, ')');
}

/* SP literal */
static void
text_part(struct lex *l, struct append_args *a)
{
	lex_sp(l);
	if (lex_ok(l) && cur_peek(&l->c) != '{')
		lex_fail(l, "expected a literal");
	text(l, a);
}

/* SP astring */
static void
url_part(struct lex *l, struct append_args *a)
{
	struct append_part *p = new_part(l, a);

	lex_sp(l);
	if (p == NULL)
		return;
	p->url = lex_astring(l);
	if (p->url.n > APPEND_URL_MAX)
		lex_fail(l, "the URL is too long");
	if (p->url.n == 0)
		lex_fail(l, "the URL is empty");
}

static void catenate(struct lex *l, struct append_args *a);

enum { WHOLE = 1, PART = 2 };

/* Words before what follows them; where: as a message, or as a part of one. */
static const struct {
	const char *word;
	unsigned where;
	void (*parse)(struct lex *l, struct append_args *a);
	const char *capability;
	const char *rfc;
} data_words[] = {
	{ "UTF8", WHOLE | PART, utf8_text, NULL, "RFC 6855 4" },
	{ "CATENATE", WHOLE, catenate, "CATENATE", "RFC 4469 3" },
	{ "TEXT", PART, text_part, "CATENATE", "RFC 4469 3" },
	{ "URL", PART, url_part, "CATENATE", "RFC 4469 3" },
};
enum { DATA_WORDS = sizeof(data_words) / sizeof(*data_words) };

void
append_rows(const struct rows *r)
{
	for (size_t i = 0; i < DATA_WORDS; i++)
		rows_show(r, "APPEND data", str_of(data_words[i].word), data_words[i].capability, data_words[i].rfc);
}

static bool
data_word(struct lex *l, struct append_args *a, unsigned where)
{
	for (size_t i = 0; i < DATA_WORDS; i++) {
		if (data_words[i].where & where && lex_word(l, data_words[i].word)) {
			data_words[i].parse(l, a);
			return true;
		}
	}
	return false;
}

/* SP "(" cat-part *(SP cat-part) ")" */
static void
catenate(struct lex *l, struct append_args *a)
{
	a->m[a->n - 1].catenated = true;
	lex_sp(l);
	lex_want(l, '(');
	do
		if (!data_word(l, a, PART))
			lex_fail(l, "expected URL, TEXT or UTF8");
	while (lex_ok(l) && lex_take(l, ' '));
	lex_want(l, ')');
}

/* [flag-list SP] [date-time SP] append-data */
static void
message(struct lex *l, struct append_args *a)
{
	struct append_message *m = &a->m[a->n++];

	if (cur_peek(&l->c) == '(') {
		lex_flag_list(l, &m->flags);
		lex_sp(l);
	}
	if (cur_peek(&l->c) == '"') {
		m->dated = true;
		m->date = lex_date_time(l);
		lex_sp(l);
	}
	if (!data_word(l, a, WHOLE))
		text(l, a);
}

/* Messages of other users' mailboxes, too. */
static void
note_owners(struct command *c, const struct append_args *a)
{
	struct url u;

	for (size_t i = 0; i < a->nparts; i++)
		if (a->parts[i].url.p != NULL && url_parse(a->parts[i].url, &c->arena, &u) && u.absolute)
			owners_note(c, u.mailbox);
}

bool
append_parse(struct lex *l, struct command *c, struct append_args *a, size_t max)
{
	c->args = a;
	a->m = arena_array(&c->arena, max, sizeof(*a->m));
	a->parts = arena_array(&c->arena, APPEND_PARTS_MAX, sizeof(*a->parts));
	lex_sp(l);
	a->mailbox = lex_mailbox(l, c);
	do {
		lex_sp(l);
		message(l, a);
	} while (lex_ok(l) && cur_left(&l->c) > 0 && a->n < max);
	note_owners(c, a);
	return lex_ok(l);
}

bool
cmd_append_parse(struct lex *l, struct command *c)
{
	return append_parse(l, c, ARENA_NEW(&c->arena, struct append_args), APPEND_MESSAGES_MAX + 1);
}

/* A text is announced when its header ends the bytes; a parser that stopped there for another reason misses a literal that is
 * an argument. */
enum append_literal
append_look(struct imap_session *s, struct command *c, struct lex *l)
{
	const struct append_args *a;

	if (c->verb == NULL || (c->verb->run != cmd_append_run && c->verb->run != cmd_replace_run))
		return APPEND_ARGUMENT;
	if (!(c->verb->where & s->state))
		lex_fail(l, "no mailbox is selected");
	else if (uidonly_forbids_verb(c))
		uidonly_refuse_literal(l, c);
	if (c->verb->parse(l, c))
		lex_end(l);
	a = c->args;
	if (a->text_at == l->c.end)
		return APPEND_MESSAGE;
	return !lex_ok(l) && l->c.p == l->c.end ? APPEND_ARGUMENT : APPEND_WRONG;
}
