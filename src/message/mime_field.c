/* mime_field.c - the header fields that structure and envelope are made of: one row each. */
#include <postern/message/header.h>

#include "lex.h"
#include "mime_parser.h"

struct mime_field {
	struct str name;
	bool of_message; /* counts in the header of a message only; its place is in the envelope */
	void (*set)(struct mime_parser *p, const struct mime_field *f, struct str value);
	size_t offset;   /* of the member, in the part or in the envelope */
};

static void *
member(struct mime_parser *p, const struct mime_field *f)
{
	struct mime_part *part = &p->node->part;

	return (f->of_message ? (char *)part->envelope : (char *)part) + f->offset;
}

/* Of repeated fields the first counts: here and in the next ones. */
static void
set_text(struct mime_parser *p, const struct mime_field *f, struct str value)
{
	struct str *to = member(p, f);

	if (to->p == NULL)
		*to = header_unfold_in(p->arena, value);
}

static void
add_addresses(struct mime_parser *p, const struct mime_field *f, struct str value)
{
	struct addrlist *list = member(p, f);
	size_t before = list->n;

	addrlist_parse(p->arena, value, before + p->addresses_left, list);
	p->addresses_left -= list->n - before;
	p->mime->limited = p->mime->limited || list->truncated;
}

static void
set_addresses(struct mime_parser *p, const struct mime_field *f, struct str value)
{
	struct addrlist *list = member(p, f);

	if (list->n == 0)
		add_addresses(p, f, value);
}

static void
set_type(struct mime_parser *p, const struct mime_field *f, struct str value)
{
	struct mime_part *part = &p->node->part;

	(void)f;
	if (!p->node->has_type)
		p->node->has_type = param_parse_type(p->arena, value, &part->type, &part->subtype, &part->params);
}

static void
set_disposition(struct mime_parser *p, const struct mime_field *f, struct str value)
{
	struct mime_part *part = &p->node->part;

	(void)f;
	if (part->disposition.p == NULL)
		param_parse_token(p->arena, value, &part->disposition, &part->disposition_params);
}

static void
set_encoding(struct mime_parser *p, const struct mime_field *f, struct str value)
{
	struct mime_part *part = &p->node->part;
	const struct param *unused;

	(void)f;
	if (part->encoding.p == NULL)
		param_parse_token(p->arena, value, &part->encoding, &unused);
}

/* RFC 3282: tags, commas, comments. */
static void
set_language(struct mime_parser *p, const struct mime_field *f, struct str value)
{
	struct mime_tag **tail = member(p, f);
	struct cur c = cur_init(value);

	if (*tail != NULL)
		return;
	while (lex_blank(&c), cur_peek(&c) >= 0) {
		struct str tag = cur_while(&c, lex_is_token);

		if (tag.n == 0) {
			c.p++;
			continue;
		}
		*tail = ARENA_NEW(p->arena, struct mime_tag);
		(*tail)->tag = arena_str(p->arena, tag);
		tail = &(*tail)->next;
	}
}

/* RFC 2557 4.4: blanks in a folded URI are not part of it. */
static void
set_location(struct mime_parser *p, const struct mime_field *f, struct str value)
{
	struct str *to = member(p, f);
	char *text;
	size_t n = 0;

	if (to->p != NULL)
		return;
	text = arena_alloc(p->arena, value.n + 1);
	for (size_t i = 0; i < value.n; i++)
		if (!lex_is_blank(value.p[i]))
			text[n++] = value.p[i];
	*to = str_from(text, n);
}

#define PART(member) false, offsetof(struct mime_part, member)
#define ENVELOPE(member) true, offsetof(struct mime_envelope, member)
#define ROW(name, set, place) ROW_(name, set, place)
#define ROW_(name, set, of_message, offset) { STR_INIT(name), of_message, set, offset }

static const struct mime_field rows[] = {
	ROW("content-type", set_type, PART(type)),
	ROW("content-transfer-encoding", set_encoding, PART(encoding)),
	ROW("content-disposition", set_disposition, PART(disposition)),
	ROW("content-id", set_text, PART(id)),
	ROW("content-description", set_text, PART(description)),
	ROW("content-md5", set_text, PART(md5)),
	ROW("content-language", set_language, PART(language)),
	ROW("content-location", set_location, PART(location)),
	ROW("date", set_text, ENVELOPE(date)),
	ROW("subject", set_text, ENVELOPE(subject)),
	ROW("from", set_addresses, ENVELOPE(from)),
	ROW("sender", set_addresses, ENVELOPE(sender)),
	ROW("reply-to", set_addresses, ENVELOPE(reply_to)),
	ROW("to", add_addresses, ENVELOPE(to)),
	ROW("cc", add_addresses, ENVELOPE(cc)),
	ROW("bcc", add_addresses, ENVELOPE(bcc)),
	ROW("in-reply-to", set_text, ENVELOPE(in_reply_to)),
	ROW("message-id", set_text, ENVELOPE(message_id)),
	ROW("references", set_text, ENVELOPE(references)),
};

static const struct mime_field *
find_row(struct str name, bool is_message)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (str_eq_nocase(rows[i].name, name))
			return rows[i].of_message && !is_message ? NULL : &rows[i];
	return NULL;
}

static void
add_value(struct mime_parser *p, struct str s)
{
	buf_add(&p->value, str_sub(s, 0, p->value.max - p->value.n));
}

static void
begin_field(struct mime_parser *p, struct str line)
{
	size_t colon = str_find(line, ':');
	struct str name = str_sub(line, 0, colon);

	while (name.n > 0 && lex_is_blank(name.p[name.n - 1]))
		name.n--;
	if (colon == line.n)
		return;
	p->field = find_row(name, p->node->part.is_message);
	if (p->field != NULL)
		add_value(p, str_sub(line, colon + 1, line.n));
}

void
mime_field_line(struct mime_parser *p, struct str line)
{
	if (line.n > 0 && (*line.p == ' ' || *line.p == '\t')) {
		if (p->field != NULL) {
			add_value(p, STR("\n"));
			add_value(p, line);
		}
		return;
	}
	mime_field_end(p);
	begin_field(p, line);
}

void
mime_field_end(struct mime_parser *p)
{
	if (p->field != NULL && arena_used(p->arena) - p->arena_before < MIME_MEMORY_MAX)
		p->field->set(p, p->field, buf_str(&p->value));
	else if (p->field != NULL)
		p->mime->limited = true;
	p->field = NULL;
	buf_clear(&p->value);
}

void
mime_field_default_type(struct mime_node *node)
{
	static const struct param us_ascii = { NULL, STR_INIT("charset"), STR_INIT("us-ascii") };

	node->part.kind = MIME_LEAF;
	node->part.child = NULL;
	node->part.type = STR("text");
	node->part.subtype = STR("plain");
	node->part.params = &us_ascii;
}
