/* catenate.c - the octets a URL names, into the message that is put together (RFC 4469 3): as FETCH BODY[…] would tell them,
 * without setting \Seen. */
#include "append.h"

#include <stdlib.h>

#include <postern/core/mem.h>
#include <postern/message/crlf.h>

#include "fetch.h"
#include "names.h"
#include "rights.h"
#include "url.h"

/* A URL that is being read. */
struct url_copy {
	struct letter letter;
	struct fetch_item item;  /* section and range, as of a FETCH item */
	bool found;              /* the octets are known: at, left; or they are in fields */
	uint64_t at;
	uint64_t left;
	struct buf fields;       /* of HEADER.FIELDS */
};

void
url_copy_free(struct url_copy *u)
{
	if (u == NULL)
		return;
	letter_fini(&u->letter);
	buf_fini(&u->fields);
	free(u);
}

static const struct append_part *
part_of(struct imap_session *s, struct command *c)
{
	const struct append_args *args = c->args;

	return &args->parts[s->append->parts];
}

static enum append_copied
refuse_url(struct imap_session *s, struct command *c)
{
	struct buf code;

	buf_init(&code, SIZE_MAX);
	buf_add_cstr(&code, "BADURL ");
	url_write(&code, part_of(s, c)->url);
	done_no(c, "", "this names no message or part here");
	c->reply.code = arena_str(&c->arena, buf_str(&code));
	buf_fini(&code);
	return APPEND_REFUSED;
}

static enum append_copied
refuse_file(struct command *c)
{
	done_no(c, "UNAVAILABLE", SAY_LATER);
	return APPEND_REFUSED;
}

/* --- what it names --- */

/* RFC 3986 5.2.3: a relative name takes the place of the last level of the selected one. */
static uint32_t
beside_selected(struct imap_session *s, struct command *c, struct store_view *v, const struct url *u)
{
	struct str base = store_mailbox_name(v, s->box->mailbox, &c->arena);
	size_t slash = str_rfind(base, '/');
	struct buf name;
	uint32_t mailbox;

	if (u->mailbox.n == 0)
		return s->box->mailbox;
	buf_init(&name, SIZE_MAX);
	if (slash < base.n)
		buf_add(&name, str_sub(base, 0, slash + 1));
	buf_add(&name, u->mailbox);
	mailbox = name.n <= NAME_BYTES_MAX ? store_find(v, buf_str(&name)) : 0;
	buf_fini(&name);
	return mailbox;
}

static bool
find_message(struct imap_session *s, struct command *c, struct store_view *v, const struct place *p, const struct url *u)
{
	uint32_t number = u->absolute ? p->mailbox : beside_selected(s, c, v, u);
	struct store_mailbox header;
	struct store_message m;

	if (number == 0 || !(rights_of(s, v, number) & STORE_RIGHT_READ))
		return false;
	if (!store_mailbox(v, number, &header) || !store_message(v, number, u->uid, &m)
	    || (u->uidvalidity != 0 && u->uidvalidity != header.uidvalidity))
		return false;
	letter_begin(&s->append->copy->letter, p->user, number, &m);
	return true;
}

/* The section in brackets is what FETCH takes. */
static bool
parse_section(struct command *c, const struct url *u, struct fetch_item *i)
{
	struct buf text;
	struct lex l;

	buf_init(&text, SIZE_MAX);
	buf_addf(&text, "[%.*s]", STR_ARG(u->section));
	l = lex_init(arena_str(&c->arena, buf_str(&text)), &c->arena);
	buf_fini(&text);
	*i = (struct fetch_item){ .partial = u->partial, .from = u->from, .size = u->size };
	fetch_parse_section(&l, i);
	return lex_end(&l);
}

static bool
needs_tree(const struct url_copy *u)
{
	return u->item.section.depth > 0 || u->item.section.what != MIME_WHOLE;
}

/* A view of the account that it means. */
static struct store_view *
look_into(struct imap_session *s, struct command *c, const struct url *u, struct place *p)
{
	struct store_view *v;
	struct err e;

	if (u->absolute)
		return place_look(s, c, u->mailbox, p);
	*p = (struct place){ .user = s->box->user };
	v = session_look(s, p->user, &e);
	if (v == NULL)
		done_unreadable(s, c, &e);
	return v;
}

