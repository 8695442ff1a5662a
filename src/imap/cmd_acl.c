/* cmd_acl.c - SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314 3). */
#include "commands.h"
#include "identifier.h"
#include "names.h"
#include "rights.h"

struct acl_args {
	struct str mailbox;
	struct str written;    /* the identifier as it came */
	struct str identifier;
	enum store_rights_mode mode;
	unsigned rights;
};

/* --- arguments --- */

/* identifier: an astring in UTF-8 (RFC 4314 2). */
static void
lex_identifier(struct lex *l, struct acl_args *a)
{
	a->written = lex_astring(l);
}

/* mod-rights: all, or those to be added or taken away; an unknown letter is BAD (RFC 4314 3.1). */
static void
lex_mod_rights(struct lex *l, struct acl_args *a)
{
	struct str letters = lex_astring(l);

	a->mode = STORE_RIGHTS_REPLACE;
	if (letters.n > 0 && (letters.p[0] == '+' || letters.p[0] == '-')) {
		a->mode = letters.p[0] == '+' ? STORE_RIGHTS_ADD : STORE_RIGHTS_REMOVE;
		letters = str_sub(letters, 1, letters.n);
	}
	if (lex_ok(l) && !store_rights_parse(letters, &a->rights))
		lex_fail(l, "there is no such right");
}

bool
cmd_deleteacl_parse(struct lex *l, struct command *c)
{
	struct acl_args *a = ARENA_NEW(&c->arena, struct acl_args);

	c->args = a;
	a->mode = STORE_RIGHTS_DELETE;
	lex_sp(l);
	a->mailbox = lex_mailbox(l, c);
	lex_sp(l);
	lex_identifier(l, a);
	return lex_ok(l);
}

bool
cmd_setacl_parse(struct lex *l, struct command *c)
{
	if (!cmd_deleteacl_parse(l, c))
		return false;
	lex_sp(l);
	lex_mod_rights(l, c->args);
	return lex_ok(l);
}

/* --- changing --- */

static void
on_set(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);

	if (r->code != STORE_OK)
		done_refused(c, r, REFUSED_HERE);
	else
		done_ok(c, "done");
	rights_refresh(s);
	command_finish(s);
}

/* True when the identifier can be one and the user may look at the list. */
static bool
may_administer(struct imap_session *s, struct command *c, struct place *p)
{
	struct acl_args *a = c->args;

	if (!identifier_canon(&c->arena, a->written, store_user_address(s->setup.user), &a->identifier)) {
		done_bad(c, "no such identifier can be");
		return false;
	}
	return rights_find(s, c, a->mailbox, STORE_RIGHT_ADMIN, REFUSED_HERE, p);
}

enum step
cmd_setacl_run(struct imap_session *s, struct command *c)
{
	const struct acl_args *a = c->args;
	struct store_ace ace;
	struct place p;

	if (!may_administer(s, c, &p))
		return STEP_DONE;
	ace = (struct store_ace){ a->identifier, a->rights };
	return command_wait(c, store_set_rights(p.user, p.mailbox, &ace, a->mode, session_done(s, on_set)));
}

enum step
cmd_deleteacl_run(struct imap_session *s, struct command *c)
{
	return cmd_setacl_run(s, c);
}

/* --- looking --- */

/* An identifier may hold any UTF-8, which a string of IMAP4rev1 can only as a literal. */
static void
out_identifier(struct buf *out, struct str identifier)
{
	for (size_t i = 0; i < identifier.n; i++) {
		if (!ascii_is_print(identifier.p[i])) {
			buf_addf(out, "{%zu}\r\n", identifier.n);
			buf_add(out, identifier);
			return;
		}
	}
	out_astring(out, identifier);
}

static void
begin_response(struct imap_session *s, const char *name, struct str mailbox)
{
	buf_addf(&s->out, "* %s ", name);
	out_mailbox(&s->out, mailbox, session_names(s));
}

enum step
cmd_getacl_run(struct imap_session *s, struct command *c)
{
	const struct str *name = c->args;
	struct place p;
	struct store_ace *all;
	struct err e;
	struct store_view *v;
	size_t n;

	if (!rights_find(s, c, *name, STORE_RIGHT_ADMIN, REFUSED_HERE, &p))
		return STEP_DONE;
	v = session_look(s, p.user, &e);
	if (v == NULL)
		return done_unreadable(s, c, &e);
	begin_response(s, "ACL", place_name(s, v, p.mailbox, &c->arena));
	n = store_acl(v, p.mailbox, &c->arena, &all);
	for (size_t i = 0; i < n; i++) {
		buf_add_char(&s->out, ' ');
		out_identifier(&s->out, all[i].identifier);
		buf_add_char(&s->out, ' ');
		rights_out(&s->out, all[i].rights);
	}
	buf_add_cstr(&s->out, "\r\n");
	store_view_close(v);
	return done_ok(c, "done");
}

bool
cmd_listrights_parse(struct lex *l, struct command *c)
{
	return cmd_deleteacl_parse(l, c);
}

/* RFC 4314 3.7: what the identifier always has, then what it can be given; no right is tied to another. The identifier is
 * told as the client wrote it. */
enum step
cmd_listrights_run(struct imap_session *s, struct command *c)
{
	const struct acl_args *a = c->args;
	struct place p;
	unsigned always;
	struct buf letters;

	if (!may_administer(s, c, &p))
		return STEP_DONE;
	always = str_eq(a->identifier, store_user_address(p.user)) ? STORE_RIGHTS_OWNER : 0;
	begin_response(s, "LISTRIGHTS", a->mailbox);
	buf_add_char(&s->out, ' ');
	out_identifier(&s->out, a->written);
	buf_add_char(&s->out, ' ');
	rights_out(&s->out, always);
	buf_init(&letters, 64);
	store_rights_write(&letters, STORE_RIGHTS_ALL & ~always);
	for (size_t i = 0; i < letters.n; i++)
		buf_addf(&s->out, " %c", letters.p[i]);
	buf_fini(&letters);
	buf_add_cstr(&s->out, "\r\n");
	return done_ok(c, "done");
}

enum step
cmd_myrights_run(struct imap_session *s, struct command *c)
{
	const struct str *name = c->args;
	struct place p;
	struct err e;
	struct store_view *v;

	if (!rights_find(s, c, *name, 0, REFUSED_HERE, &p))
		return STEP_DONE;
	v = session_look(s, p.user, &e);
	if (v == NULL)
		return done_unreadable(s, c, &e);
	rights_write(s, place_name(s, v, p.mailbox, &c->arena), rights_of(s, v, p.mailbox));
	store_view_close(v);
	return done_ok(c, "done");
}
