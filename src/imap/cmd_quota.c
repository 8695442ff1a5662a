/* cmd_quota.c - GETQUOTA and GETQUOTAROOT (RFC 9208 4.1): a user has one quota root, "", for all his mailboxes. Limits
 * are the operator's to set: there is no SETQUOTA. */
#include "commands.h"
#include "names.h"
#include "owners.h"
#include "quota.h"
#include "rights.h"

static void
write_quota(struct imap_session *s)
{
	buf_add_cstr(&s->out, "* QUOTA \"\" (");
	if (s->setup.quota != 0) {
		buf_add_cstr(&s->out, "STORAGE ");
		buf_add_u64(&s->out, quota_units(store_user_bytes(s->setup.user)));
		buf_add_char(&s->out, ' ');
		buf_add_u64(&s->out, s->setup.quota / 1024);
	}
	buf_add_cstr(&s->out, ")\r\n");
}

/* SP quota-root-name */
bool
cmd_getquota_parse(struct lex *l, struct command *c)
{
	struct str *root = ARENA_NEW(&c->arena, struct str);

	lex_sp(l);
	*root = lex_astring(l);
	c->args = root;
	return lex_ok(l);
}

enum step
cmd_getquota_run(struct imap_session *s, struct command *c)
{
	const struct str *root = c->args;

	if (root->n > 0)
		return done_no(c, "NONEXISTENT", "no such quota root");
	write_quota(s);
	return done_ok(c, "done");
}

/* What is put into another's mailbox counts for him (RFC 9208 3.2), and what he has is not the guest's to know: there is no root that he
 * could look at. */
static enum step
tell_no_root(struct imap_session *s, struct command *c, struct str name)
{
	struct place p;

	if (!rights_find(s, c, name, 0, REFUSED_HERE, &p))
		return STEP_DONE;
	buf_add_cstr(&s->out, "* QUOTAROOT ");
	out_mailbox(&s->out, name, c->names);
	buf_add_cstr(&s->out, "\r\n");
	return done_ok(c, "done");
}

/* One's own mailbox need not be there. */
enum step
cmd_getquotaroot_run(struct imap_session *s, struct command *c)
{
	const struct str *name = c->args;

	if (owners_has_name(s, *name))
		return tell_no_root(s, c, *name);
	buf_add_cstr(&s->out, "* QUOTAROOT ");
	out_mailbox(&s->out, *name, c->names);
	buf_add_cstr(&s->out, " \"\"\r\n");
	write_quota(s);
	return done_ok(c, "done");
}
