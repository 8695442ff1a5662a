/* msgid.c - reading msg-id and obs-id tolerantly: "<" local "@" domain ">". */
#include "msgid.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind the comment that begins at i. */
static size_t
skip_comment(struct str s, size_t i)
{
	unsigned depth = 0;

	for (; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.n;
}

/* A quoted string without its quotes and escapes; i stands behind the first quote. */
static size_t
add_quoted(struct buf *id, struct str s, size_t i)
{
	for (; i < s.n && s.p[i] != '"' && id->n <= MSGID_MAX; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		buf_add_char(id, s.p[i]);
	}
	return i < s.n ? i + 1 : s.n;
}

/* From behind "<" to behind ">"; *good tells whether an id was read. A second "<" begins anew. */
static size_t
read_id(struct buf *id, struct str s, size_t i, bool *good)
{
	size_t at = 0; /* bytes before "@", plus one */

	buf_clear(id);
	while (i < s.n && s.p[i] != '>' && s.p[i] != '<' && id->n <= MSGID_MAX) {
		if (s.p[i] == '"') {
			i = add_quoted(id, s, i + 1);
		} else if (s.p[i] == '(') {
			i = skip_comment(s, i);
		} else {
			if (s.p[i] == '@')
				at = id->n + 1;
			if (!is_blank(s.p[i]))
				buf_add_char(id, s.p[i]);
			i++;
		}
	}
	*good = i < s.n && s.p[i] == '>' && at > 1 && at < id->n && id->n <= MSGID_MAX;
	return i < s.n && s.p[i] == '>' ? i + 1 : i;
}

bool
msgid_next(struct str *rest, struct buf *id)
{
	struct str s = *rest;
	size_t i = 0;
	bool good = false;

	while (i < s.n && !good)
		i = s.p[i] == '<' ? read_id(id, s, i + 1, &good) : i + 1;
	*rest = str_sub(s, i, s.n);
	return good;
}
