/* imap_grammar_fetch.c - msg-att: ENVELOPE, BODY, BODYSTRUCTURE and the others, strictly (RFC 9051 9). */
#include "imap_grammar.h"

enum { DEPTH_MAX = 400 };

static void
number_arg(struct say *s)
{
	say_sp(s);
	say_number(s);
}

static void
uid(struct say *s)
{
	say_sp(s);
	s->g->uid = (uint32_t)say_nz_number(s);
}

static void
flags(struct say *s)
{
	say_sp(s);
	say_flags(s);
}

/* date-time: fixed columns. */
static void
internaldate(struct say *s)
{
	static const char shape[] = "\"DD-AAA-DDDD DD:DD:DD SDDDD\"";
	struct str got;

	say_sp(s);
	got = cur_bytes(&s->c, sizeof(shape) - 1);
	for (size_t i = 0; i < got.n; i++) {
		char c = got.p[i];
		bool ok = shape[i] == 'D' ? ascii_is_digit(c) || (i == 1 && c == ' ')
			: shape[i] == 'A' ? ascii_is_alpha(c)
			: shape[i] == 'S' ? c == '+' || c == '-'
			: c == shape[i];

		if (!ok)
			say_fail(s, "date-time");
	}
}

/* --- ENVELOPE --- */

static void
address(struct say *s)
{
	say_want(s, "(");
	say_nstring(s);
	say_sp(s);
	say_nstring(s);
	say_sp(s);
	say_nstring(s);
	say_sp(s);
	say_nstring(s);
	say_want(s, ")");
}

static void
addresses(struct say *s)
{
	if (say_nil(s))
		return;
	say_want(s, "(");
	do
		address(s);
	while (cur_peek(&s->c) == '(');
	say_want(s, ")");
}

static void
envelope_value(struct say *s)
{
	say_want(s, "(");
	say_nstring(s);
	say_sp(s);
	say_nstring(s);
	for (int i = 0; i < 6; i++) {
		say_sp(s);
		addresses(s);
	}
	say_sp(s);
	say_nstring(s);
	say_sp(s);
	say_nstring(s);
	say_want(s, ")");
}

static void
envelope(struct say *s)
{
	say_sp(s);
	envelope_value(s);
}

/* --- BODY, BODYSTRUCTURE --- */

static void
params(struct say *s)
{
	if (say_nil(s))
		return;
	say_want(s, "(");
	do {
		say_string(s);
		say_sp(s);
		say_string(s);
	} while (cur_take(&s->c, " "));
	say_want(s, ")");
}

static void
disposition(struct say *s)
{
	if (say_nil(s))
		return;
	say_want(s, "(");
	say_string(s);
	say_sp(s);
	params(s);
	say_want(s, ")");
}

static void
language(struct say *s)
{
	if (!cur_take(&s->c, "(")) {
		say_nstring(s);
		return;
	}
	do
		say_string(s);
	while (cur_take(&s->c, " "));
	say_want(s, ")");
}

/* body-fld-dsp SP body-fld-lang SP body-fld-loc, each optional behind the one before. */
static void
extension_tail(struct say *s)
{
	if (!cur_take(&s->c, " "))
		return;
	disposition(s);
	if (!cur_take(&s->c, " "))
		return;
	language(s);
	if (cur_take(&s->c, " "))
		say_nstring(s);
}

static void body(struct say *s, unsigned depth);

static void
multipart(struct say *s, unsigned depth)
{
	do
		body(s, depth + 1);
	while (cur_peek(&s->c) == '(');
	say_sp(s);
	say_string(s);
	if (cur_take(&s->c, " ")) {
		params(s);
		extension_tail(s);
	}
}

static void
body_fields(struct say *s)
{
	say_sp(s);
	params(s);
	say_sp(s);
	say_nstring(s);
	say_sp(s);
	say_nstring(s);
	say_sp(s);
	say_string(s);
	number_arg(s);
}

