/* lex.c - blanks, comments, quoted strings. Nesting is a counter, not a recursion. */
#include "lex.h"

bool
lex_blank(struct cur *c)
{
	const char *start = c->p;

	for (;;) {
		cur_while(c, lex_is_blank);
		if (cur_peek(c) != '(')
			return c->p != start;
		lex_comment(c, NULL);
	}
}

static void
add(struct buf *out, int c)
{
	if (out != NULL)
		buf_add_char(out, (char)c);
}

/* The byte after a backslash; a backslash at the end stands for itself. */
static int
escaped(struct cur *c)
{
	int next = cur_peek(c);

	if (next < 0)
		return '\\';
	c->p++;
	return next;
}

bool
lex_comment(struct cur *c, struct buf *out)
{
	size_t depth = 0;
	int b;

	while ((b = cur_peek(c)) >= 0) {
		c->p++;
		if (b == '\\') {
			add(out, escaped(c));
			continue;
		}
		if (b == ')' && --depth == 0)
			return true;
		if (b == '(' && depth++ == 0)
			continue;
		if (b != '\r' && b != '\n')
			add(out, b);
	}
	return false;
}

/* A line end inside quotes is a fold; a lone CR is data that somebody put there. */
static bool
is_fold(const struct cur *c, int b)
{
	return b == '\n' || (b == '\r' && cur_peek(c) == '\n');
}

bool
lex_quoted(struct cur *c, struct buf *out)
{
	int b;

	c->p++;
	while ((b = cur_peek(c)) >= 0) {
		c->p++;
		if (b == '"')
			return true;
		if (b == '\\')
			b = escaped(c);
		else if (is_fold(c, b))
			continue;
		add(out, b);
	}
	return false;
}

bool
lex_is_token(char c)
{
	return ascii_is_print(c) && c != ' ' && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}
