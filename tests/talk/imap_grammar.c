/* imap_grammar.c - responses but FETCH: RFC 9051 7 and 9, RFC 3501 9 for what IMAP4rev1 has besides. */
#include "imap_grammar.h"

#include <postern/core/utf8.h>

void
grammar_init(struct grammar *g)
{
	*g = (struct grammar){ 0 };
	buf_init(&g->bytes, SIZE_MAX);
	buf_init(&g->why, 4096);
}

void
grammar_fini(struct grammar *g)
{
	buf_fini(&g->bytes);
	buf_fini(&g->why);
}

/* --- tokens --- */

bool
say_fail(struct say *s, const char *why)
{
	return cur_fail(&s->c, why);
}

void
say_want(struct say *s, const char *text)
{
	cur_want(&s->c, text);
}

void
say_sp(struct say *s)
{
	cur_want(&s->c, " ");
}

static bool
is_atom_char(char c)
{
	return ascii_is_print(c) && c != ' ' && strchr("(){%*\"\\]", c) == NULL;
}

static bool
is_astring_char(char c)
{
	return is_atom_char(c) || c == ']';
}

struct str
say_atom(struct say *s)
{
	return cur_want_while(&s->c, is_atom_char, SIZE_MAX, "atom");
}

uint64_t
say_number(struct say *s)
{
	return cur_number(&s->c, INT64_MAX);
}

uint64_t
say_nz_number(struct say *s)
{
	uint64_t n = cur_number(&s->c, UINT32_MAX);

	if (n == 0)
		say_fail(s, "nz-number");
	return n;
}

static struct str
quoted(struct say *s)
{
	struct str rest = cur_rest(&s->c);
	size_t n = 0;

	while (n < rest.n && rest.p[n] != '"') {
		if (rest.p[n] == '\\' && ++n < rest.n && rest.p[n] != '"' && rest.p[n] != '\\')
			say_fail(s, "escape");
		if (n < rest.n && (rest.p[n] == '\r' || rest.p[n] == '\n' || rest.p[n] == '\0'))
			say_fail(s, "control in quoted string");
		n++;
	}
	rest = str_sub(rest, 0, n);
	if (s->g->utf8 ? !utf8_valid(rest) : !ascii_only(rest))
		say_fail(s, "8-bit in quoted string");
	cur_bytes(&s->c, n);
	cur_want(&s->c, "\"");
	return rest;
}

/* literal: no "+", no NUL (RFC 9051 9, CHAR8). */
static struct str
literal(struct say *s)
{
	uint64_t n;
	struct str bytes;

	cur_want(&s->c, "{");
	n = say_number(s);
	cur_want(&s->c, "}\r\n");
	bytes = cur_bytes(&s->c, n);
	if (str_has(bytes, '\0'))
		say_fail(s, "NUL in literal");
	return bytes;
}

struct str
say_string(struct say *s)
{
	return cur_take(&s->c, "\"") ? quoted(s) : literal(s);
}

struct str
say_astring(struct say *s)
{
	int c = cur_peek(&s->c);

	return c == '"' || c == '{' ? say_string(s) : cur_want_while(&s->c, is_astring_char, SIZE_MAX, "astring");
}

bool
say_nil(struct say *s)
{
	return cur_take(&s->c, "NIL");
}

void
say_nstring(struct say *s)
{
	if (!say_nil(s))
		say_string(s);
}

static void
flag(struct say *s)
{
	if (cur_take(&s->c, "\\*"))
		return;
	cur_take(&s->c, "\\");
	say_atom(s);
}

void
say_flags(struct say *s)
{
	say_want(s, "(");
	if (cur_take(&s->c, ")"))
		return;
	do
		flag(s);
	while (cur_take(&s->c, " "));
	say_want(s, ")");
}

/* --- pieces of responses --- */

static void
words(struct say *s)
{
	while (cur_take(&s->c, " "))
		say_atom(s);
}

/* uid-set, sequence-set without "*": ascending is not demanded. How many numbers it names. */
static uint64_t
number_set(struct say *s)
{
	uint64_t n = 0;

	do {
		uint64_t first = say_nz_number(s);
		uint64_t last = cur_take(&s->c, ":") ? say_nz_number(s) : first;

		n += (last > first ? last - first : first - last) + 1;
	} while (cur_take(&s->c, ","));
	return n;
}

