/* filter.c - reading filters and asking them. */
#include "filter.h"

#include <stdlib.h>

#include "names.h"
#include "owners.h"

static const struct {
	const char *name;
	enum filter_kind kind;
} kinds[] = {
	{ "SELECTED", FILTER_SELECTED },
	{ "SELECTED-DELAYED", FILTER_SELECTED_DELAYED },
	{ "INBOXES", FILTER_INBOXES },
	{ "PERSONAL", FILTER_PERSONAL },
	{ "SUBSCRIBED", FILTER_SUBSCRIBED },
	{ "SUBTREE", FILTER_SUBTREE },
	{ "SUBTREE-ONE", FILTER_SUBTREE_ONE },
	{ "MAILBOXES", FILTER_MAILBOXES },
};

static enum filter_kind
kind_of(struct lex *l, unsigned allowed)
{
	struct str name = lex_atom(l);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (str_eq_nocase(name, str_of(kinds[i].name)) && kinds[i].kind & allowed)
			return kinds[i].kind;
	lex_fail(l, "expected which mailboxes");
	return 0;
}

static void
add_name(struct lex *l, struct command *c, struct filter *f)
{
	if (f->n == FILTER_NAMES_MAX) {
		lex_fail(l, "too many mailbox names");
		return;
	}
	f->names[f->n++] = name_of_store(&c->arena, lex_mailbox(l, c));
}

static int
name_order(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* SP (mailbox / "(" mailbox *(SP mailbox) ")") */
static void
names(struct lex *l, struct command *c, struct filter *f)
{
	f->names = arena_array(&c->arena, FILTER_NAMES_MAX, sizeof(*f->names));
	lex_sp(l);
	if (!lex_take(l, '(')) {
		add_name(l, c, f);
		return;
	}
	do
		add_name(l, c, f);
	while (lex_ok(l) && lex_take(l, ' '));
	lex_want(l, ')');
	qsort(f->names, f->n, sizeof(*f->names), name_order);
}

struct filter
lex_filter(struct lex *l, struct command *c, unsigned allowed)
{
	struct filter f = { .kind = kind_of(l, allowed) };

	if (lex_ok(l) && f.kind & (FILTER_SUBTREE | FILTER_SUBTREE_ONE | FILTER_MAILBOXES))
		names(l, c, &f);
	return f;
}

static bool
has_name(const struct filter *f, struct str name)
{
	return f->n > 0 && bsearch(&name, f->names, f->n, sizeof(*f->names), name_order) != NULL;
}

static struct str
parent_of(struct str name)
{
	size_t slash = str_rfind(name, '/');

	return str_sub(name, 0, slash < name.n ? slash : 0);
}

/* Itself or any level above it. */
static bool
is_below(const struct filter *f, struct str name)
{
	for (; name.n > 0; name = parent_of(name))
		if (has_name(f, name))
			return true;
	return false;
}

/* RFC 5465 6.3: mail can be delivered to any of a user's own mailboxes. */
bool
filter_has(const struct filter *f, struct str name, enum whose whose, bool subscribed)
{
	switch (f->kind) {
	case FILTER_INBOXES:
	case FILTER_PERSONAL:
		return whose == WHOSE_OWN;
	case FILTER_SUBSCRIBED:
		return subscribed;
	case FILTER_SUBTREE:
		return is_below(f, name);
	case FILTER_SUBTREE_ONE:
		return has_name(f, name) || has_name(f, parent_of(name));
	case FILTER_MAILBOXES:
		return has_name(f, name);
	default:
		return false;
	}
}

bool
filter_means_others(const struct imap_session *s, const struct filter *f)
{
	struct str owner, rest;

	if (f->kind == FILTER_SUBSCRIBED)
		return true;
	for (size_t i = 0; i < f->n && f->kind & (FILTER_SUBTREE | FILTER_SUBTREE_ONE); i++)
		if (owners_split(s, f->names[i], &owner, &rest) && rest.n == 0)
			return true;
	return false;
}
