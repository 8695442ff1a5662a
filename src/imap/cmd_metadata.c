/* cmd_metadata.c - GETMETADATA and SETMETADATA (RFC 5464 4.2, 4.3). */
#include "commands.h"
#include "metadata.h"
#include "names.h"
#include "rights.h"

/* mailbox: the empty string is the server; what no name can be is not. */
struct metadata_place {
	struct str name;
	bool server;
	struct place found; /* mailbox 0: the server */
};

static void
lex_place(struct lex *l, struct command *c, struct metadata_place *p)
{
	struct cur before = l->c;

	p->server = lex_astring(l).n == 0;
	if (!lex_ok(l))
		return;
	l->c = before;
	p->name = lex_mailbox(l, c);
}

static bool
may_annotate(const struct imap_session *s, struct store_view *v, struct command *c, const struct metadata_place *p)
{
	if (p->server)
		return true;
	if (p->found.mailbox == 0) {
		done_no(c, "NONEXISTENT", "no such mailbox");
		return false;
	}
	return rights_annotate(s, c, v, p->found.mailbox);
}

/* A view of its owner's index; NULL with the reply set. */
static struct store_view *
find_place(struct imap_session *s, struct command *c, struct metadata_place *p)
{
	struct store_view *v = place_look(s, c, p->name, &p->found);

	if (v == NULL || may_annotate(s, v, c, p))
		return v;
	store_view_close(v);
	return NULL;
}

/* --- GETMETADATA --- */

struct get_args {
	struct metadata_place place;
	struct metadata_ask ask;
};

static void
get_depth(struct lex *l, struct get_args *a)
{
	static const struct {
		const char *word;
		enum metadata_depth depth;
	} depths[] = { { "0", DEPTH_0 }, { "1", DEPTH_1 }, { "infinity", DEPTH_INFINITY } };

	for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
		if (lex_word(l, depths[i].word)) {
			a->ask.depth = depths[i].depth;
			return;
		}
	}
	lex_fail(l, "expected 0, 1 or infinity");
}

/* "(" option *(SP option) ")", each at most once and in any order. */
static void
get_options(struct lex *l, struct get_args *a)
{
	bool maxsize = false, depth = false;

	lex_want(l, '(');
	do {
		if (!maxsize && lex_word(l, "MAXSIZE") && lex_sp(l)) {
			maxsize = true;
			a->ask.maxsize = lex_number64(l);
		} else if (!depth && lex_word(l, "DEPTH") && lex_sp(l)) {
			depth = true;
			get_depth(l, a);
		} else {
			lex_fail(l, "unknown option");
		}
	} while (lex_ok(l) && lex_take(l, ' '));
	lex_want(l, ')');
}

/* Options come before the mailbox by the grammar of RFC 5464 5, and behind it in the examples of 4.2.1 and 4.2.2: both
 * are taken. A list of entries begins with "/", quotes or a literal. */
static bool
at_options(const struct lex *l)
{
	return cur_left(&l->c) > 1 && l->c.p[0] == '(' && ascii_is_alpha(l->c.p[1]);
}

bool
cmd_getmetadata_parse(struct lex *l, struct command *c)
{
	struct get_args *a = ARENA_NEW(&c->arena, struct get_args);

	c->args = a;
	a->ask.maxsize = UINT64_MAX;
	lex_sp(l);
	if (at_options(l)) {
		get_options(l, a);
		lex_sp(l);
		lex_place(l, c, &a->place);
		lex_sp(l);
	} else {
		lex_place(l, c, &a->place);
		lex_sp(l);
		if (at_options(l)) {
			get_options(l, a);
			lex_sp(l);
		}
	}
	lex_entries(l, &a->ask);
	return lex_ok(l);
}

enum step
cmd_getmetadata_run(struct imap_session *s, struct command *c)
{
	struct get_args *a = c->args;
	struct store_view *v = find_place(s, c, &a->place);
	uint32_t mailbox = a->place.found.mailbox;

	if (v == NULL)
		return STEP_DONE;
	metadata_write(s, v, mailbox, mailbox != 0 ? place_name(s, v, mailbox, &c->arena) : STR(""), &a->ask, &c->arena);
	done_ok(c, "done");
	if (a->ask.longest > 0)
		c->reply.code = arena_strf(&c->arena, "METADATA LONGENTRIES %llu", (unsigned long long)a->ask.longest);
	store_view_close(v);
	return STEP_DONE;
}

/* --- SETMETADATA --- */

enum { LOSERS_MAX = 16 }; /* mailboxes told of that lose a special use; hardly ever more than one has it */

struct set_args {
	struct metadata_place place;
	struct store_annotation *all; /* entries that are kept */
	size_t n;
	bool sets_use;                /* /private/specialuse was among them … */
	struct str use;               /* … with this value */
	enum store_use to_use;
	struct str losers[LOSERS_MAX]; /* mailboxes that have this use now */
	size_t nlosers;
};

