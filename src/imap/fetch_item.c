/* fetch_item.c - the table of FETCH items and what the simple ones write (RFC 9051 6.4.5, 7.5.2). */
#include "fetch.h"

#include <postern/core/utf8.h>
#include <postern/message/imaptext.h>

#include "commands.h"
#include "out.h"
#include "rows.h"
#include "threadid.h"

static enum fetch_went
write_uid(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	(void)i;
	buf_add_u64(&s->out, f->m.uid);
	return FETCH_WRITTEN;
}

static enum fetch_went
write_internaldate(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	(void)i;
	out_internal_date(&s->out, f->m.internal_date);
	return FETCH_WRITTEN;
}

static enum fetch_went
write_size(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	(void)i;
	buf_add_u64(&s->out, f->m.size);
	return FETCH_WRITTEN;
}

static enum fetch_went
write_flags(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	bool recent = !s->rev2 && uidset_has(&s->box->recent, f->m.uid);

	(void)i;
	out_flags(&s->out, f->m.flags, f->m.keywords, f->keywords, recent);
	return FETCH_WRITTEN;
}

static enum fetch_went
write_modseq(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	(void)i;
	buf_add_char(&s->out, '(');
	buf_add_u64(&s->out, f->m.modseq);
	buf_add_char(&s->out, ')');
	s->modseq_written = true;
	return FETCH_WRITTEN;
}

static enum fetch_went
write_savedate(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	(void)i;
	out_internal_date(&s->out, f->m.save_date);
	return FETCH_WRITTEN;
}

static enum fetch_went
write_emailid(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	struct id id = { 0 };

	(void)i;
	store_email_id(f->view, s->box->mailbox, f->m.uid, &id);
	out_object_id(&s->out, OBJECT_EMAIL, id);
	return FETCH_WRITTEN;
}

static enum fetch_went
write_threadid(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	struct id email = { 0 };

	(void)i;
	store_email_id(f->view, s->box->mailbox, f->m.uid, &email);
	out_object_id(&s->out, OBJECT_THREAD, threadid_of(f->letter.tree->root->envelope, email));
	return FETCH_WRITTEN;
}

/* nstring: 8-bit text goes as a literal, which every client can read (RFC 8970 6). */
static void
write_text(struct buf *out, struct str s)
{
	if (ascii_only(s)) {
		out_quoted(out, s);
		return;
	}
	buf_addf(out, "{%zu}\r\n", s.n);
	buf_add(out, s);
}

/* LAZY asks for no structure, so that none is made for it: NIL unless it is at hand (RFC 8970 4.1). */
static enum fetch_went
write_preview(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	bool lazy = !(i->flags & FETCH_TREE);
	struct str row;

	if (f->letter.has_row || (lazy && store_rows_find(&f->rows, f->m.uid, &row) && letter_take_row(&f->letter, row)))
		write_text(&s->out, f->letter.row.preview);
	else
		fetch_write_nil(s);
	return FETCH_WRITTEN;
}

static enum fetch_went
write_envelope(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	(void)i;
	imaptext_envelope(&s->out, f->letter.tree->root->envelope);
	return FETCH_WRITTEN;
}

static enum imaptext_global
global_form(const struct imap_session *s)
{
	return session_takes_utf8(s) ? IMAPTEXT_GLOBAL_MESSAGE : IMAPTEXT_GLOBAL_BASIC;
}

static enum fetch_went
write_structure(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	(void)i;
	imaptext_body(&s->out, f->letter.tree->root, global_form(s));
	return FETCH_WRITTEN;
}

static enum fetch_went
write_bodystructure(struct imap_session *s, struct fetch *f, const struct fetch_item *i)
{
	(void)i;
	imaptext_bodystructure(&s->out, f->letter.tree->root, global_form(s));
	return FETCH_WRITTEN;
}

enum {
	BODY_SECTION = FETCH_SECTION | FETCH_PARTIAL | FETCH_TREE | FETCH_FILE,
	BINARY_SECTION = FETCH_SECTION | FETCH_BINARY | FETCH_TREE | FETCH_FILE,
};