static void
text(struct say *s)
{
	struct str rest = cur_rest(&s->c);

	if (rest.n == 0 || str_has(rest, '\r') || str_has(rest, '\n') || str_has(rest, '\0'))
		say_fail(s, "text");
	if (s->g->utf8 ? !utf8_valid(rest) : !ascii_only(rest))
		say_fail(s, "8-bit in text");
	cur_bytes(&s->c, rest.n);
}

static void
code_copyuid(struct say *s)
{
	say_sp(s);
	say_nz_number(s);
	say_sp(s);
	number_set(s);
	say_sp(s);
	number_set(s);
}

static void
code_appenduid(struct say *s)
{
	say_sp(s);
	say_nz_number(s);
	say_sp(s);
	number_set(s);
}

/* A message number. */
static void
code_unseen(struct say *s)
{
	say_sp(s);
	say_nz_number(s);
	if (s->g->uidonly)
		say_fail(s, "no message number");
}

static void
code_number(struct say *s)
{
	say_sp(s);
	say_nz_number(s);
}

/* RFC 9585 5: the goal is above what is done. */
static void
code_progress(struct say *s)
{
	uint64_t done;

	if (!cur_take(&s->c, " ("))
		return;
	if (!say_nil(s))
		say_string(s);
	say_sp(s);
	if (!cur_take(&s->c, "NIL NIL")) {
		done = say_number(s);
		say_sp(s);
		if (!say_nil(s) && say_nz_number(s) <= done)
			say_fail(s, "a goal");
	}
	say_want(s, ")");
}

/* RFC 9738 5. */
static void
code_limit(struct say *s)
{
	say_sp(s);
	say_nz_number(s);
	if (cur_take(&s->c, " "))
		say_nz_number(s);
}

/* RFC 7162 7: mod-sequence-value. */
static void
code_modseq(struct say *s)
{
	say_sp(s);
	if (say_number(s) == 0)
		say_fail(s, "a mod-sequence above 0");
}

static bool
is_object_char(char c)
{
	return ascii_is_alnum(c) || c == '_' || c == '-';
}

/* "(" objectid ")" (RFC 8474 7). */
void
say_object(struct say *s)
{
	say_want(s, "(");
	cur_want_while(&s->c, is_object_char, 255, "objectid");
	say_want(s, ")");
}

static void
code_object(struct say *s)
{
	say_sp(s);
	say_object(s);
}

static void
code_set(struct say *s)
{
	say_sp(s);
	number_set(s);
}

/* RFC 5464 5 */
static void
code_metadata(struct say *s)
{
	say_sp(s);
	if (cur_take(&s->c, "LONGENTRIES ") || cur_take(&s->c, "MAXSIZE "))
		say_number(s);
	else if (!cur_take(&s->c, "TOOMANY"))
		say_want(s, "NOPRIVATE");
}

/* RFC 5465 8: unsupported-events-code */
static void
code_events(struct say *s)
{
	say_want(s, " (");
	do
		say_atom(s);
	while (cur_take(&s->c, " "));
	say_want(s, ")");
}

static void
code_quoted(struct say *s)
{
	say_sp(s);
	if (cur_peek(&s->c) != '"')
		say_fail(s, "quoted");
	say_string(s);
}

static void
code_flags(struct say *s)
{
	say_sp(s);
	say_flags(s);
}

static void
code_charsets(struct say *s)
{
	if (!cur_take(&s->c, " ("))
		return;
	do
		say_astring(s);
	while (cur_take(&s->c, " "));
	say_want(s, ")");
}

static void
nothing(struct say *s)
{
	(void)s;
}

/* RFC 4469 5: url-resp-text; the quotes of its examples are part of it. */
static bool
is_url_text(char c)
{
	return ascii_is_print(c) && c != ' ' && c != ']' && c != '\\';
}

static void
code_badurl(struct say *s)
{
	say_sp(s);
	cur_want_while(&s->c, is_url_text, SIZE_MAX, "url-resp-text");
}

