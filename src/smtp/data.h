/* data.h - the reader of DATA: takes dots away and finds the end (RFC 5321 4.1.1.4, 4.5.2).
 *
 * Only CRLF "." CRLF ends the data, and only a CRLF makes the next dot one to take away: a bare LF or CR is a byte like
 * others (rules.h refuses it). Works on any piece of input, byte by byte too, and keeps no bytes. */
#ifndef POSTERN_SMTP_DATA_H
#define POSTERN_SMTP_DATA_H

#include <stdbool.h>

#include <postern/core/str.h>

struct data_reader {
	enum { DATA_BOL, DATA_DOT, DATA_DOT_CR, DATA_TEXT } state;
	bool cr; /* in DATA_TEXT: the last byte was CR */
};

enum data_step { DATA_MORE, DATA_PIECE, DATA_END };

/* The CRLF of the DATA command counts as the one before the first line. */
void data_begin(struct data_reader *r);
/* Takes bytes off *in. DATA_PIECE: *out is content, call again. DATA_MORE: the input is used up. DATA_END: the data has
 * ended, what is left of *in comes after it. */
enum data_step data_next(struct data_reader *r, struct str *in, struct str *out);

#endif