static enum append_copied
open_url(struct imap_session *s, struct command *c)
{
	struct url_copy *u = NEW(struct url_copy);
	struct store_view *v;
	struct url url;
	struct place place;
	enum append_copied result = APPEND_COPYING;

	letter_init(&u->letter);
	buf_init(&u->fields, SIZE_MAX);
	s->append->copy = u;
	if (!url_parse(part_of(s, c)->url, &c->arena, &url) || !parse_section(c, &url, &u->item))
		return refuse_url(s, c);
	if (!url.absolute && s->box == NULL)
		return refuse_url(s, c);
	v = look_into(s, c, &url, &place);
	if (v == NULL)
		return APPEND_REFUSED;
	if (!find_message(s, c, v, &place, &url))
		result = refuse_url(s, c);
	else if (!letter_open(&u->letter, s, v))
		result = refuse_file(c);
	else if (needs_tree(u))
		letter_cached(&u->letter, v);
	store_view_close(v);
	return result;
}

static bool
select_fields(struct url_copy *u, struct mime_span span)
{
	const struct fetch_section *sec = &u->item.section;
	size_t n = span.size < HEADLINES_HEADER_MAX ? (size_t)span.size : HEADLINES_HEADER_MAX;
	struct buf header;
	bool ok;

	buf_init(&header, SIZE_MAX);
	ok = letter_read(&u->letter, span.at, n, &header);
	if (ok)
		header_select(&u->fields, buf_str(&header), sec->fields == FIELDS_ONLY ? HEADER_ONLY : HEADER_EXCEPT, sec->names,
		    sec->nnames);
	buf_fini(&header);
	return ok;
}

static enum append_copied
find_octets(struct imap_session *s, struct command *c)
{
	struct url_copy *u = s->append->copy;
	const struct fetch_section *sec = &u->item.section;
	struct mime_span span = { 0, u->letter.size };

	if (needs_tree(u) && !mime_section(u->letter.tree, sec->number, sec->depth, sec->what, &span))
		return refuse_url(s, c);
	if (!letter_holds(&u->letter, span.at, span.size))
		return refuse_file(c);
	if (sec->fields != FIELDS_ALL) {
		if (!select_fields(u, span))
			return refuse_file(c);
		span = (struct mime_span){ 0, u->fields.n };
	}
	span = fetch_clip(&u->item, span);
	if (append_is_too_much(s, c, span.size))
		return APPEND_REFUSED;
	u->found = true;
	u->at = span.at;
	u->left = span.size;
	append_begin_part(s, part_of(s, c), span.size);
	return APPEND_COPYING;
}

/* --- its octets --- */

static bool
read_piece(struct url_copy *u, size_t n, struct buf *piece)
{
	if (u->item.section.fields == FIELDS_ALL)
		return letter_read(&u->letter, u->at, n, piece);
	buf_add(piece, str_sub(buf_str(&u->fields), u->at, u->at + n));
	return true;
}

static enum append_copied
copy_piece(struct imap_session *s, struct command *c)
{
	struct append *a = s->append;
	struct url_copy *u = a->copy;
	size_t n = u->left < FETCH_PIECE ? (size_t)u->left : FETCH_PIECE;
	struct buf piece;
	bool ok;

	buf_init(&piece, SIZE_MAX);
	ok = read_piece(u, n, &piece);
	if (ok) {
		crlf_mask_nul(piece.p, piece.n);
		append_take(s, buf_str(&piece));
	}
	buf_fini(&piece);
	u->at += n;
	u->left -= n;
	if (a->failed)
		c->reply = a->why;
	else if (!ok)
		refuse_file(c);
	return ok && !a->failed ? APPEND_COPYING : APPEND_REFUSED;
}

static enum append_copied
copy_step(struct imap_session *s, struct command *c)
{
	struct append *a = s->append;
	struct url_copy *u = a->copy;

	if (u == NULL)
		return open_url(s, c);
	if (!u->found && needs_tree(u) && u->letter.tree == NULL) {
		if (letter_parse(&u->letter, s) == STEP_DONE && u->letter.tree == NULL)
			return refuse_file(c);
		return APPEND_COPYING;
	}
	if (!u->found)
		return find_octets(s, c);
	if (u->left > 0)
		return copy_piece(s, c);
	url_copy_free(u);
	a->copy = NULL;
	return APPEND_COPYING;
}

enum append_copied
append_copy_urls(struct imap_session *s, struct command *c)
{
	const struct append_args *args = c->args;
	struct append *a = s->append;

	if (a->copy == NULL && (a->parts == args->nparts || args->parts[a->parts].url.p == NULL))
		return APPEND_COPIED;
	return copy_step(s, c);
}
