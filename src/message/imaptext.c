/* imaptext.c - ENVELOPE, BODY and BODYSTRUCTURE as RFC 9051 9 spells them. */
#include <postern/message/imaptext.h>

#include <postern/message/crlf.h>

/* quoted: ASCII without NUL, CR and LF. */
static bool
is_quotable(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == 0 || c == '\r' || c == '\n' || c >= 0x80)
			return false;
	}
	return true;
}

static void
add_quoted(struct buf *out, struct str s)
{
	buf_add_char(out, '"');
	while (s.n > 0) {
		size_t n = 0;

		while (n < s.n && s.p[n] != '"' && s.p[n] != '\\')
			n++;
		buf_add(out, str_sub(s, 0, n));
		if (n < s.n) {
			buf_add_char(out, '\\');
			buf_add_char(out, s.p[n++]);
		}
		s = str_sub(s, n, s.n);
	}
	buf_add_char(out, '"');
}

static void
add_literal(struct buf *out, struct str s)
{
	char *to;

	buf_addf(out, "{%zu}\r\n", s.n);
	to = buf_room(out, s.n);
	if (to == NULL)
		return;
	memcpy(to, s.p, s.n);
	crlf_mask_nul(to, s.n);
	out->n += s.n;
}

/* string: quoted or literal. */
static void
add_string(struct buf *out, struct str s)
{
	if (is_quotable(s))
		add_quoted(out, s);
	else
		add_literal(out, s);
}

void
imaptext_nstring(struct buf *out, struct str s)
{
	if (s.p == NULL)
		buf_add(out, STR("NIL"));
	else
		add_string(out, s);
}

static void
sp(struct buf *out)
{
	buf_add_char(out, ' ');
}

static void
sp_nstring(struct buf *out, struct str s)
{
	sp(out);
	imaptext_nstring(out, s);
}

static void
sp_number(struct buf *out, uint64_t n)
{
	sp(out);
	buf_add_u64(out, n);
}

static struct str
or_missing(struct str s, struct str missing)
{
	return s.n > 0 ? s : missing;
}

/* RFC 9051 7.5.2: NIL as host marks a group, NIL as mailbox its end. */
static void
add_address(struct buf *out, const struct addrlist_item *item)
{
	struct str none = { 0 };
	struct str group = item->local.p != NULL ? item->local : STR("");

	buf_add_char(out, '(');
	if (item->kind == ADDRLIST_MAILBOX) {
		imaptext_nstring(out, item->display);
		sp_nstring(out, item->route);
		sp_nstring(out, or_missing(item->local, STR("MISSING_MAILBOX")));
		sp_nstring(out, or_missing(item->domain, STR("MISSING_DOMAIN")));
	} else {
		buf_add(out, STR("NIL NIL"));
		sp_nstring(out, item->kind == ADDRLIST_GROUP ? group : none);
		sp_nstring(out, none);
	}
	buf_add_char(out, ')');
}

static void
sp_addresses(struct buf *out, const struct addrlist *list)
{
	if (list->n == 0) {
		buf_add(out, STR(" NIL"));
		return;
	}
	buf_add(out, STR(" ("));
	for (const struct addrlist_item *i = list->first; i != NULL; i = i->next)
		add_address(out, i);
	buf_add_char(out, ')');
}

void
imaptext_envelope(struct buf *out, const struct mime_envelope *e)
{
	buf_add_char(out, '(');
	imaptext_nstring(out, e->date);
	sp_nstring(out, e->subject);
	sp_addresses(out, &e->from);
	sp_addresses(out, e->sender.n > 0 ? &e->sender : &e->from);
	sp_addresses(out, e->reply_to.n > 0 ? &e->reply_to : &e->from);
	sp_addresses(out, &e->to);
	sp_addresses(out, &e->cc);
	sp_addresses(out, &e->bcc);
	sp_nstring(out, e->in_reply_to);
	sp_nstring(out, e->message_id);
	buf_add_char(out, ')');
}

static void
add_params(struct buf *out, const struct param *list)
{
	if (list == NULL) {
		buf_add(out, STR("NIL"));
		return;
	}
	buf_add_char(out, '(');
	for (const struct param *p = list; p != NULL; p = p->next) {
		if (p != list)
			sp(out);
		add_string(out, p->name);
		sp(out);
		add_string(out, p->value);
	}
	buf_add_char(out, ')');
}

/* body-fld-lang: one tag is a string, more are a list. */
static void
add_language(struct buf *out, const struct mime_tag *list)
{
	if (list == NULL || list->next == NULL) {
		imaptext_nstring(out, list != NULL ? list->tag : (struct str){ 0 });
		return;
	}
	buf_add_char(out, '(');
	for (const struct mime_tag *t = list; t != NULL; t = t->next) {
		if (t != list)
			sp(out);
		add_string(out, t->tag);
	}
	buf_add_char(out, ')');
}

/* body-fld-dsp, body-fld-lang, body-fld-loc */
static void
sp_extension(struct buf *out, const struct mime_part *part)
{
	sp(out);
	if (part->disposition.p != NULL) {
		buf_add_char(out, '(');
		add_string(out, part->disposition);
		sp(out);
		add_params(out, part->disposition_params);
		buf_add_char(out, ')');
	} else {
		buf_add(out, STR("NIL"));
	}
	sp(out);
	add_language(out, part->language);
	sp_nstring(out, part->location);
}

struct form {
	bool structure; /* BODYSTRUCTURE: with extension data */
	enum imaptext_global global;
};

static void add_body(struct buf *out, const struct mime_part *part, struct form form);

static void
add_multipart(struct buf *out, const struct mime_part *part, struct form form)
{
	for (const struct mime_part *c = part->child; c != NULL; c = c->next)
		add_body(out, c, form);
	sp_nstring(out, part->subtype);
	if (!form.structure)
		return;
	sp(out);
	add_params(out, part->params);
	sp_extension(out, part);
}

static bool
is_told_as_message(const struct mime_part *part, struct form form)
{
	return part->kind == MIME_MESSAGE
		&& (form.global == IMAPTEXT_GLOBAL_MESSAGE || str_eq(part->subtype, STR("rfc822")));
}

static void
add_single(struct buf *out, const struct mime_part *part, struct form form)
{
	bool message = is_told_as_message(part, form);

	add_string(out, part->type);
	sp_nstring(out, part->subtype);
	sp(out);
	add_params(out, part->params);
	sp_nstring(out, part->id);
	sp_nstring(out, part->description);
	sp_nstring(out, part->encoding);
	sp_number(out, part->body_size);
	if (message) {
		sp(out);
		imaptext_envelope(out, part->child->envelope);
		sp(out);
		add_body(out, part->child, form);
	}
	if (message || str_eq(part->type, STR("text")))
		sp_number(out, part->lines);
	if (!form.structure)
		return;
	sp_nstring(out, part->md5);
	sp_extension(out, part);
}

/* The recursion is as deep as the parts: at most MIME_DEPTH_MAX. */
static void
add_body(struct buf *out, const struct mime_part *part, struct form form)
{
	buf_add_char(out, '(');
	if (part->kind == MIME_MULTIPART)
		add_multipart(out, part, form);
	else
		add_single(out, part, form);
	buf_add_char(out, ')');
}

void
imaptext_body(struct buf *out, const struct mime_part *root, enum imaptext_global global)
{
	add_body(out, root, (struct form){ false, global });
}

void
imaptext_bodystructure(struct buf *out, const struct mime_part *root, enum imaptext_global global)
{
	add_body(out, root, (struct form){ true, global });
}
