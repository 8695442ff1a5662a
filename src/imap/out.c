/* out.c - strings, names, flags and dates of responses. */
#include "out.h"

#include <postern/message/date.h>

#include "lex.h"

const struct flag_name flag_names[FLAG_NAMES] = {
	{ STORE_ANSWERED, STR_INIT("\\Answered") },
	{ STORE_FLAGGED, STR_INIT("\\Flagged") },
	{ STORE_DELETED, STR_INIT("\\Deleted") },
	{ STORE_SEEN, STR_INIT("\\Seen") },
	{ STORE_DRAFT, STR_INIT("\\Draft") },
};

void
out_quoted(struct buf *out, struct str s)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0' ? '?' : s.p[i]);
	}
	buf_add_char(out, '"');
}

void
out_astring(struct buf *out, struct str s)
{
	size_t n = 0;

	while (n < s.n && lex_is_atom(s.p[n]))
		n++;
	if (n == s.n && n > 0)
		buf_add(out, s);
	else
		out_quoted(out, s);
}

static void
add_flag(struct buf *out, struct str name, bool *first)
{
	if (!*first)
		buf_add_char(out, ' ');
	buf_add(out, name);
	*first = false;
}

void
out_flags(struct buf *out, uint32_t flags, uint64_t keyword_bits, const struct str *keywords, bool recent)
{
	bool first = true;

	buf_add_char(out, '(');
	for (size_t i = 0; i < FLAG_NAMES; i++)
		if (flags & flag_names[i].flag)
			add_flag(out, flag_names[i].name, &first);
	for (size_t i = 0; i < STORE_KEYWORDS_MAX && keyword_bits >> i != 0; i++)
		if (keyword_bits >> i & 1)
			add_flag(out, keywords[i], &first);
	if (recent)
		add_flag(out, STR("\\Recent"), &first);
	buf_add_char(out, ')');
}

void
out_object_id(struct buf *out, enum object_kind kind, struct id id)
{
	char text[ID_TEXT_SIZE];

	id_text(id, text);
	buf_addf(out, "(%c%s)", kind, text);
}

void
out_internal_date(struct buf *out, int64_t seconds)
{
	buf_add_char(out, '"');
	date_write_imap(out, (struct date){ .seconds = seconds, .zone_known = true });
	buf_add_char(out, '"');
}
