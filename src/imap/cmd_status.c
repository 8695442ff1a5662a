/* cmd_status.c - STATUS (RFC 9051 6.3.11; SIZE: RFC 8438; HIGHESTMODSEQ: RFC 7162; RECENT: RFC 3501). */
#include "status.h"

#include "commands.h"
#include "names.h"
#include "place.h"
#include "quota.h"
#include "recent.h"
#include "rights.h"
#include "rows.h"

/* What an item is computed from. */
struct status_of {
	struct store_view *view;
	struct str user;
	uint64_t message_max;
	struct store_mailbox header;
};

static void
messages(struct buf *out, const struct status_of *of)
{
	buf_add_u64(out, of->header.messages);
}

/* Messages that the next session will be the first to see (recent.h). */
static void
recent(struct buf *out, const struct status_of *of)
{
	uint32_t floor = recent_floor(of->user, of->header.number, of->header.uidnext);
	struct store_message m;
	struct store_scan scan;
	uint64_t n = 0;

	store_scan_open(&scan, of->view, of->header.number, floor);
	while (store_scan_next(&scan, &m))
		n++;
	store_scan_close(&scan);
	buf_add_u64(out, n);
}

static void
uidnext(struct buf *out, const struct status_of *of)
{
	buf_add_u64(out, of->header.uidnext);
}

static void
uidvalidity(struct buf *out, const struct status_of *of)
{
	buf_add_u64(out, of->header.uidvalidity);
}

static void
unseen(struct buf *out, const struct status_of *of)
{
	buf_add_u64(out, of->header.unseen);
}

static void
deleted(struct buf *out, const struct status_of *of)
{
	buf_add_u64(out, of->header.deleted);
}

/* RFC 9208 5.1: in units of 1024 octets. */
static void
deleted_storage(struct buf *out, const struct status_of *of)
{
	buf_add_u64(out, quota_units(of->header.deleted_bytes));
}

static void
size(struct buf *out, const struct status_of *of)
{
	buf_add_u64(out, of->header.bytes);
}

static void
highestmodseq(struct buf *out, const struct status_of *of)
{
	buf_add_u64(out, of->header.highestmodseq);
}

static void
mailboxid(struct buf *out, const struct status_of *of)
{
	out_object_id(out, OBJECT_MAILBOX, of->header.id);
}

/* RFC 7889 3: the same for all mailboxes. */
static void
appendlimit(struct buf *out, const struct status_of *of)
{
	if (of->message_max != 0)
		buf_add_u64(out, of->message_max);
	else
		buf_add_cstr(out, "NIL");
}

static const struct {
	const char *name;
	void (*write)(struct buf *out, const struct status_of *of);
	const char *capability;
	const char *rfc;
} items[] = {
	{ "MESSAGES", messages, NULL, "RFC 9051 6.3.11" },
	{ "RECENT", recent, NULL, "RFC 3501 6.3.10" },
	{ "UIDNEXT", uidnext, NULL, "RFC 9051 6.3.11" },
	{ "UIDVALIDITY", uidvalidity, NULL, "RFC 9051 6.3.11" },
	{ "UNSEEN", unseen, NULL, "RFC 9051 6.3.11" },
	{ "DELETED", deleted, NULL, "RFC 9051 6.3.11" },
	{ "DELETED-STORAGE", deleted_storage, "QUOTA=RES-STORAGE", "RFC 9208 4.1.4" },
	{ "SIZE", size, "STATUS=SIZE", "RFC 8438 2" },
	{ "HIGHESTMODSEQ", highestmodseq, "CONDSTORE", "RFC 7162 3.1.7" },
	{ "MAILBOXID", mailboxid, "OBJECTID", "RFC 8474 4.3" },
	{ "APPENDLIMIT", appendlimit, NULL, "RFC 7889 3.1" },
};
enum { ITEMS = sizeof(items) / sizeof(*items) };

void
status_rows(const struct rows *r)
{
	for (size_t i = 0; i < ITEMS; i++)
		rows_show(r, "STATUS item", str_of(items[i].name), items[i].capability, items[i].rfc);
}

unsigned
status_item_of(struct str name)
{
	for (unsigned i = 0; i < ITEMS; i++)
		if (str_eq_nocase(name, str_of(items[i].name)))
			return 1u << i;
	return 0;
}

static unsigned
status_item(struct lex *l)
{
	struct str name = lex_atom(l);
	unsigned item = lex_ok(l) ? status_item_of(name) : 0;

	if (item == 0)
		lex_fail(l, "unknown STATUS item");
	return item;
}

bool
status_has_modseq(unsigned mask)
{
	for (size_t i = 0; i < ITEMS; i++)
		if (mask >> i & 1 && items[i].write == highestmodseq)
			return true;
	return false;
}

unsigned
lex_status_items(struct lex *l)
{
	unsigned mask = 0;

	lex_want(l, '(');
	do
		mask |= status_item(l);
	while (lex_ok(l) && lex_take(l, ' '));
	lex_want(l, ')');
	return mask;
}

void
status_write(struct imap_session *s, struct store_view *v, uint32_t mailbox, struct str name, unsigned mask)
{
	struct status_of of = { .view = v, .user = store_view_owner(v),
		.message_max = s->setup.message_max };
	const char *sep = "";

	if (!store_mailbox(v, mailbox, &of.header))
		return;
	buf_add_cstr(&s->out, "* STATUS ");
	out_mailbox(&s->out, name, session_names(s));
	buf_add_cstr(&s->out, " (");
	for (size_t i = 0; i < ITEMS; i++) {
		if (!(mask >> i & 1))
			continue;
		buf_addf(&s->out, "%s%s ", sep, items[i].name);
		items[i].write(&s->out, &of);
		sep = " ";
	}
	buf_add_cstr(&s->out, ")\r\n");
}

/* --- the command --- */

struct status_args {
	struct str name;
	unsigned items;
	struct place place;
};

bool
cmd_status_parse(struct lex *l, struct command *c)
{
	struct status_args *a = ARENA_NEW(&c->arena, struct status_args);

	c->args = a;
	lex_sp(l);
	a->name = lex_mailbox(l, c);
	lex_sp(l);
	a->items = lex_status_items(l);
	c->condstore = status_has_modseq(a->items);
	return lex_ok(l);
}

static enum step
write_step(struct imap_session *s, struct command *c)
{
	const struct status_args *a = c->args;
	struct err e;
	struct store_view *v = session_look(s, a->place.user, &e);

	if (v == NULL)
		return done_unreadable(s, c, &e);
	if (!rights_still(s, c, v, a->place.mailbox, STORE_RIGHT_READ)) {
		store_view_close(v);
		return STEP_DONE;
	}
	status_write(s, v, a->place.mailbox, place_name(s, v, a->place.mailbox, &c->arena), a->items);
	store_view_close(v);
	return done_ok(c, "done");
}

static void
on_refreshed(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;

	(void)r;
	command_answered(s);
	command_go_on(s, write_step);
}

enum step
cmd_status_run(struct imap_session *s, struct command *c)
{
	struct status_args *a = c->args;

	if (!rights_find(s, c, a->name, STORE_RIGHT_READ, REFUSED_HERE, &a->place))
		return STEP_DONE;
	return command_wait(c, store_refresh(a->place.user, a->place.mailbox, session_done(s, on_refreshed)));
}
