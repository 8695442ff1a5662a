/* list_parse.c - the grammar of LIST and LSUB (RFC 9051 6.3.9, RFC 5258, RFC 5819, RFC 6154). Options are rows. */
#include "list.h"

#include "commands.h"
#include "names.h"
#include "rows.h"
#include "status.h"

struct list_row {
	const char *name;
	unsigned option;
	const char *capability;
	const char *rfc;
};

static const struct list_row select_rows[] = {
	{ "SUBSCRIBED", LIST_SELECT_SUBSCRIBED | LIST_RETURN_SUBSCRIBED, "LIST-EXTENDED", "RFC 9051 6.3.9.1, RFC 5258 3.1" },
	{ "REMOTE", LIST_REMOTE, "LIST-EXTENDED", "RFC 9051 6.3.9.1, RFC 5258 3.1" },
	{ "RECURSIVEMATCH", LIST_RECURSIVE, "LIST-EXTENDED", "RFC 9051 6.3.9.1, RFC 5258 3.1" },
	{ "SPECIAL-USE", LIST_SELECT_USE | LIST_RETURN_USE, "SPECIAL-USE", "RFC 6154 2" },
};

static const struct list_row return_rows[] = {
	{ "SUBSCRIBED", LIST_RETURN_SUBSCRIBED, "LIST-EXTENDED", "RFC 9051 6.3.9.2, RFC 5258 3.2" },
	{ "CHILDREN", LIST_RETURN_CHILDREN, "CHILDREN", "RFC 9051 6.3.9.5, RFC 3348 3" },
	{ "SPECIAL-USE", LIST_RETURN_USE, "SPECIAL-USE", "RFC 6154 2" },
	{ "STATUS", LIST_RETURN_STATUS, "LIST-STATUS", "RFC 5819 2" },
	{ "MYRIGHTS", LIST_RETURN_MYRIGHTS, "LIST-MYRIGHTS", "RFC 8440 3" },
	{ "METADATA", LIST_RETURN_METADATA, "LIST-METADATA", "RFC 9590 3" },
};

#define ROWS(table) (sizeof(table) / sizeof(*(table)))

void
list_rows(const struct rows *r)
{
	for (size_t i = 0; i < ROWS(select_rows); i++)
		rows_show(r, "LIST selection option", str_of(select_rows[i].name), select_rows[i].capability, select_rows[i].rfc);
	for (size_t i = 0; i < ROWS(return_rows); i++)
		rows_show(r, "LIST return option", str_of(return_rows[i].name), return_rows[i].capability, return_rows[i].rfc);
}

static unsigned
option(struct lex *l, const struct list_row *rows, size_t n)
{
	struct str name = lex_atom(l);

	for (size_t i = 0; i < n && lex_ok(l); i++)
		if (str_eq_nocase(name, str_of(rows[i].name)))
			return rows[i].option;
	lex_fail(l, "unknown LIST option");
	return 0;
}

/* A return option with its argument. */
static void
return_option(struct lex *l, struct list_args *a)
{
	unsigned o = option(l, return_rows, ROWS(return_rows));

	a->options |= o;
	if (o == LIST_RETURN_STATUS) {
		lex_sp(l);
		a->status |= lex_status_items(l);
	}
	if (o == LIST_RETURN_METADATA) {
		lex_sp(l);
		a->metadata.maxsize = UINT64_MAX;
		lex_entries(l, &a->metadata);
	}
}

static void
select_option(struct lex *l, struct list_args *a)
{
	a->options |= option(l, select_rows, ROWS(select_rows));
}

/* "(" [option *(SP option)] ")" */
static void
options(struct lex *l, struct list_args *a, void (*one)(struct lex *l, struct list_args *a))
{
	unsigned n = 0;

	a->options |= LIST_EXTENDED;
	lex_want(l, '(');
	while (lex_ok(l) && cur_peek(&l->c) != ')') {
		if (n++ > 0)
			lex_sp(l);
		if (n > LIST_OPTIONS_MAX)
			lex_fail(l, "too many options");
		one(l, a);
	}
	lex_want(l, ')');
}

