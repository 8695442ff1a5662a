/* metadata.c - entries in commands and METADATA responses (RFC 5464 3.2, 4.2, 4.4.1, 5). What is computed rather than
 * kept stands in tables: the special use of a mailbox (RFC 6154 4), the server's /shared/admin and /shared/comment. */
#include "metadata.h"

#include <postern/message/address.h>

#include "names.h"

/* --- names of entries --- */

/* Below which everything lies, and what may be asked for as a whole. */
static bool
has_scope(struct str entry)
{
	return str_eq(entry, STR("/private")) || str_eq(entry, STR("/shared")) || str_starts(entry, STR("/private/")) ||
	    str_starts(entry, STR("/shared/"));
}

static bool
is_entry(struct str entry)
{
	for (size_t i = 0; i < entry.n; i++)
		if (!ascii_is_print(entry.p[i]) || entry.p[i] == '*' || entry.p[i] == '%')
			return false;
	return entry.n <= STORE_ENTRY_SIZE && has_scope(entry) && entry.p[entry.n - 1] != '/' &&
	    str_search(entry, STR("//")) == entry.n;
}

/* entry: an astring, compared without case (RFC 5464 3.2); here in lower case. */
struct str
lex_entry(struct lex *l)
{
	struct str entry = arena_lower(l->arena, lex_astring(l));

	if (lex_ok(l) && !is_entry(entry))
		lex_fail(l, "bad name of an entry");
	return entry;
}

void
lex_entries(struct lex *l, struct metadata_ask *ask)
{
	bool list = lex_take(l, '(');

	ask->entries = arena_array(l->arena, METADATA_ENTRIES_MAX, sizeof *ask->entries);
	ask->n = 0;
	do {
		if (ask->n == METADATA_ENTRIES_MAX) {
			lex_fail(l, "too many entries");
			return;
		}
		ask->entries[ask->n++] = lex_entry(l);
	} while (list && lex_ok(l) && lex_take(l, ' '));
	if (list)
		lex_want(l, ')');
}

/* --- what there is --- */

enum { COMPUTED_MAX = 2 };

static size_t
compute_server(const struct imap_session *s, struct arena *a, struct store_annotation *to)
{
	struct str local, domain;
	size_t n = 0;

	if (address_split(store_user_address(s->setup.user), &local, &domain))
		to[n++] = (struct store_annotation){ STR("/shared/admin"), arena_strf(a, "mailto:postmaster@%.*s", STR_ARG(domain)),
			true };
	if (s->setup.comment.n > 0)
		to[n++] = (struct store_annotation){ STR("/shared/comment"), s->setup.comment, true };
	return n;
}

static size_t
compute_mailbox(struct store_view *v, uint32_t mailbox, struct store_annotation *to)
{
	struct store_mailbox m;

	if (!store_mailbox(v, mailbox, &m) || m.use == STORE_USE_NONE)
		return 0;
	*to = (struct store_annotation){ STR(STORE_ENTRY_USE), store_use_attribute(m.use), true };
	return 1;
}

/* What is private is the owner's. */
static size_t
keep_shared(struct store_annotation *all, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (str_starts(all[i].entry, STR("/shared/")))
			all[kept++] = all[i];
	return kept;
}

/* What is kept and what is computed. */
static size_t
find_all(struct imap_session *s, struct store_view *v, uint32_t mailbox, struct arena *a, struct store_annotation **all)
{
	struct store_annotation *kept;
	size_t n = store_metadata_list(v, mailbox, a, &kept);

	*all = arena_array(a, n + COMPUTED_MAX, sizeof **all);
	if (n > 0)
		memcpy(*all, kept, n * sizeof **all);
	if (!str_eq(store_view_owner(v), store_user_address(s->setup.user)))
		return keep_shared(*all, n);
	return n + (mailbox == 0 ? compute_server(s, a, *all + n) : compute_mailbox(v, mailbox, *all + n));
}

/* --- what is asked for --- */

/* The entry is the one that was named, or below it as deep as DEPTH says (RFC 5464 4.2.2). */
static bool
covers(struct str named, enum metadata_depth depth, struct str entry)
{
	struct str rest;

	if (!str_starts(entry, named))
		return false;
	rest = str_sub(entry, named.n, entry.n);
	if (rest.n == 0)
		return true;
	return rest.p[0] == '/' && (depth == DEPTH_INFINITY || (depth == DEPTH_1 && !str_has(str_sub(rest, 1, rest.n), '/')));
}

static bool
is_asked(const struct metadata_ask *ask, struct str entry)
{
	for (size_t i = 0; i < ask->n; i++)
		if (covers(ask->entries[i], ask->depth, entry))
			return true;
	return false;
}

/* Nothing is there by this name or below it, and it was not named before. */
static bool
is_missing(const struct metadata_ask *ask, size_t at, const struct store_annotation *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (covers(ask->entries[at], ask->depth, all[i].entry))
			return false;
	for (size_t i = 0; i < at; i++)
		if (str_eq(ask->entries[i], ask->entries[at]))
			return false;
	return true;
}

/* --- the response --- */

enum { QUOTED_MAX = 1000 };

/* value: nstring / literal8, in the simplest form that can hold it. */
static void
out_value(struct buf *out, struct str value)
{
	bool plain = value.n <= QUOTED_MAX;

	for (size_t i = 0; i < value.n && plain; i++)
		plain = ascii_is_print(value.p[i]);
	if (plain) {
		out_quoted(out, value);
		return;
	}
	buf_addf(out, "%s{%zu}\r\n", str_has(value, '\0') ? "~" : "", value.n);
	buf_add(out, value);
}

struct response {
	struct imap_session *s;
	struct str name;
	bool begun;
};

static void
add_entry(struct response *r, struct str entry, const struct str *value)
{
	struct buf *out = &r->s->out;

	if (r->begun) {
		buf_add_char(out, ' ');
	} else {
		buf_add_cstr(out, "* METADATA ");
		out_mailbox(out, r->name, session_names(r->s));
		buf_add_cstr(out, " (");
		r->begun = true;
	}
	out_astring(out, entry);
	buf_add_char(out, ' ');
	if (value != NULL)
		out_value(out, *value);
	else
		buf_add_cstr(out, "NIL");
}

void
metadata_write(struct imap_session *s, struct store_view *v, uint32_t mailbox, struct str name, struct metadata_ask *ask,
    struct arena *a)
{
	struct response r = { s, name, false };
	struct store_annotation *all;
	size_t n = find_all(s, v, mailbox, a, &all);

	for (size_t i = 0; i < n; i++) {
		if (!is_asked(ask, all[i].entry))
			continue;
		if (all[i].value.n <= ask->maxsize)
			add_entry(&r, all[i].entry, &all[i].value);
		else if (all[i].value.n > ask->longest)
			ask->longest = all[i].value.n;
	}
	for (size_t i = 0; i < ask->n; i++)
		if (is_missing(ask, i, all, n))
			add_entry(&r, ask->entries[i], NULL);
	if (r.begun)
		buf_add_cstr(&s->out, ")\r\n");
}
