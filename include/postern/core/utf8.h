/* utf8.h - RFC 3629, strictly: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef POSTERN_CORE_UTF8_H
#define POSTERN_CORE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

bool utf8_valid(struct str s);
bool ascii_only(struct str s);
/* Decodes the code point at s.p and sets *used (1 to 4). False at the end or on an invalid sequence, with *used the
 * bytes to skip (1, or 0 at the end). */
bool utf8_next(struct str s, uint32_t *code, size_t *used);
void utf8_add(struct buf *out, uint32_t code);

#endif