/* entry SP value; value: nstring / literal8 */
static void
entry_value(struct lex *l, struct set_args *a)
{
	struct store_annotation got = { .entry = lex_entry(l) };

	if (lex_ok(l) && !store_entry_ok(got.entry))
		lex_fail(l, "bad name of an entry");
	lex_sp(l);
	got.set = !lex_word(l, "NIL");
	if (got.set)
		got.value = lex_string8(l);
	if (a->place.server || !str_eq(got.entry, STR(STORE_ENTRY_USE))) {
		a->all[a->n++] = got;
		return;
	}
	a->sets_use = true;
	a->use = got.value;
}

bool
cmd_setmetadata_parse(struct lex *l, struct command *c)
{
	struct set_args *a = ARENA_NEW(&c->arena, struct set_args);
	size_t n = 0;

	c->args = a;
	a->all = arena_array(&c->arena, METADATA_ENTRIES_MAX, sizeof *a->all);
	lex_sp(l);
	lex_place(l, c, &a->place);
	lex_sp(l);
	lex_want(l, '(');
	do {
		if (n++ == METADATA_ENTRIES_MAX)
			return lex_fail(l, "too many entries");
		entry_value(l, a);
	} while (lex_ok(l) && lex_take(l, ' '));
	lex_want(l, ')');
	return lex_ok(l);
}

/* RFC 6154 5.4: what changed by itself. */
static void
tell_losers(struct imap_session *s, const struct set_args *a)
{
	for (size_t i = 0; i < a->nlosers; i++) {
		buf_add_cstr(&s->out, "* METADATA ");
		out_mailbox(&s->out, a->losers[i], session_names(s));
		buf_add_cstr(&s->out, " (" STORE_ENTRY_USE " NIL)\r\n");
	}
}

static void
on_set(void *ctx, const struct store_result *r)
{
	struct imap_session *s = ctx;
	struct command *c = command_answered(s);

	if (r->code == STORE_OK)
		tell_losers(s, c->args);

	if (r->code == STORE_LIMIT)
		done_no(c, "METADATA TOOMANY", "no room for more annotations");
	else if (r->code != STORE_OK)
		done_refused(c, r, REFUSED_HERE);
	else
		done_ok(c, "done");
	command_finish(s);
}

/* What is the operator's, for it is shared by all users. */
static bool
is_readonly(const struct set_args *a, struct str entry)
{
	return a->place.server && !str_starts(entry, STR("/private/"));
}

/* One attribute that a mailbox can be given (as in CREATE), or none; INBOX is what it is. */
static bool
is_good_use(struct set_args *a)
{
	a->to_use = a->use.n > 0 ? store_use_find(a->use) : STORE_USE_NONE;
	if (a->use.n == 0)
		return true;
	return a->to_use != STORE_USE_NONE && a->to_use != STORE_USE_ALL && a->to_use != STORE_USE_FLAGGED &&
	    !str_eq_nocase(a->place.name, STR("INBOX"));
}

static void
find_losers(struct store_view *v, struct arena *arena, struct set_args *a, uint32_t mailbox)
{
	struct store_entry *entries;
	size_t n = store_list(v, arena, &entries);

	for (size_t i = 0; i < n && a->nlosers < LOSERS_MAX && a->to_use != STORE_USE_NONE; i++)
		if (entries[i].use == a->to_use && entries[i].mailbox != 0 && entries[i].mailbox != mailbox)
			a->losers[a->nlosers++] = entries[i].name;
}

static bool
has_private(const struct set_args *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (!str_starts(a->all[i].entry, STR("/shared/")))
			return true;
	return a->sets_use;
}

/* True with the reply set: it may not be. */
static bool
is_refused(const struct imap_session *s, struct command *c, struct set_args *a)
{
	if (!place_is_own(s, a->place.found.user) && has_private(a)) {
		done_no(c, "METADATA NOPRIVATE", "a guest has no annotations of his own here"); /* RFC 5464 4.3 */
		return true;
	}
	if (a->sets_use && !is_good_use(a)) {
		done_no(c, "USEATTR", "the mailbox cannot be given this use");
		return true;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (is_readonly(a, a->all[i].entry)) {
			done_no(c, "NOPERM", "the entry cannot be changed");
			return true;
		}
		if (a->all[i].value.n > STORE_VALUE_MAX) {
			done_no(c, "", "a value is too large");
			c->reply.code = arena_strf(&c->arena, "METADATA MAXSIZE %u", STORE_VALUE_MAX);
			return true;
		}
	}
	return false;
}

enum step
cmd_setmetadata_run(struct imap_session *s, struct command *c)
{
	struct set_args *a = c->args;
	struct store_view *v = find_place(s, c, &a->place);
	const struct place *p = &a->place.found;
	bool ok;

	if (v == NULL)
		return STEP_DONE;
	ok = !is_refused(s, c, a);
	if (ok && a->sets_use)
		find_losers(v, &c->arena, a, p->mailbox);
	store_view_close(v);
	if (!ok)
		return STEP_DONE;
	return command_wait(c, store_set_metadata(p->user, p->mailbox, a->all, a->n, a->sets_use ? &a->to_use : NULL,
	    session_done(s, on_set)));
}
