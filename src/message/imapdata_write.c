/* imapdata_write.c - the cache record of a tree. */
#include <postern/message/imapdata.h>

#include "imapdata_wire.h"

enum {
	SHARED_MIN = 4,     /* a shorter string is not worth a place */
	SHARED_SPAN = 4096, /* octets of the lines where it is looked for, so that many strings cost little each */
};

struct writing {
	struct buf *out;
	struct str lines;
	size_t hint; /* strings mostly come in the order of the lines */
};

static void
put_number(struct buf *out, uint64_t n)
{
	while (n >= 0x80) {
		buf_add_char(out, (char)(0x80 | (n & 0x7f)));
		n >>= 7;
	}
	buf_add_char(out, (char)n);
}

/* Where the string is in the lines; false: nowhere. */
static bool
find_shared(struct writing *w, struct str s, size_t *at)
{
	size_t ahead = str_search(str_sub(w->lines, w->hint, w->lines.n), s);

	*at = w->hint + ahead;
	if (*at == w->lines.n)
		*at = str_search(w->lines, s);
	if (*at == w->lines.n)
		return false;
	w->hint = *at;
	return true;
}

static void
put_str(struct writing *w, struct str s)
{
	size_t at;

	if (s.p == NULL) {
		put_number(w->out, 0);
	} else if (s.n >= SHARED_MIN && find_shared(w, s, &at)) {
		put_number(w->out, 2 * s.n + 2);
		put_number(w->out, at);
	} else {
		put_number(w->out, 2 * s.n + 1);
		buf_add(w->out, s);
	}
}

static void
put_params(struct writing *w, const struct param *list)
{
	size_t n = 0;

	for (const struct param *p = list; p != NULL; p = p->next)
		n++;
	put_number(w->out, n);
	for (; list != NULL; list = list->next) {
		put_str(w, list->name);
		put_str(w, list->value);
	}
}

static void
put_tags(struct writing *w, const struct mime_tag *list)
{
	size_t n = 0;

	for (const struct mime_tag *t = list; t != NULL; t = t->next)
		n++;
	put_number(w->out, n);
	for (; list != NULL; list = list->next)
		put_str(w, list->tag);
}

static void
put_addresses(struct writing *w, const struct addrlist *list)
{
	put_number(w->out, list->n);
	for (const struct addrlist_item *i = list->first; i != NULL; i = i->next) {
		put_number(w->out, i->kind);
		put_str(w, i->display);
		put_str(w, i->route);
		put_str(w, i->local);
		put_str(w, i->domain);
	}
}

static void
put_envelope(struct writing *w, const struct mime_envelope *e)
{
	put_str(w, e->date);
	put_str(w, e->subject);
	put_addresses(w, &e->from);
	put_addresses(w, &e->sender);
	put_addresses(w, &e->reply_to);
	put_addresses(w, &e->to);
	put_addresses(w, &e->cc);
	put_addresses(w, &e->bcc);
	put_str(w, e->in_reply_to);
	put_str(w, e->message_id);
	put_str(w, e->references);
}

static size_t
children(const struct mime_part *part)
{
	size_t n = 0;

	for (const struct mime_part *c = part->child; c != NULL; c = c->next)
		n++;
	return n;
}

static void
put_part(struct writing *w, const struct mime_part *part)
{
	put_number(w->out, part->kind);
	put_number(w->out, part->is_message);
	put_number(w->out, children(part));
	put_number(w->out, part->header_at);
	put_number(w->out, part->header_size);
	put_number(w->out, part->body_size);
	put_number(w->out, part->lines);
	put_str(w, part->type);
	put_str(w, part->subtype);
	put_params(w, part->params);
	put_str(w, part->id);
	put_str(w, part->description);
	put_str(w, part->encoding);
	put_str(w, part->md5);
	put_str(w, part->disposition);
	put_params(w, part->disposition_params);
	put_tags(w, part->language);
	put_str(w, part->location);
	if (part->is_message)
		put_envelope(w, part->envelope);
}

void
imapdata_write(struct buf *out, const struct mime *m, struct str lines)
{
	struct writing w = { out, str_sub(lines, 0, SHARED_SPAN), 0 };

	put_number(out, IMAPDATA_VERSION);
	put_number(out, (m->has_nul ? FLAG_NUL : 0) | (m->has_8bit ? FLAG_8BIT : 0) |
	    (m->has_bare_lf ? FLAG_BARE_LF : 0) | (m->limited ? FLAG_LIMITED : 0));
	put_number(out, m->size);
	for (const struct mime_part *part = m->root; part != NULL; part = mime_next(part))
		put_part(&w, part);
}