static const struct {
	const char *name;
	void (*rest)(struct say *s);
} codes[] = {
	{ "ALERT", nothing }, { "ALREADYEXISTS", nothing }, { "APPENDUID", code_appenduid },
	{ "AUTHENTICATIONFAILED", nothing }, { "AUTHORIZATIONFAILED", nothing }, { "BADCHARSET", code_charsets },
	{ "BADURL", code_badurl },
	{ "CANNOT", nothing }, { "CAPABILITY", words }, { "CLIENTBUG", nothing }, { "CLOSED", nothing },
	{ "CONTACTADMIN", nothing }, { "COPYUID", code_copyuid }, { "CORRUPTION", nothing }, { "EXPIRED", nothing },
	{ "EXPUNGEISSUED", nothing }, { "HASCHILDREN", nothing }, { "HIGHESTMODSEQ", code_modseq }, { "INPROGRESS", code_progress }, { "INUSE", nothing },
	{ "LIMIT", nothing }, { "MESSAGELIMIT", code_limit }, { "MAILBOXID", code_object }, { "METADATA", code_metadata }, { "MODIFIED", code_set }, { "NONEXISTENT", nothing },
	{ "NOPERM", nothing }, { "NOTSAVED", nothing }, { "OVERQUOTA", nothing },
	{ "PARSE", nothing }, { "PERMANENTFLAGS", code_flags }, { "PRIVACYREQUIRED", nothing }, { "READ-ONLY", nothing },
	{ "READ-WRITE", nothing }, { "SERVERBUG", nothing }, { "TOOBIG", nothing }, { "TOOFEW", nothing }, { "TOOMANY", nothing }, { "TRYCREATE", nothing },
	{ "UIDNEXT", code_number }, { "UIDNOTSTICKY", nothing }, { "UIDREQUIRED", nothing }, { "UIDVALIDITY", code_number },
	{ "UNAVAILABLE", nothing },
	{ "NOUPDATE", code_quoted },
	{ "NOTIFICATIONOVERFLOW", nothing },
	{ "BADEVENT", code_events },
	{ "UNKNOWN-CTE", nothing }, { "UNSEEN", code_unseen }, { "USEATTR", nothing },
};

static void
resp_code(struct say *s)
{
	struct str name = say_atom(s);

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		if (str_eq(name, str_of(codes[i].name))) {
			codes[i].rest(s);
			say_want(s, "] ");
			return;
		}
	}
	say_fail(s, "unknown response code");
}

static void
resp_text(struct say *s)
{
	say_sp(s);
	if (cur_take(&s->c, "["))
		resp_code(s);
	text(s);
}

/* --- untagged responses by name --- */

static void
list_extension(struct say *s)
{
	say_want(s, "(");
	do {
		say_astring(s);
		say_want(s, " (");
		do
			say_astring(s);
		while (cur_take(&s->c, " "));
		say_want(s, ")");
	} while (cur_take(&s->c, " "));
	say_want(s, ")");
}

static void
list(struct say *s)
{
	say_sp(s);
	say_flags(s);
	say_want(s, " \"/\" ");
	say_astring(s);
	if (cur_take(&s->c, " "))
		list_extension(s);
}

static void
status(struct say *s)
{
	say_sp(s);
	say_astring(s);
	say_want(s, " (");
	do {
		say_atom(s);
		say_sp(s);
		if (cur_peek(&s->c) == '(')
			say_object(s);
		else if (!say_nil(s))
			say_number(s);
	} while (cur_take(&s->c, " "));
	say_want(s, ")");
}

/* RFC 9208 7. */
static void
quota(struct say *s)
{
	say_sp(s);
	say_astring(s);
	say_want(s, " (");
	while (cur_ok(&s->c) && cur_peek(&s->c) != ')') {
		say_atom(s);
		say_sp(s);
		say_number(s);
		say_sp(s);
		say_number(s);
		if (cur_peek(&s->c) != ')')
			say_sp(s);
	}
	say_want(s, ")");
}

static void
quotaroot(struct say *s)
{
	do {
		say_sp(s);
		say_astring(s);
	} while (cur_peek(&s->c) == ' ');
}

/* rights of RFC 4314 7: lower-case letters and digits. */
static void
rights(struct say *s)
{
	struct str letters;

	say_sp(s);
	letters = say_astring(s);
	for (size_t i = 0; i < letters.n; i++)
		if (!ascii_is_digit(letters.p[i]) && (letters.p[i] < 'a' || letters.p[i] > 'z'))
			say_fail(s, "rights");
}

