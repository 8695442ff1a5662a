/* lex.h - the tokens structured header fields share: RFC 5322 3.2. All take from the cursor, none fails: what is not
 * closed ends with the bytes. Line ends are blanks here, so values need no unfolding first. */
#ifndef POSTERN_MESSAGE_LEX_H
#define POSTERN_MESSAGE_LEX_H

#include <stdbool.h>

#include <postern/core/buf.h>
#include <postern/core/cur.h>

static inline bool
lex_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* CFWS: takes blanks and comments; true if there were any. */
bool lex_blank(struct cur *c);
/* A comment, the cursor on its "(": adds its text without the outer parentheses and backslashes (out may be NULL).
 * False when it is not closed. */
bool lex_comment(struct cur *c, struct buf *out);
/* A quoted string, the cursor on its quote: adds its text without quotes, backslashes and line ends. False when it is
 * not closed. */
bool lex_quoted(struct cur *c, struct buf *out);
/* RFC 2045 5.1 token characters. */
bool lex_is_token(char c);

#endif
