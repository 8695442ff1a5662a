/* base64.h - RFC 4648 base64 and hexadecimal for protocol exchanges (strict; MIME bodies have their own
 * lenient decoder in message/). */
#ifndef POSTERN_CORE_BASE64_H
#define POSTERN_CORE_BASE64_H

#include <stdbool.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

/* Adds the encoding of s, padded, without line breaks. */
void base64_add(struct buf *out, struct str s);
/* Adds what s encodes; false (out unchanged) unless s is canonical padded base64: no other bytes, no bits lost. */
bool base64_decode(struct buf *out, struct str s);

/* Lower-case hexadecimal. */
void hex_add(struct buf *out, struct str s);
/* False (out unchanged) on odd length or other bytes. */
bool hex_decode(struct buf *out, struct str s);

#endif