/* acl-data */
static void
acl(struct say *s)
{
	say_sp(s);
	say_astring(s);
	while (cur_take(&s->c, " ")) {
		say_astring(s);
		rights(s);
	}
}

/* myrights-data */
static void
myrights(struct say *s)
{
	say_sp(s);
	say_astring(s);
	rights(s);
}

/* listrights-data */
static void
listrights(struct say *s)
{
	say_sp(s);
	say_astring(s);
	say_sp(s);
	say_astring(s);
	do
		rights(s);
	while (cur_peek(&s->c) == ' ');
}

/* value of RFC 5464 5: nstring / literal8. */
static void
metadata_value(struct say *s)
{
	if (!cur_take(&s->c, "~{")) {
		say_nstring(s);
		return;
	}
	uint64_t n = say_number(s);
	say_want(s, "}\r\n");
	cur_bytes(&s->c, n);
}

static void
metadata_entry(struct say *s)
{
	if (!str_starts(say_astring(s), STR("/")))
		say_fail(s, "the name of an entry");
}

/* metadata-resp of RFC 5464 5: entries with values, or what has changed. */
static void
metadata(struct say *s)
{
	bool values;

	say_sp(s);
	say_astring(s);
	say_sp(s);
	values = cur_take(&s->c, "(");
	do {
		metadata_entry(s);
		if (values) {
			say_sp(s);
			metadata_value(s);
		}
	} while (cur_take(&s->c, " "));
	if (values)
		say_want(s, ")");
}

/* Said at SELECT, before EXISTS (and whenever there is a new keyword). */
static void
flags(struct say *s)
{
	say_sp(s);
	say_flags(s);
	s->g->selecting = true;
}

static void
search(struct say *s)
{
	bool any = false;

	while (cur_take(&s->c, " ")) {
		if (any && cur_take(&s->c, "(MODSEQ")) {
			code_modseq(s);
			say_want(s, ")");
			return;
		}
		say_nz_number(s);
		any = true;
	}
}

/* ret-data-partial of RFC 9394 4, behind its "(". */
static void
partial(struct say *s)
{
	bool minus = cur_take(&s->c, "-");

	say_nz_number(s);
	say_want(s, minus ? ":-" : ":");
	say_nz_number(s);
	say_sp(s);
	if (!say_nil(s))
		number_set(s);
	say_want(s, ")");
}

/* ret-data-addto, ret-data-removefrom of RFC 5267 5, behind the "(": a position with its set, and more of them. */
static void
update(struct say *s)
{
	do {
		say_number(s);
		say_sp(s);
		number_set(s);
	} while (cur_take(&s->c, " "));
	say_want(s, ")");
}

/* score-list of RFC 6203 7, behind its "(". */
static void
scores(struct say *s)
{
	do {
		uint64_t score = say_nz_number(s);

		if (score > 100)
			say_fail(s, "a score above 100");
	} while (cur_take(&s->c, " "));
	say_want(s, ")");
}

static void
esearch_item(struct say *s)
{
	if (cur_take(&s->c, "ALL ")) {
		number_set(s);
	} else if (cur_take(&s->c, "PARTIAL (")) {
		partial(s);
	} else if (cur_take(&s->c, "ADDTO (") || cur_take(&s->c, "REMOVEFROM (")) {
		update(s);
	} else if (cur_take(&s->c, "COUNT ")) {
		say_number(s);
	} else if (cur_take(&s->c, "RELEVANCY (")) {
		scores(s);
	} else if (cur_take(&s->c, "MODSEQ")) {
		code_modseq(s);
	} else if (cur_take(&s->c, "MIN ") || cur_take(&s->c, "MAX ")) {
		say_nz_number(s);
	} else {
		say_want(s, "UID");
	}
}

/* RFC 7377 2.1: each once, all or none. */
static void
mailbox_correlators(struct say *s)
{
	say_want(s, " MAILBOX ");
	say_astring(s);
	say_want(s, " UIDVALIDITY ");
	say_nz_number(s);
	if (!str_starts(cur_rest(&s->c), STR(") UID")))
		say_fail(s, "UIDs where a mailbox is named");
}

