/* mend.c - a file into one that libconfuse 3.3 reads as it is meant.
 *
 * What libconfuse does in silence, and what is done about it here:
 *   - each comment makes the line numbers after it wrong: comments become blanks, line ends stay;
 *   - ${NAME} becomes the environment's value: the $ is escaped, so the text stays;
 *   - bytes that fit no rule of its lexer vanish ("*:25" without quotes becomes ":25"): refused;
 *   - a NUL ends the file, \0 ends a string: control bytes and such escapes are refused;
 *   - a forgotten quote swallows lines up to the next one: a string ends in its line;
 *   - += adds to a default: refused;
 *   - an empty list calls no callback, so it would have no line and could be set twice: it gets a marker;
 *   - a section that is not closed ends with the file: the sentinel behind the last line finds itself inside it.
 * The text keeps its lines: line n of the result is line n of the file. */
#include "read.h"

#include <postern/core/utf8.h>

struct mend {
	struct str in;
	size_t at;
	unsigned line;
	char last[2]; /* the latest bytes that are neither blank nor part of a string */
	struct buf *out;
	struct conf_errors *e;
};

static char
peek(const struct mend *m, size_t ahead)
{
	return m->at + ahead < m->in.n ? m->in.p[m->at + ahead] : '\0';
}

static bool
more(const struct mend *m)
{
	return m->at < m->in.n;
}

static void
note(struct mend *m, char c)
{
	m->last[0] = m->last[1];
	m->last[1] = c;
}

/* Copies line ends and blanks out the rest. */
static void
blank(struct mend *m)
{
	char c = m->in.p[m->at++];

	buf_add_char(m->out, c == '\n' ? '\n' : ' ');
	m->line += c == '\n';
}

static bool
is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static void
mend_line_comment(struct mend *m)
{
	while (more(m) && peek(m, 0) != '\n')
		blank(m);
}

static void
mend_long_comment(struct mend *m)
{
	unsigned line = m->line;

	blank(m);
	blank(m);
	while (more(m) && !(peek(m, 0) == '*' && peek(m, 1) == '/'))
		blank(m);
	if (!more(m)) {
		conf_errors_add(m->e, line, "the comment that starts here has no end, add */");
		return;
	}
	blank(m);
	blank(m);
}

/* One character of a string, with its escape; always written in the form for double quotes. */
static void
mend_string_char(struct mend *m, char quote)
{
	char c = peek(m, 0);

	if (c == '\\' && peek(m, 1) != '\\' && peek(m, 1) != quote)
		conf_errors_add(m->e, m->line, "a backslash stands alone in the string, write two");
	else if (c == '\\')
		c = m->in.p[++m->at];
	if (is_control(c))
		conf_errors_add(m->e, m->line, "the string has a control byte (%02x), delete it", (unsigned char)c);
	else if (c == '$' || c == '"' || c == '\\')
		buf_add_char(m->out, '\\');
	buf_add_char(m->out, is_control(c) ? ' ' : c);
	m->at++;
}

static void
mend_string(struct mend *m)
{
	char quote = m->in.p[m->at++];

	note(m, 's');
	buf_add_char(m->out, '"');
	while (more(m) && peek(m, 0) != quote && peek(m, 0) != '\n')
		mend_string_char(m, quote);
	buf_add_char(m->out, '"');
	if (peek(m, 0) == quote)
		m->at++;
	else
		conf_errors_add(m->e, m->line, "the string has no end in its line, add the %c", quote);
}

/* What a word without quotes may be made of: nothing that libconfuse's lexer drops or takes for something else. */
static bool
is_bare(char c)
{
	return ascii_is_alnum(c) || c == '_' || c == '.' || c == ':' || c == '-';
}

static void
refuse_word(struct mend *m, char c)
{
	if (c == '(' || c == ')')
		conf_errors_add(m->e, m->line, "\"%c\" has no meaning here, there are no functions", c);
	else if (is_control(c))
		conf_errors_add(m->e, m->line, "a control byte (%02x) has no place here, delete it", (unsigned char)c);
	else
		conf_errors_add(m->e, m->line, "a word with \"%c\" must stand in quotes", c);
}

/* A word without quotes goes on to the next blank, punctuation mark or quote. A bad one is replaced by an empty string,
 * so that the rest of the file can still be read. */
static void
mend_word(struct mend *m)
{
	size_t start = m->at;
	struct str word;
	char bad = '\0';

	do {
		if (bad == '\0' && !is_bare(peek(m, 0)))
			bad = peek(m, 0);
		m->at++;
	} while (more(m) && strchr(" \t\r\n={},\"'#", peek(m, 0)) == NULL);
	word = str_sub(m->in, start, m->at);
	if (str_eq(word, STR("+")) && peek(m, 0) == '=') {
		conf_errors_add(m->e, m->line, "+= is not known, write the whole list with =");
		return;
	}
	note(m, 'w');
	if (bad == '\0' && is_bare(word.p[0])) {
		buf_add(m->out, word);
		return;
	}
	refuse_word(m, bad);
	buf_add_cstr(m->out, "\"\"");
}

static void
mend_mark(struct mend *m)
{
	char c = m->in.p[m->at++];

	if (c == '}' && m->last[1] == '{' && m->last[0] == '=')
		buf_add_cstr(m->out, "\"" CONF_EMPTY_LIST "\"");
	note(m, c);
	buf_add_char(m->out, c);
}

static void
mend_next(struct mend *m)
{
	char c = peek(m, 0);

	if (c == '#' || (c == '/' && peek(m, 1) == '/'))
		mend_line_comment(m);
	else if (c == '/' && peek(m, 1) == '*')
		mend_long_comment(m);
	else if (c == '"' || c == '\'')
		mend_string(m);
	else if (c == ' ' || c == '\t' || c == '\n' || (c == '\r' && peek(m, 1) == '\n'))
		blank(m);
	else if (c == '=' || c == '{' || c == '}' || c == ',')
		mend_mark(m);
	else
		mend_word(m);
}

/* libconfuse would take the bytes as they are; no name, path or word of ours is anything but UTF-8. */
static bool
mend_utf8(struct mend *m)
{
	struct str rest = m->in;
	unsigned line = 1;
	uint32_t code;
	size_t used;

	while (utf8_next(rest, &code, &used)) {
		line += code == '\n';
		rest = str_sub(rest, used, rest.n);
	}
	if (rest.n > 0)
		conf_errors_add(m->e, line, "the line is not UTF-8, convert the file");
	return rest.n == 0;
}

bool
conf_mend(struct str text, struct buf *out, struct conf_errors *e)
{
	struct mend m = { .in = text, .line = 1, .out = out, .e = e };

	if (!mend_utf8(&m))
		return false;
	while (more(&m))
		mend_next(&m);
	buf_add_cstr(out, "\n" CONF_SENTINEL " = end\n");
	return true;
}
