/* word.h - encoded words in header text: RFC 2047, RFC 2231 5. */
#ifndef POSTERN_MESSAGE_WORD_H
#define POSTERN_MESSAGE_WORD_H

#include <postern/core/buf.h>
#include <postern/core/str.h>

/* Adds the header text as UTF-8: folds removed, encoded words decoded, the blanks between adjacent ones dropped,
 * bytes of characters that were split over words of one charset put together again. What looks like an encoded word
 * but is none stays as it is; raw 8-bit bytes are read as UTF-8, else as ISO-8859-1. Tolerant of blanks and wrong
 * characters inside encoded words and of missing blanks between them. Linear. */
void word_decode(struct buf *out, struct str raw);

enum word_place {
	WORD_TEXT,   /* Subject and the like */
	WORD_PHRASE, /* a display name; the result needs no further quoting */
};
/* Adds UTF-8 text for a header field: as it is (in a phrase: quoted where needed) when it is printable ASCII, else as
 * encoded words of at most 75 characters, folded with CRLF SP; no character is cut. */
void word_encode(struct buf *out, struct str utf8, enum word_place where);

#endif
