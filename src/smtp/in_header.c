/* in_header.c - the header of a message: kept until it is whole, looked at, edited, written.
 *
 * Edits, and nothing else is ever changed: from a submission Bcc and Resent-Bcc go (RFC 5322 3.6.3), a missing Date and
 * Message-ID come (RFC 6409 8.2, 8.3); from every message goes an Authentication-Results field that claims to be ours
 * (RFC 8601 5). The header ends with the first empty line, as for everybody who will read the message
 * (message/header.h). */
#include <postern/message/addrlist.h>
#include <postern/message/date.h>
#include <postern/message/header.h>

#include "in_session.h"

enum { MSGID_MAX = 250 };

size_t
in_header_take(struct smtp_in *s, struct str bytes, bool *done)
{
	struct in_tx *tx = &s->tx;
	size_t taken = 0;
	size_t n;

	while (taken < bytes.n && !*done) {
		n = str_find(str_sub(bytes, taken, bytes.n), '\n');
		n = taken + n < bytes.n ? n + 1 : n;
		buf_add(&tx->header, str_sub(bytes, taken, taken + n));
		taken += n;
		if (tx->header.over) {
			in_content_refuse(s, SMTP_HEADER_BIG);
			return taken;
		}
		if (tx->header.p[tx->header.n - 1] != '\n')
			break;
		*done = str_eq(str_sub(buf_str(&tx->header), tx->header_line, tx->header.n), STR("\r\n"));
		tx->header_line = tx->header.n;
	}
	return taken;
}

/* --- what a field means --- */

enum field_fate { FIELD_STAYS, FIELD_GOES };

static enum field_fate
on_received(struct smtp_in *s, struct str value)
{
	(void)value;
	s->tx.hops++;
	return FIELD_STAYS;
}

static enum field_fate
on_msgid(struct smtp_in *s, struct str value)
{
	if (s->tx.msgid.n == 0)
		s->tx.msgid = str_sub(header_unfold_in(&s->tx.arena, value), 0, MSGID_MAX);
	return FIELD_STAYS;
}

static enum field_fate
on_date(struct smtp_in *s, struct str value)
{
	(void)value;
	s->tx.has_date = true;
	return FIELD_STAYS;
}

/* RFC 8689 3: one value, and only once. What is more or else asks for nothing. */
static enum field_fate
on_tls_required(struct smtp_in *s, struct str value)
{
	struct str word = str_trim(header_unfold_in(&s->scratch, value));

	s->tx.tls_optional = s->tx.tls_required_fields++ == 0 && str_eq_nocase(word, STR("No"));
	return FIELD_STAYS;
}

static enum field_fate
on_bcc(struct smtp_in *s, struct str value)
{
	(void)value;
	return in_is_submission(s) ? FIELD_GOES : FIELD_STAYS;
}

static void
add_owner(struct smtp_in *s, const struct addrlist_item *item)
{
	struct in_owner *o = ARENA_NEW(&s->tx.arena, struct in_owner);
	struct buf text;

	buf_init(&text, SMTP_LINE_MAX);
	address_write_local(&text, item->local);
	buf_add_char(&text, '@');
	buf_add(&text, item->domain);
	if (text.over)
		s->tx.from_bad = true;
	o->address = arena_str(&s->tx.arena, buf_str(&text));
	o->next = s->tx.owners;
	s->tx.owners = o;
	buf_fini(&text);
}

/* Notes whom the field names. Where the grammar leaves it open, nobody guesses: the message is refused. */
static void
note_owners(struct smtp_in *s, struct str value)
{
	struct addrlist list = { 0 };

	if (s->login.n == 0)
		return;
	addrlist_parse(&s->tx.arena, value, SMTP_FROM_MAX, &list);
	if (list.malformed || list.mailboxes == 0)
		s->tx.from_bad = true;
	if (list.truncated)
		s->tx.from_crowded = true;
	for (struct addrlist_item *i = list.first; i != NULL; i = i->next)
		if (i->kind == ADDRLIST_MAILBOX)
			add_owner(s, i);
}

static enum field_fate
on_from(struct smtp_in *s, struct str value)
{
	if (s->tx.from_fields++ == 0)
		note_owners(s, value);
	return FIELD_STAYS;
}

static enum field_fate
on_sender(struct smtp_in *s, struct str value)
{
	note_owners(s, value);
	return FIELD_STAYS;
}

