/* message_encoding.c - transfer decoders under any bytes: the same however the body is cut, never longer than it. */
#include <stdlib.h>

#include <postern/message/encoding.h>

#include "fuzz.h"

static void
decode(enum encoding encoding, struct str text, size_t piece, struct buf *out)
{
	struct decoder d;

	decoder_init(&d, encoding);
	for (size_t at = 0; at < text.n; at += piece)
		decoder_feed(&d, str_sub(text, at, at + piece), out);
	decoder_end(&d, out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	size_t piece = n > 0 ? 1 + p[0] % 16 : 1;
	struct str text = str_from(p + (n > 0), n - (n > 0));
	struct buf whole, pieces;

	buf_init(&whole, n);
	buf_init(&pieces, n);
	for (int e = ENCODING_7BIT; e <= ENCODING_UNKNOWN; e++) {
		buf_clear(&whole);
		buf_clear(&pieces);
		decode((enum encoding)e, text, n + 1, &whole);
		decode((enum encoding)e, text, piece, &pieces);
		if (whole.over || !str_eq(buf_str(&whole), buf_str(&pieces)))
			abort();
	}
	encoding_of(text);
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
