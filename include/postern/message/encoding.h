/* encoding.h - content transfer encodings: RFC 2045 6, decoding only, streaming, lenient.
 *
 * base64: bytes outside the alphabet are skipped; "=" ends a group, what follows starts anew (bodies glued together
 * decode on); a rest of two or three characters at the end gives its bytes. quoted-printable: "=" that introduces
 * neither two hexadecimal digits (either case) nor a line end stays; blanks at line ends are dropped (up to
 * ENCODING_HELD_MAX in a row); soft line ends vanish, CRLF or LF; line ends stay as they are. The result does not
 * depend on where the input is cut. */
#ifndef POSTERN_MESSAGE_ENCODING_H
#define POSTERN_MESSAGE_ENCODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

enum encoding {
	ENCODING_7BIT,
	ENCODING_8BIT,
	ENCODING_BINARY,
	ENCODING_BASE64,
	ENCODING_QUOTED,
	ENCODING_UNKNOWN, /* BINARY answers UNKNOWN-CTE (RFC 9051 6.4.5) */
};

/* The value of Content-Transfer-Encoding; empty is 7bit. */
enum encoding encoding_of(struct str name);

enum { ENCODING_HELD_MAX = 1024 };

struct decoder {
	enum encoding encoding;
	uint32_t bits; /* base64: bits of the open group */
	unsigned have; /* base64: characters of the open group; quoted-printable: bytes held */
	char held[ENCODING_HELD_MAX];
};

void decoder_init(struct decoder *d, enum encoding encoding);
/* Adds what the piece decodes to; UNKNOWN, 7BIT, 8BIT and BINARY pass bytes on as they are. */
void decoder_feed(struct decoder *d, struct str piece, struct buf *out);
/* Adds what was held back for the next piece. */
void decoder_end(struct decoder *d, struct buf *out);

#endif
