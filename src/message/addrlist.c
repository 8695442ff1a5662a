/* addrlist.c - one pass over an address list, item by item.
 *
 * An item's bytes are collected twice: with single blanks between words, for it may turn out to be a display name,
 * and without blanks, for it may turn out to be an address. What comes next ("<", ":", "," or the end) tells which. */
#include <postern/message/addrlist.h>

#include "lex.h"

/* Words that may be an address. */
struct words {
	struct buf phrase;  /* with blanks */
	struct buf spec;    /* without */
	size_t at_phrase;   /* the last "@" outside quotes … */
	size_t at_spec;
	bool has_at;
	bool two_at;
	size_t gap;         /* end of the first word of the domain, when more words follow: the rest is junk */
	bool gap_local;     /* two words without a dot before the "@" */
};

struct scan {
	struct cur c;
	struct arena *a;
	struct addrlist *list;
	size_t max;
	struct words outer;  /* outside angle brackets */
	struct words inner;  /* inside */
	struct buf route;
	struct buf comment;  /* the last one of the item */
	bool angle;          /* the item has had its angle brackets */
	bool in_group;
	bool no_quote;       /* no closing quote is left: quotes are letters now */
};

static void
words_clear(struct words *w)
{
	buf_clear(&w->phrase);
	buf_clear(&w->spec);
	w->has_at = w->two_at = w->gap_local = false;
	w->at_phrase = w->at_spec = w->gap = 0;
}

static void
words_init(struct words *w, size_t max)
{
	buf_init(&w->phrase, max);
	buf_init(&w->spec, max);
	words_clear(w);
}

static void
words_fini(struct words *w)
{
	buf_fini(&w->phrase);
	buf_fini(&w->spec);
}

/* Room for one more item besides the end marker an open group will need. */
static bool
has_room(struct scan *s, size_t n)
{
	if (s->list->n + n + s->in_group <= s->max)
		return true;
	s->list->truncated = true;
	return false;
}

static struct addrlist_item *
add_item(struct scan *s, enum addrlist_kind kind)
{
	struct addrlist_item *item = ARENA_NEW(s->a, struct addrlist_item);

	item->kind = kind;
	if (s->list->last != NULL)
		s->list->last->next = item;
	else
		s->list->first = item;
	s->list->last = item;
	s->list->n++;
	s->list->mailboxes += kind == ADDRLIST_MAILBOX;
	return item;
}

static struct str
copy(struct scan *s, struct str text)
{
	return arena_str(s->a, text);
}

/* A copy, or no string at all for an empty one. */
static struct str
copy_some(struct scan *s, struct str text)
{
	return text.n > 0 ? copy(s, text) : (struct str){ 0 };
}

static void
begin_item(struct scan *s)
{
	words_clear(&s->outer);
	words_clear(&s->inner);
	buf_clear(&s->route);
	buf_clear(&s->comment);
	s->angle = false;
}

/* Divides words into local part and domain at the last "@". False: something had to be guessed. */
static bool
set_address(struct scan *s, struct addrlist_item *item, const struct words *w)
{
	struct str spec = buf_str(&w->spec);
	size_t end = w->gap > 0 ? w->gap : spec.n;

	if (!w->has_at) {
		item->local = copy(s, buf_str(&w->phrase));
		item->domain = copy(s, STR(""));
		return false;
	}
	item->local = copy(s, w->gap_local ? str_trim(str_sub(buf_str(&w->phrase), 0, w->at_phrase))
	                                   : str_sub(spec, 0, w->at_spec));
	item->domain = copy(s, str_sub(spec, w->at_spec + 1, end));
	return w->gap == 0 && !w->gap_local && !w->two_at && item->local.n > 0 && item->domain.n > 0;
}

static void
end_item(struct scan *s)
{
	const struct words *w = s->angle ? &s->inner : &s->outer;
	struct addrlist_item *item;

	if ((s->angle || s->outer.phrase.n > 0) && has_room(s, 1)) {
		item = add_item(s, ADDRLIST_MAILBOX);
		item->route = copy_some(s, buf_str(&s->route));
		if (!set_address(s, item, w))
			s->list->malformed = true;
		item->display = copy_some(s, s->angle ? buf_str(&s->outer.phrase) : STR(""));
		if (item->display.p == NULL)
			item->display = copy_some(s, str_trim(buf_str(&s->comment)));
	}
	begin_item(s);
}

static void
end_group(struct scan *s)
{
	if (s->in_group)
		add_item(s, ADDRLIST_END);
	s->in_group = false;
}

static void
begin_group(struct scan *s)
{
	if (s->in_group || s->angle || s->outer.has_at)
		s->list->malformed = true;
	end_group(s);
	if (has_room(s, 2)) {
		add_item(s, ADDRLIST_GROUP)->local = copy(s, buf_str(&s->outer.phrase));
		s->in_group = true;
	}
	begin_item(s);
}

/* Blanks and comments; the last comment may become the display name. True if there were any. */
static bool
blank(struct scan *s)
{
	const char *start = s->c.p;

	for (;;) {
		cur_while(&s->c, lex_is_blank);
		if (cur_peek(&s->c) != '(')
			return s->c.p != start;
		buf_clear(&s->comment);
		if (!lex_comment(&s->c, &s->comment))
			s->list->malformed = true;
	}
}

/* Called where blanks were: before a word a gap, unless a dot or "@" joins the two. */
static void
note_gap(struct words *w, int next)
{
	char last = w->spec.n > 0 ? w->spec.p[w->spec.n - 1] : '.';
	bool joined = last == '.' || next == '.' || next == '@' || (w->has_at && w->at_spec + 1 == w->spec.n);

	if (next <= 0 || strchr(",;:<>", next) != NULL)
		return;
	if (w->phrase.n > 0)
		buf_add_char(&w->phrase, ' ');
	if (joined)
		return;
	if (!w->has_at)
		w->gap_local = true;
	else if (w->gap == 0)
		w->gap = w->spec.n;
}