/* White space and comments, nested as they like (RFC 5322 3.2.2); value is unfolded. */
static void
skip_cfws(struct cur *c)
{
	unsigned depth = 0;
	int b;

	while ((b = cur_peek(c)) >= 0 && (depth > 0 || b == ' ' || b == '\t' || b == '(')) {
		if (b == '(')
			depth++;
		else if (b == ')')
			depth--;
		cur_bytes(c, b == '\\' && cur_left(c) > 1 ? 2 : 1);
	}
}

static bool
is_server_id(char c)
{
	return (unsigned char)c > 0x20 && !strchr("\"();", c);
}

/* [CFWS] authserv-id …; the id may be quoted (RFC 8601 2.2). */
static enum field_fate
on_results(struct smtp_in *s, struct str value)
{
	struct cur c = cur_init(header_unfold_in(&s->scratch, value));
	struct str id;

	skip_cfws(&c);
	cur_take(&c, "\"");
	id = cur_while(&c, is_server_id);
	return str_eq_nocase(id, s->conf->hostname) ? FIELD_GOES : FIELD_STAYS;
}

static const struct {
	struct str name;
	enum field_fate (*note)(struct smtp_in *s, struct str value);
} rows[] = {
	{ STR_INIT("Received"), on_received },
	{ STR_INIT("Message-ID"), on_msgid },
	{ STR_INIT("Date"), on_date },
	{ STR_INIT("From"), on_from },
	{ STR_INIT("Sender"), on_sender },
	{ STR_INIT("TLS-Required"), on_tls_required },
	{ STR_INIT("Bcc"), on_bcc },
	{ STR_INIT("Resent-Bcc"), on_bcc },
	{ STR_INIT("Authentication-Results"), on_results },
};

static enum field_fate
note(struct smtp_in *s, const struct header_field *f)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_eq_nocase(rows[i].name, f->name))
			return rows[i].note(s, f->value);
	return FIELD_STAYS;
}

/* --- the end of the header --- */

/* A field that goes; what lies between two of them is written as it came. */
struct cut {
	struct cut *next;
	size_t from, to;
};

static bool
look(struct smtp_in *s, struct str block, struct cut **cuts)
{
	struct header_walk w = header_begin(block);
	struct header_field f;
	struct cut *cut;
	unsigned fields = 0;

	while (header_next(&w, &f)) {
		if (++fields > SMTP_HEADER_FIELDS_MAX)
			return false;
		if (note(s, &f) == FIELD_STAYS)
			continue;
		cut = ARENA_NEW(&s->scratch, struct cut);
		cut->from = f.at;
		cut->to = f.at + f.whole.n;
		*cuts = cut;
		cuts = &cut->next;
	}
	return true;
}

/* Before the fields of the message, so that it does not matter how its header ends. */
static void
write_missing(struct smtp_in *s)
{
	char id[ID_TEXT_SIZE];
	struct buf add;

	buf_init(&add, SMTP_LINE_MAX);
	if (!s->tx.has_date) {
		buf_add(&add, STR("Date: "));
		date_write_mail(&add, date_local(s->tx.envelope.received));
		buf_add(&add, STR("\r\n"));
	}
	if (s->tx.msgid.n == 0) {
		id_text(s->tx.envelope.qid, id);
		s->tx.msgid = arena_strf(&s->tx.arena, "<%s@%.*s>", id, STR_ARG(s->conf->hostname));
		buf_add(&add, STR("Message-ID: "));
		buf_add(&add, s->tx.msgid);
		buf_add(&add, STR("\r\n"));
	}
	in_content_write(s, buf_str(&add));
	buf_fini(&add);
}

static void
write_kept(struct smtp_in *s, struct str block, const struct cut *cut)
{
	size_t from = 0;

	for (; cut != NULL; cut = cut->next) {
		in_content_write(s, str_sub(block, from, cut->from));
		from = cut->to;
	}
	in_content_write(s, str_sub(block, from, block.n));
}

void
in_header_end(struct smtp_in *s)
{
	struct str block = buf_str(&s->tx.header);
	struct cut *cuts = NULL;

	if (s->tx.bad != SMTP_OK)
		return;
	s->tx.in_header = false;
	s->tx.utf8_header = (s->tx.rules.seen & RULES_8BIT) != 0;
	if (!look(s, block, &cuts)) {
		in_content_refuse(s, SMTP_HEADER_BIG);
		return;
	}
	if (in_is_submission(s))
		write_missing(s);
	write_kept(s, block, cuts);
	buf_fini(&s->tx.header);
}
