/* charset.h - any charset to UTF-8, and letters without case.
 *
 * Only charsets of a fixed table are known; their converters are loaded by charset_init(), for later the process has
 * no files to load them from (and needs no system call for them). ISO-2022-CN-EXT is not among them (CVE-2024-2961).
 * What cannot be converted becomes U+FFFD; what names no known charset, or ASCII, is read as UTF-8 if it is valid
 * UTF-8, else as ISO-8859-1. So the result is always valid UTF-8. Functions may be called from any thread. */
#ifndef POSTERN_MESSAGE_CHARSET_H
#define POSTERN_MESSAGE_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

/* Loads the converters. Once, before the root is closed and threads run; a charset this system lacks is left out. */
void charset_init(void);
/* Unloads them; for leak checks at the end of tests. */
void charset_fini(void);

/* Whether the name (or a usual alias) stands for a charset we convert: else SEARCH answers [BADCHARSET]. */
bool charset_known(struct str name);
/* Adds the names for the BADCHARSET answer, separated by spaces. */
void charset_list(struct buf *out);

/* Adds the text in UTF-8. */
void charset_to_utf8(struct buf *out, struct str charset, struct str text);

/* The same for a text that comes in pieces of any size; the result does not depend on where they are cut. An unknown
 * charset is read as UTF-8 up to the first byte that cannot be UTF-8, as ISO-8859-1 from there on. */
struct charset_reader;
struct charset_reader *charset_reader_new(struct str charset);
void charset_reader_feed(struct charset_reader *r, struct str piece, struct buf *out);
/* What an incomplete character at the end gives. */
void charset_reader_end(struct charset_reader *r, struct buf *out);
void charset_reader_free(struct charset_reader *r);

/* i;unicode-casemap (RFC 5051): adds the UTF-8 text with every letter in title case and decomposed, so that texts which
 * differ in case only become equal and SEARCH can look for one in the other byte by byte. Character by
 * character, so pieces may be folded one by one as long as no character is cut. Invalid UTF-8 is kept as it is. */
void charset_fold(struct buf *out, struct str utf8);

#endif