static const struct fetch_row rows[] = {
	{ STR_INIT("UID"), 0, write_uid, { 0 }, NULL, "RFC 9051 6.4.5" },
	{ STR_INIT("FLAGS"), 0, write_flags, { 0 }, NULL, "RFC 9051 6.4.5" },
	{ STR_INIT("INTERNALDATE"), 0, write_internaldate, { 0 }, NULL, "RFC 9051 6.4.5" },
	{ STR_INIT("RFC822.SIZE"), 0, write_size, { 0 }, NULL, "RFC 9051 6.4.5" },
	{ STR_INIT("MODSEQ"), 0, write_modseq, { 0 }, "CONDSTORE", "RFC 7162 3.1.4.2" },
	{ STR_INIT("SAVEDATE"), 0, write_savedate, { 0 }, "SAVEDATE", "RFC 8514 4.2" },
	{ STR_INIT("EMAILID"), 0, write_emailid, { 0 }, "OBJECTID", "RFC 8474 5.3" },
	{ STR_INIT("THREADID"), FETCH_TREE, write_threadid, { 0 }, "OBJECTID", "RFC 8474 5.3" },
	{ STR_INIT("PREVIEW"), FETCH_TREE | FETCH_LAZY, write_preview, { 0 }, "PREVIEW", "RFC 8970 3" },
	{ STR_INIT("ENVELOPE"), FETCH_TREE, write_envelope, { 0 }, NULL, "RFC 9051 6.4.5" },
	{ STR_INIT("BODY"), FETCH_TREE, write_structure, { 0 }, NULL, "RFC 9051 6.4.5" },
	{ STR_INIT("BODYSTRUCTURE"), FETCH_TREE, write_bodystructure, { 0 }, NULL, "RFC 9051 6.4.5" },
	{ STR_INIT("BODY"), BODY_SECTION | FETCH_SEEN, fetch_write_body, { 0 }, NULL, "RFC 9051 6.4.5.1" },
	{ STR_INIT("BODY.PEEK"), BODY_SECTION, fetch_write_body, STR_INIT("BODY"), NULL, "RFC 9051 6.4.5.1" },
	{ STR_INIT("RFC822"), FETCH_FILE | FETCH_SEEN, fetch_write_body, { 0 }, NULL, "RFC 3501 6.4.5" },
	{ STR_INIT("RFC822.HEADER"), FETCH_TREE | FETCH_FILE, fetch_write_body, { 0 }, NULL, "RFC 3501 6.4.5" },
	{ STR_INIT("RFC822.TEXT"), FETCH_TREE | FETCH_FILE | FETCH_SEEN, fetch_write_body, { 0 }, NULL,
	    "RFC 3501 6.4.5" },
	{ STR_INIT("BINARY"), BINARY_SECTION | FETCH_PARTIAL | FETCH_SEEN, fetch_write_binary, { 0 }, "BINARY",
	    "RFC 3516 4.2" },
	{ STR_INIT("BINARY.PEEK"), BINARY_SECTION | FETCH_PARTIAL, fetch_write_binary, STR_INIT("BINARY"), "BINARY",
	    "RFC 3516 4.2" },
	{ STR_INIT("BINARY.SIZE"), BINARY_SECTION, fetch_write_binary_size, { 0 }, "BINARY", "RFC 3516 4.2" },
};
enum { ROWS = sizeof(rows) / sizeof(*rows) };

const struct fetch_row *
fetch_find(struct str name, bool section)
{
	for (size_t i = 0; i < ROWS; i++)
		if (!(rows[i].flags & FETCH_SECTION) == !section && str_eq_nocase(rows[i].name, name))
			return &rows[i];
	return NULL;
}

void
fetch_rows(const struct rows *r)
{
	for (size_t i = 0; i < ROWS; i++)
		rows_show(r, "FETCH item", rows[i].name, rows[i].capability, rows[i].rfc);
}

const char *const *
fetch_macro(struct str name)
{
	static const char *const all[] = { "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", NULL };
	static const char *const fast[] = { "FLAGS", "INTERNALDATE", "RFC822.SIZE", NULL };
	static const char *const full[] = { "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", NULL };

	if (str_eq_nocase(name, STR("ALL")))
		return all;
	if (str_eq_nocase(name, STR("FAST")))
		return fast;
	return str_eq_nocase(name, STR("FULL")) ? full : NULL;
}