static void
esearch(struct say *s)
{
	if (cur_take(&s->c, " (TAG ")) {
		say_astring(s);
		if (cur_peek(&s->c) == ' ')
			mailbox_correlators(s);
		say_want(s, ")");
	}
	if (s->g->uidonly)
		say_want(s, " UID");
	while (cur_take(&s->c, " "))
		esearch_item(s);
}

static void
namespaces(struct say *s)
{
	say_want(s, " ((\"\" \"/\"))");
	for (unsigned i = 0; i < 2; i++) {
		say_sp(s);
		if (say_nil(s))
			continue;
		say_want(s, "((");
		say_string(s);
		say_want(s, " \"/\"))");
	}
}

static void
id(struct say *s)
{
	say_sp(s);
	if (say_nil(s))
		return;
	say_want(s, "(");
	do {
		say_string(s);
		say_sp(s);
		say_nstring(s);
	} while (cur_take(&s->c, " "));
	say_want(s, ")");
}

static void
enabled(struct say *s)
{
	struct str rest = cur_rest(&s->c);

	words(s);
	s->g->utf8 |= str_search(rest, STR("IMAP4rev2")) < rest.n || str_search(rest, STR("UTF8=ACCEPT")) < rest.n;
	s->g->uidonly |= str_search(rest, STR("UIDONLY")) < rest.n;
	s->g->vanishes |= s->g->uidonly || str_search(rest, STR("QRESYNC")) < rest.n;
}

/* thread-list of RFC 5256 5: "(" (thread-members / thread-nested) ")"; nested lists are at least two. */
static void
thread_list(struct say *s)
{
	unsigned depth = 0;
	unsigned lists[200] = { 0 };

	do {
		say_want(s, "(");
		depth++;
		if (depth == 200) {
			say_fail(s, "threads that are not so deep");
			return;
		}
		lists[depth] = 0;
		while (cur_ok(&s->c) && cur_peek(&s->c) != '(' && cur_peek(&s->c) != ')') {
			say_nz_number(s);
			if (cur_peek(&s->c) != ')')
				say_sp(s);
		}
		for (; depth > 0 && cur_take(&s->c, ")"); depth--, lists[depth]++)
			if (lists[depth] == 1)
				say_fail(s, "no or several lists in a list");
	} while (depth > 0 && cur_ok(&s->c));
}

static void
thread(struct say *s)
{
	if (!cur_take(&s->c, " "))
		return;
	do
		thread_list(s);
	while (cur_peek(&s->c) == '(');
}

/* RFC 7162 3.2.10: without EARLIER each UID is one message less. */
static void
vanished(struct say *s)
{
	bool earlier = cur_take(&s->c, " (EARLIER)");
	uint64_t n;

	if (!s->g->vanishes)
		say_fail(s, "no VANISHED");
	say_sp(s);
	n = number_set(s);
	if (earlier)
		return;
	if (n > s->g->exists)
		say_fail(s, "no more UIDs than messages");
	else
		s->g->exists -= (uint32_t)n;
}

/* RFC 10022 3.1.2: ranges from the highest UID down, one right below the other. */
static void
uidbatches(struct say *s)
{
	uint64_t above = 0;

	say_want(s, " (TAG ");
	say_string(s);
	say_want(s, ")");
	if (!cur_take(&s->c, " "))
		return;
	do {
		uint64_t high = say_nz_number(s);
		uint64_t low;

		say_want(s, ":");
		low = say_nz_number(s);
		if (high < low || (above != 0 && high != above - 1))
			say_fail(s, "the next range below");
		above = low;
	} while (cur_take(&s->c, ","));
}

static const struct {
	const char *name;
	void (*rest)(struct say *s);
} untagged[] = {
	{ "OK", resp_text }, { "NO", resp_text }, { "BAD", resp_text }, { "BYE", resp_text }, { "CAPABILITY", words },
	{ "ENABLED", enabled }, { "FLAGS", flags }, { "LIST", list }, { "LSUB", list }, { "STATUS", status },
	{ "SEARCH", search }, { "ESEARCH", esearch }, { "NAMESPACE", namespaces }, { "ID", id },
	{ "VANISHED", vanished }, { "SORT", search }, { "THREAD", thread },
	{ "UIDBATCHES", uidbatches }, { "QUOTA", quota }, { "QUOTAROOT", quotaroot }, { "METADATA", metadata },
	{ "ACL", acl }, { "MYRIGHTS", myrights }, { "LISTRIGHTS", listrights },
};