static void
single(struct say *s, unsigned depth)
{
	struct str type = say_string(s);
	struct str subtype;

	say_sp(s);
	subtype = say_string(s);
	body_fields(s);
	if (str_eq_nocase(type, STR("message"))
	    && (str_eq_nocase(subtype, STR("rfc822")) || (s->g->utf8 && str_eq_nocase(subtype, STR("global"))))) {
		say_sp(s);
		envelope_value(s);
		say_sp(s);
		body(s, depth + 1);
		number_arg(s);
	} else if (str_eq_nocase(type, STR("text"))) {
		number_arg(s);
	}
	if (cur_take(&s->c, " ")) {
		say_nstring(s);
		extension_tail(s);
	}
}

static void
body(struct say *s, unsigned depth)
{
	if (depth > DEPTH_MAX) {
		say_fail(s, "a body that is not so deep");
		return;
	}
	say_want(s, "(");
	if (cur_peek(&s->c) == '(')
		multipart(s, depth);
	else
		single(s, depth);
	say_want(s, ")");
}

/* --- sections --- */

static bool
is_section_char(char c)
{
	return ascii_is_alnum(c) || c == '.';
}

static void
section(struct say *s)
{
	say_want(s, "[");
	cur_while(&s->c, is_section_char);
	if (cur_take(&s->c, " (")) {
		do
			say_astring(s);
		while (cur_take(&s->c, " "));
		say_want(s, ")");
	}
	say_want(s, "]");
	if (cur_take(&s->c, "<")) {
		say_number(s);
		say_want(s, ">");
	}
}

/* "BODY" is a structure, "BODY[" a section. */
static void
body_or_section(struct say *s)
{
	if (cur_peek(&s->c) == '[') {
		section(s);
		say_sp(s);
		say_nstring(s);
		return;
	}
	say_sp(s);
	body(s, 0);
}

static void
bodystructure(struct say *s)
{
	say_sp(s);
	body(s, 0);
}

static void
nstring_arg(struct say *s)
{
	say_sp(s);
	say_nstring(s);
}

static void
binary(struct say *s)
{
	section(s);
	say_sp(s);
	if (!cur_take(&s->c, "~{")) {
		say_nstring(s);
		return;
	}
	uint64_t n = say_number(s);
	say_want(s, "}\r\n");
	cur_bytes(&s->c, n);
}

static void
binary_size(struct say *s)
{
	section(s);
	number_arg(s);
}

static void
emailid(struct say *s)
{
	say_sp(s);
	say_object(s);
}

static void
threadid(struct say *s)
{
	say_sp(s);
	if (!say_nil(s))
		say_object(s);
}

/* RFC 7162 7: fetch-mod-resp. */
static void
modseq(struct say *s)
{
	say_want(s, " (");
	if (say_number(s) == 0)
		say_fail(s, "a mod-sequence above 0");
	say_want(s, ")");
}

static const struct {
	const char *name;
	void (*value)(struct say *s);
} items[] = {
	{ "FLAGS", flags }, { "ENVELOPE", envelope }, { "INTERNALDATE", internaldate }, { "RFC822.SIZE", number_arg },
	{ "RFC822.HEADER", nstring_arg }, { "RFC822.TEXT", nstring_arg }, { "RFC822", nstring_arg },
	{ "BODYSTRUCTURE", bodystructure }, { "BODY", body_or_section }, { "BINARY.SIZE", binary_size },
	{ "BINARY", binary }, { "UID", uid }, { "MODSEQ", modseq },
	{ "SAVEDATE", internaldate }, { "PREVIEW", nstring_arg }, { "EMAILID", emailid }, { "THREADID", threadid },
};

static void
item(struct say *s)
{
	for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++) {
		if (cur_take(&s->c, items[i].name)) {
			items[i].value(s);
			return;
		}
	}
	say_fail(s, "data item");
}

void
say_msg_att(struct say *s)
{
	say_want(s, "(");
	do
		item(s);
	while (cur_take(&s->c, " "));
	say_want(s, ")");
}
