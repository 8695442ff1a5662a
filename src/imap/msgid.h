/* msgid.h - Message-IDs as threading compares them: without quoting, blanks and comments (RFC 5256 3, RFC 5322 3.6.4). */
#ifndef IMAP_MSGID_H
#define IMAP_MSGID_H

#include <stdbool.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

enum { MSGID_MAX = 1000 }; /* a longer one is none */

/* The next Message-ID of *rest, normalized: "local@domain" into id (cleared before), and *rest moves behind it. False when
 * there is no more. What is no Message-ID is passed over. Linear over all calls. */
bool msgid_next(struct str *rest, struct buf *id);

#endif