static void
keep_pattern(struct command *c, struct list_args *a, struct str pattern)
{
	a->patterns[a->n++] = arena_str(&c->arena, pattern);
	a->bytes += pattern.n;
}

/* The canonical pattern is reference and pattern put together; one that decodes to no name matches nothing. */
static void
add_pattern(struct command *c, struct list_args *a, struct str pattern)
{
	struct buf whole;
	struct buf name;

	if (pattern.n == 0)
		return;
	buf_init(&whole, NAME_BYTES_MAX);
	buf_init(&name, NAME_BYTES_MAX);
	buf_add(&whole, a->reference);
	buf_add(&whole, pattern);
	if (!whole.over && name_from_client(&name, buf_str(&whole), c->names) && !name.over)
		keep_pattern(c, a, buf_str(&name));
	buf_fini(&name);
	buf_fini(&whole);
}

/* patterns: a parenthesized list (RFC 5258 6). */
static void
pattern_list(struct lex *l, struct command *c, struct list_args *a)
{
	unsigned n = 0;

	a->options |= LIST_EXTENDED;
	lex_want(l, '(');
	do {
		struct str pattern = lex_pattern(l);

		if (++n > LIST_PATTERNS_MAX)
			lex_fail(l, "too many patterns");
		if (lex_ok(l))
			add_pattern(c, a, pattern);
	} while (lex_ok(l) && lex_take(l, ' '));
	lex_want(l, ')');
}

/* SP mailbox SP mbox-or-pat; the reference stays as the client spells it until it is put before a pattern. */
static struct str
reference_and_patterns(struct lex *l, struct command *c, struct list_args *a)
{
	struct str pattern = { 0 };

	lex_sp(l);
	a->reference = lex_astring(l);
	a->patterns = arena_array(&c->arena, LIST_PATTERNS_MAX, sizeof(*a->patterns));
	lex_sp(l);
	if (a->reference.n > NAME_BYTES_MAX)
		lex_fail(l, "reference too long");
	if (cur_peek(&l->c) == '(') {
		pattern_list(l, c, a);
		return STR("(");
	}
	pattern = lex_pattern(l);
	if (lex_ok(l))
		add_pattern(c, a, pattern);
	return pattern;
}

bool
cmd_list_parse(struct lex *l, struct command *c)
{
	struct list_args *a = ARENA_NEW(&c->arena, struct list_args);
	struct str pattern;

	c->args = a;
	c->fini = list_fini;
	if (cur_left(&l->c) > 1 && l->c.p[1] == '(') {
		lex_sp(l);
		options(l, a, select_option);
	}
	pattern = reference_and_patterns(l, c, a);
	if (lex_take(l, ' ')) {
		if (!lex_word(l, "RETURN"))
			lex_fail(l, "expected RETURN");
		lex_sp(l);
		options(l, a, return_option);
	}
	c->condstore = status_has_modseq(a->status);
	a->root = pattern.n == 0 && !(a->options & LIST_EXTENDED);
	if (lex_ok(l) && a->options & LIST_RECURSIVE && !(a->options & LIST_CRITERIA))
		lex_fail(l, "RECURSIVEMATCH needs another option");
	return lex_ok(l);
}

/* LSUB is LIST (SUBSCRIBED) with another word for parents (RFC 3501 6.3.9). */
bool
cmd_lsub_parse(struct lex *l, struct command *c)
{
	struct list_args *a = ARENA_NEW(&c->arena, struct list_args);

	c->args = a;
	c->fini = list_fini;
	reference_and_patterns(l, c, a);
	a->options = LIST_LSUB | LIST_SELECT_SUBSCRIBED | LIST_RECURSIVE;
	return lex_ok(l);
}