static void
add_word(struct words *w, struct str text)
{
	buf_add(&w->phrase, text);
	buf_add(&w->spec, text);
}

static bool
is_word(char c)
{
	return !lex_is_blank(c) && strchr("\"()<>@,;:", c == '\0' ? 'x' : c) == NULL;
}

/* "@": what comes before it is a local part, unless a later "@" shows that it was not. */
static void
add_at(struct scan *s, struct words *w)
{
	w->two_at = w->has_at;
	if (w->gap > 0)
		w->gap_local = true;
	w->has_at = true;
	w->gap = 0;
	w->at_phrase = w->phrase.n;
	w->at_spec = w->spec.n;
	s->c.p++;
	add_word(w, STR("@"));
}

/* A quoted string; when no quote closes it, the quote is a letter like others. */
static void
add_quoted(struct scan *s, struct words *w)
{
	struct cur ahead = s->c;
	size_t phrase = w->phrase.n;

	if (s->no_quote || !lex_quoted(&ahead, &w->phrase)) {
		buf_cut(&w->phrase, phrase);
		s->no_quote = s->list->malformed = true;
		add_word(w, STR("\""));
		s->c.p++;
		return;
	}
	s->c = ahead;
	buf_add(&w->spec, str_sub(buf_str(&w->phrase), phrase, w->phrase.n));
}

static bool
in_literal(char c)
{
	return c != ']' && c != '>' && c != ',' && !lex_is_blank(c);
}

/* The colons of "[IPv6:…]" belong to it. */
static void
add_literal(struct scan *s, struct words *w)
{
	add_word(w, cur_while(&s->c, in_literal));
	if (cur_take_char(&s->c, ']'))
		add_word(w, STR("]"));
}

/* One word, quoted string, "@" or literal; anything else is left. False at such. */
static bool
take_word(struct scan *s, struct words *w)
{
	int next = cur_peek(&s->c);

	if (next == '"')
		add_quoted(s, w);
	else if (next == '@')
		add_at(s, w);
	else if (next == '[' && w->has_at && w->at_spec + 1 == w->spec.n)
		add_literal(s, w);
	else if (next >= 0 && is_word((char)next))
		add_word(w, cur_while(&s->c, is_word));
	else
		return false;
	return true;
}

static bool
in_route(char c)
{
	return c != ':' && c != '>' && c != '<' && c != '"' && c != '(' && !lex_is_blank(c);
}

/* obs-route: "@a,@b:". Without the colon it was none: the address that follows is its last part. */
static void
take_route(struct scan *s)
{
	struct cur start;

	blank(s);
	if (cur_peek(&s->c) != '@' && cur_peek(&s->c) != ',')
		return;
	start = s->c;
	do
		buf_add(&s->route, cur_while(&s->c, in_route));
	while (blank(s));
	if (s->route.n > 0 && cur_take_char(&s->c, ':'))
		return;
	buf_clear(&s->route);
	s->c = start;
}

/* What has no place in an address: a second "<" begins it anew, a colon (of a URL) is a letter. */
static void
take_stray(struct scan *s, int byte)
{
	s->list->malformed = true;
	if (byte == '<')
		words_clear(&s->inner);
	else
		add_word(&s->inner, str_from(s->c.p, 1));
	s->c.p++;
}

/* Inside "<": to its ">", or to "," or ";" where that is missing. */
static void
take_angle(struct scan *s)
{
	int next;

	s->angle = true;
	s->c.p++;
	take_route(s);
	while ((next = cur_peek(&s->c)) >= 0 && next != '>' && next != ',' && next != ';') {
		if (blank(s)) {
			note_gap(&s->inner, cur_peek(&s->c));
		} else if (!take_word(s, &s->inner)) {
			take_stray(s, next);
		}
	}
	if (!cur_take_char(&s->c, '>'))
		s->list->malformed = true;
}

static void
open_angle(struct scan *s)
{
	if (!s->angle) {
		take_angle(s);
		return;
	}
	s->list->malformed = true;
	s->c.p++;
}

/* One token outside angle brackets; after them only comments mean something. */
static void
take_token(struct scan *s)
{
	int next = cur_peek(&s->c);

	if (next == ',' || next == ';') {
		s->c.p++;
		end_item(s);
		if (next == ';')
			end_group(s);
	} else if (next == ':') {
		s->c.p++;
		begin_group(s);
	} else if (next == '<') {
		open_angle(s);
	} else if (s->angle || next == '>' || next == ')') {
		s->list->malformed = true;
		s->c.p++;
	} else {
		take_word(s, &s->outer);
	}
}

static void
take_list(struct scan *s)
{
	while (cur_peek(&s->c) >= 0 && !s->list->truncated) {
		if (!blank(s))
			take_token(s);
		else if (!s->angle)
			note_gap(&s->outer, cur_peek(&s->c));
	}
	end_item(s);
	if (s->in_group)
		s->list->malformed = true;
	end_group(s);
}

void
addrlist_parse(struct arena *a, struct str value, size_t max, struct addrlist *list)
{
	struct scan s = { .c = cur_init(value), .a = a, .list = list, .max = max };

	words_init(&s.outer, value.n * 2 + 1);
	words_init(&s.inner, value.n * 2 + 1);
	buf_init(&s.route, value.n);
	buf_init(&s.comment, value.n);
	take_list(&s);
	words_fini(&s.outer);
	words_fini(&s.inner);
	buf_fini(&s.route);
	buf_fini(&s.comment);
}
