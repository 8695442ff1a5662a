/* out_body.h - a message's bytes as they go over the wire: lines that end with CRLF and nothing else, dots stuffed
 * (RFC 5321 2.3.8, 4.5.2).
 *
 * What is stored may hold anything (BDAT, APPEND, programs on the box). A bare LF ends a line; a bare CR becomes a
 * blank, so that it ends a line for nobody. Only after that dots are stuffed: no sequence of bytes in a message can end it. */
#ifndef POSTERN_SMTP_OUT_BODY_H
#define POSTERN_SMTP_OUT_BODY_H

#include <stdbool.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

enum out_body_form {
	OUT_BODY_DATA, /* text, dots stuffed, the end is a line with a dot */
	OUT_BODY_TEXT, /* text in chunks */
	OUT_BODY_RAW,  /* BINARYMIME (RFC 3030 3): every byte as it is */
};

struct out_body {
	enum out_body_form form;
	bool cr;     /* the last byte was a CR that is not written yet */
	bool inside; /* in a line: the last byte written was no line end */
};

void out_body_begin(struct out_body *b, enum out_body_form form);
/* Adds at most twice as many bytes as there are, and one. */
void out_body_add(struct out_body *b, struct buf *out, struct str bytes);
/* Ends the last line, and with OUT_BODY_DATA the message. */
void out_body_end(struct out_body *b, struct buf *out);

#endif
