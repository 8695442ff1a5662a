/* cmd_any.c - the small commands: CAPABILITY, NOOP, CHECK, LOGOUT, ID, ENABLE, NAMESPACE (RFC 9051 6.1, 6.3.1,
 * 6.3.10). */
#include "commands.h"
#include "condstore.h"
#include "context.h"
#include "id.h"
#include "metadata.h"
#include "rows.h"

bool
parse_nothing(struct lex *l, struct command *c)
{
	(void)c;
	return lex_ok(l);
}

enum step
cmd_capability_run(struct imap_session *s, struct command *c)
{
	buf_add_cstr(&s->out, "* ");
	commands_write_capabilities(s, &s->out);
	buf_add_cstr(&s->out, "\r\n");
	return done_ok(c, "done");
}

/* The updates that follow every command are all there is to it. */
enum step
cmd_noop_run(struct imap_session *s, struct command *c)
{
	if (s->box != NULL)
		s->box->dirty = true;
	return done_ok(c, "done");
}

/* RFC 9051 6.1.3: BYE, then the tagged OK, then the connection ends. */
enum step
cmd_logout_run(struct imap_session *s, struct command *c)
{
	static const struct reply bye = { REPLY_BYE, STR_INIT(""), STR_INIT("logging out") };

	reply_write(&s->out, STR("*"), &bye);
	s->state = IN_END;
	return done_ok(c, "done");
}

bool
cmd_id_parse(struct lex *l, struct command *c)
{
	(void)c;
	return lex_id_params(l);
}

enum step
cmd_id_run(struct imap_session *s, struct command *c)
{
	id_write(&s->out);
	return done_ok(c, "done");
}

/* --- ENABLE --- */

enum {
	ENABLE_MAX = 100, /* names in one ENABLE */
};

struct enable_args {
	unsigned names; /* bits of the table */
};

static void
enable_rev2(struct imap_session *s)
{
	s->rev2 = true;
}

/* RFC 7162 3.2.3: with or without CONDSTORE, in any order. */
static void
enable_qresync(struct imap_session *s)
{
	s->qresync = true;
	condstore_enable(s);
}

static void
enable_uidonly(struct imap_session *s)
{
	s->uidonly = true;
	contexts_end_numbered(s);
}

static void
enable_utf8(struct imap_session *s)
{
	s->utf8 = true;
}

static const struct {
	const char *name;
	unsigned where;         /* elsewhere the name is ignored */
	void (*enable)(struct imap_session *s);
	const char *capability; /* when it is not the base's or another table's */
	const char *rfc;
} extensions[] = {
	{ "IMAP4rev2", IN_BOTH, enable_rev2, NULL, "RFC 9051 6.3.1" },
	{ "CONDSTORE", IN_BOTH, condstore_enable, "CONDSTORE", "RFC 7162 3.1" },
	{ "QRESYNC", IN_BOTH, enable_qresync, "QRESYNC", "RFC 7162 3.2.3" },
	{ "UIDONLY", IN_BOTH, enable_uidonly, "UIDONLY", "RFC 9586 3.1" },
	{ "METADATA", IN_BOTH, metadata_enable, NULL, "RFC 5464 4.1" },
	{ "UTF8=ACCEPT", IN_AUTH, enable_utf8, "UTF8=ACCEPT", "RFC 9755 3" },
};
enum { EXTENSIONS = sizeof(extensions) / sizeof(*extensions) };

void
enable_rows(const struct rows *r)
{
	for (size_t i = 0; i < EXTENSIONS; i++)
		rows_show(r, "ENABLE", str_of(extensions[i].name), extensions[i].capability, extensions[i].rfc);
}

static unsigned
extension_bit(struct str name)
{
	for (unsigned i = 0; i < EXTENSIONS; i++)
		if (str_eq_nocase(name, str_of(extensions[i].name)))
			return 1u << i;
	return 0;
}

/* 1*(SP capability); what is not known, or cannot be enabled, is ignored (RFC 9051 6.3.1). */
bool
cmd_enable_parse(struct lex *l, struct command *c)
{
	struct enable_args *a = ARENA_NEW(&c->arena, struct enable_args);
	unsigned n = 0;

	c->args = a;
	do {
		lex_sp(l);
		a->names |= extension_bit(lex_atom(l));
		if (++n > ENABLE_MAX)
			lex_fail(l, "too many names");
	} while (lex_ok(l) && cur_left(&l->c) > 0);
	return lex_ok(l);
}

/* What can be enabled in this state. */
static unsigned
enable_here(const struct imap_session *s)
{
	unsigned here = 0;

	for (unsigned i = 0; i < EXTENSIONS; i++)
		if (extensions[i].where & s->state)
			here |= 1u << i;
	return here;
}

enum step
cmd_enable_run(struct imap_session *s, struct command *c)
{
	const struct enable_args *a = c->args;
	unsigned names = a->names & ~s->enabled & enable_here(s);

	buf_add_cstr(&s->out, "* ENABLED");
	for (unsigned i = 0; i < EXTENSIONS; i++)
		if (names >> i & 1)
			buf_addf(&s->out, " %s", extensions[i].name);
	buf_add_cstr(&s->out, "\r\n");
	s->enabled |= names;
	for (unsigned i = 0; i < EXTENSIONS; i++)
		if (names >> i & 1)
			extensions[i].enable(s);
	return done_ok(c, "done");
}

enum step
cmd_namespace_run(struct imap_session *s, struct command *c)
{
	bool others = s->setup.store != NULL, shared = others && s->setup.shared_owner.n > 0;

	buf_addf(&s->out, "* NAMESPACE ((\"\" \"/\")) %s %s\r\n", others ? "((\"Users/\" \"/\"))" : "NIL",
	    shared ? "((\"Shared/\" \"/\"))" : "NIL");
	return done_ok(c, "done");
}
