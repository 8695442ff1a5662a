/* rules.h - what the lines of a message must be like, checked while it streams (RFC 5321 2.3.8, 4.5.3.1.6).
 *
 * A byte's verdict never depends on how the input was cut. */
#ifndef POSTERN_SMTP_RULES_H
#define POSTERN_SMTP_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include <postern/core/str.h>

enum rules_seen {
	RULES_BARE = 1, /* a CR or LF that is no part of a CRLF */
	RULES_LONG = 2, /* a line of more than max bytes, CRLF included */
	RULES_NUL = 4,
	RULES_8BIT = 8,
};

struct rules {
	unsigned seen;
	bool cr;     /* the last byte was CR */
	size_t line; /* bytes of the line so far */
	size_t max;
};

void rules_begin(struct rules *r, size_t max);
void rules_feed(struct rules *r, struct str bytes);
/* The message ended here: a CR as its last byte is bare. */
void rules_end(struct rules *r);

#endif