static void
named(struct say *s, struct str name)
{
	for (size_t i = 0; i < sizeof(untagged) / sizeof(*untagged); i++) {
		if (str_eq(name, str_of(untagged[i].name))) {
			untagged[i].rest(s);
			return;
		}
	}
	say_fail(s, "unknown response");
}

/* RFC 9586 3.3: where the UID is said again it is the same. */
static void
uidfetch(struct say *s, uint64_t uid)
{
	s->g->uid = (uint32_t)uid;
	say_want(s, "UIDFETCH ");
	say_msg_att(s);
	if (uid == 0 || s->g->uid != uid)
		say_fail(s, "one UID");
}

/* RFC 9051 7.4, 7.5: the numbers have to fit what was said before. A new SELECT begins a new count. */
static void
numbered(struct say *s)
{
	uint64_t n = say_number(s);

	say_sp(s);
	if (cur_take(&s->c, "EXISTS")) {
		if (n < s->g->exists && !s->g->selecting)
			say_fail(s, "an EXISTS that is not less than before");
		s->g->exists = (uint32_t)n;
		s->g->selecting = false;
		return;
	}
	if (cur_take(&s->c, "RECENT"))
		return;
	if (s->g->uidonly) {
		uidfetch(s, n);
		return;
	}
	if (n == 0 || n > s->g->exists)
		say_fail(s, "a message number beyond EXISTS");
	if (!s->g->vanishes && cur_take(&s->c, "EXPUNGE")) {
		s->g->exists--;
		return;
	}
	say_want(s, "FETCH ");
	say_msg_att(s);
}

static bool
is_tag_char(char c)
{
	return is_astring_char(c) && c != '+';
}

static void
tagged(struct say *s)
{
	cur_want_while(&s->c, is_tag_char, SIZE_MAX, "tag");
	say_sp(s);
	if (!cur_take(&s->c, "OK") && !cur_take(&s->c, "NO"))
		say_want(s, "BAD");
	resp_text(s);
}

static void
response(struct say *s)
{
	if (cur_take(&s->c, "+ ")) {
		cur_bytes(&s->c, cur_left(&s->c));
	} else if (!cur_take(&s->c, "* ")) {
		tagged(s);
	} else if (cur_left(&s->c) > 0 && ascii_is_digit((char)cur_peek(&s->c))) {
		numbered(s);
	} else {
		named(s, say_atom(s));
	}
	cur_end(&s->c);
}

/* --- framing --- */

/* Does the line (without CRLF) end in a literal's header? Its size. */
static bool
ends_in_literal(struct str line, uint64_t *size)
{
	size_t open;

	if (line.n < 3 || line.p[line.n - 1] != '}')
		return false;
	open = str_rfind(line, '{');
	return open < line.n && str_u64(str_sub(line, open + 1, line.n - 1), INT64_MAX, size);
}

/* Length of the first complete response with its CRLF, 0 when there is none. */
static size_t
first_response(struct str all)
{
	size_t at = 0;

	for (;;) {
		struct str rest = str_sub(all, at, all.n);
		size_t eol = str_search(rest, STR("\r\n"));
		uint64_t size = 0;

		if (eol == rest.n)
			return 0;
		if (!ends_in_literal(str_sub(rest, 0, eol), &size))
			return at + eol + 2;
		at += eol + 2 + (size_t)size;
		if (at > all.n)
			return 0;
	}
}

static bool
check(struct grammar *g, struct str line)
{
	struct say s = { cur_init(line), g };

	g->responses++;
	response(&s);
	if (cur_ok(&s.c))
		return true;
	buf_addf(&g->why, "expected %s at %zu of: ", s.c.why, (size_t)(s.c.p - line.p));
	buf_add(&g->why, str_sub(line, 0, 2000));
	return false;
}

bool
grammar_feed(struct grammar *g, struct str bytes)
{
	size_t n;

	buf_add(&g->bytes, bytes);
	while (g->why.n == 0 && (n = first_response(buf_str(&g->bytes))) > 0) {
		check(g, str_sub(buf_str(&g->bytes), 0, n - 2));
		buf_drop(&g->bytes, n);
	}
	return g->why.n == 0;
}
