/* mutf7.h - modified UTF-7 mailbox names (RFC 3501 5.1.3), for IMAP4rev1 clients and Maildir++ directories. */
#ifndef POSTERN_STORE_MUTF7_H
#define POSTERN_STORE_MUTF7_H

#include <stdbool.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

/* Adds the mUTF-7 form of a UTF-8 name; false (out unchanged) when name is not UTF-8. */
bool mutf7_encode(struct buf *out, struct str name);
/* Adds the UTF-8 form; false (out unchanged) unless text is the one canonical encoding of its name: no printable
 * ASCII inside base64, no lone surrogate, no superfluous shift, no 8-bit byte, no NUL. */
bool mutf7_decode(struct buf *out, struct str text);

#endif
