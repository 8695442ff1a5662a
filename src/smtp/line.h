/* line.h - framing of command lines: CRLF alone ends one (RFC 5321 2.3.8). */
#ifndef POSTERN_SMTP_LINE_H
#define POSTERN_SMTP_LINE_H

#include <postern/core/str.h>

enum line_found {
	LINE_MORE,    /* not complete yet */
	LINE_OK,
	LINE_LONG,    /* longer than max with its CRLF, whether complete or not */
	LINE_BARE,    /* a CR or LF that is no part of a CRLF */
	LINE_TLS,     /* begins like a TLS record */
	LINE_FOREIGN, /* begins with a byte no command begins with */
};

/* Looks for one line at the start of input. On LINE_OK *line is the line without CRLF and *used its length with it. */
enum line_found line_find(struct str input, size_t max, struct str *line, size_t *used);

#endif
