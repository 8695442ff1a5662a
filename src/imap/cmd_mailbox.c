/* cmd_mailbox.c - CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 6.3.4 to 6.3.8, RFC 6154 3). */
#include "commands.h"
#include "names.h"
#include "rights.h"

enum {
	USES_MAX = 16, /* attributes in one CREATE */
};

struct create_args {
	struct str name;
	struct place place;
	enum store_use use;
	bool bad_use; /* attributes that no mailbox can be given */
};

struct rename_args {
	struct str from;
	struct str to;
};

static void
on_done(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);

	if (s->box != NULL)
		s->box->dirty = true; /* RENAME INBOX takes messages away */
	if (r->code != STORE_OK)
		done_refused(c, r, REFUSED_HERE);
	else
		done_ok(c, "done");
	command_finish(s);
}

/* RFC 8474 4.1: "MAILBOXID (…)"; empty when the mailbox cannot be looked at. */
static struct str
mailbox_id_code(struct imap_session *s, struct command *c, uint32_t mailbox)
{
	const struct create_args *a = c->args;
	struct err e;
	struct store_view *v = session_look(s, a->place.user, &e);
	struct store_mailbox header;
	struct buf code;
	struct str text;

	if (v == NULL)
		return STR("");
	buf_init(&code, SIZE_MAX);
	if (store_mailbox(v, mailbox, &header)) {
		buf_add_cstr(&code, "MAILBOXID ");
		out_object_id(&code, OBJECT_MAILBOX, header.id);
	}
	store_view_close(v);
	text = arena_str(&c->arena, buf_str(&code));
	buf_fini(&code);
	return text;
}

static void
on_created(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);

	if (r->code != STORE_OK)
		done_refused(c, r, REFUSED_HERE);
	else
		done_ok_code(c, mailbox_id_code(s, c, r->mailbox), "done");
	command_finish(s);
}

/* Levels that are empty, "." or ".." could be taken for something else than a name; names that begin with "#" or
 * "~" are kept for namespaces (RFC 9051 5.1.2.1). */
static bool
is_possible(struct str name)
{
	struct str level;

	if (name.n == 0 || name.p[0] == '#' || name.p[0] == '~' || name.p[name.n - 1] == '/')
		return false;
	while (str_cut(&name, '/', &level))
		if (level.n == 0 || str_eq(level, STR(".")) || str_eq(level, STR("..")))
			return false;
	return true;
}

static bool
is_name(struct command *c, struct str name)
{
	if (is_possible(name) && !name_has_control(name) && (c->names == NAMES_MUTF7 || name_is_normal(name)))
		return true;
	done_no(c, "CANNOT", "no mailbox can have this name");
	return false;
}

/* RFC 9051 6.3.4: "foo/" declares that names will follow below it; the name is "foo". */
static struct str
without_separator(struct str name)
{
	if (name.n > 1 && name.p[name.n - 1] == '/')
		name.n--;
	return name;
}

/* --- CREATE --- */

/* use-attr: one that a real mailbox can have; a mailbox has one use at most. */
static void
use_attribute_arg(struct lex *l, struct create_args *a)
{
	enum store_use use = store_use_find(lex_flag(l));

	if (use == STORE_USE_NONE || use == STORE_USE_ALL || use == STORE_USE_FLAGGED || a->use != STORE_USE_NONE)
		a->bad_use = true;
	else
		a->use = use;
}

/* SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")" */
static void
create_params(struct lex *l, struct create_args *a)
{
	unsigned n = 0;

	lex_want(l, '(');
	if (!lex_word(l, "USE"))
		lex_fail(l, "unknown parameter");
	lex_sp(l);
	lex_want(l, '(');
	while (lex_ok(l) && cur_peek(&l->c) != ')' && n++ < USES_MAX) {
		if (n > 1)
			lex_sp(l);
		use_attribute_arg(l, a);
	}
	lex_want(l, ')');
	lex_want(l, ')');
}

bool
cmd_create_parse(struct lex *l, struct command *c)
{
	struct create_args *a = ARENA_NEW(&c->arena, struct create_args);

	c->args = a;
	lex_sp(l);
	a->name = without_separator(lex_mailbox(l, c));
	if (lex_take(l, ' '))
		create_params(l, a);
	return lex_ok(l);
}

enum step
cmd_create_run(struct imap_session *s, struct command *c)
{
	struct create_args *a = c->args;

	if (!is_name(c, a->name))
		return STEP_DONE;
	if (a->bad_use)
		return done_no(c, "USEATTR", "a mailbox cannot be given this use");
	if (!rights_create(s, c, a->name, &a->place))
		return STEP_DONE;
	if (a->use != STORE_USE_NONE && !place_is_own(s, a->place.user))
		return done_no(c, "USEATTR", "special uses are for one's own mailboxes");
	return command_wait(c, store_create(a->place.user, a->place.name, a->use,
	    session_done(s, on_created)));
}

/* --- DELETE, RENAME --- */

static void
on_deleted(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	const struct place *p = s->command->args;

	if (r->code == STORE_OK && place_is_selected(s, p->user, r->mailbox))
		s->box->deleted = true;
	on_done(ctx, r);
}

enum step
cmd_delete_run(struct imap_session *s, struct command *c)
{
	const struct str *name = c->args;
	struct place *p = ARENA_NEW(&c->arena, struct place);

	if (!rights_find(s, c, *name, STORE_RIGHT_DELETE_BOX, REFUSED_HERE, p))
		return STEP_DONE;
	c->args = p;
	return command_wait(c, store_delete(p->user, p->name, session_done(s, on_deleted)));
}

bool
cmd_rename_parse(struct lex *l, struct command *c)
{
	struct rename_args *a = ARENA_NEW(&c->arena, struct rename_args);

	c->args = a;
	lex_sp(l);
	a->from = lex_mailbox(l, c);
	lex_sp(l);
	a->to = without_separator(lex_mailbox(l, c));
	return lex_ok(l);
}

enum step
cmd_rename_run(struct imap_session *s, struct command *c)
{
	const struct rename_args *a = c->args;
	struct place from, to;

	if (a->from.n == 0)
		return done_no(c, "NONEXISTENT", "no such mailbox");
	if (!is_name(c, a->to) || !rights_rename(s, c, a->from, a->to, &from, &to))
		return STEP_DONE;
	return command_wait(c, store_rename(from.user, from.name, to.name, session_done(s, on_done)));
}

/* --- subscriptions --- */

enum step
cmd_subscribe_run(struct imap_session *s, struct command *c)
{
	struct str *name = c->args;

	if (!is_name(c, without_separator(*name)))
		return STEP_DONE;
	return command_wait(c, store_subscribe(s->setup.user, without_separator(*name), true, session_done(s, on_done)));
}

enum step
cmd_unsubscribe_run(struct imap_session *s, struct command *c)
{
	struct str *name = c->args;

	if (name->n == 0)
		return done_no(c, "NONEXISTENT", "no such mailbox");
	return command_wait(c, store_subscribe(s->setup.user, without_separator(*name), false, session_done(s, on_done)));
}
