/* password.h - what a person typed, made comparable before it is hashed.
 *
 * Passwords are prepared as PRECIS OpaqueString (RFC 8265 4.2): UTF-8, every non-ASCII space becomes U+0020, NFC, case
 * kept, no control, ignorable, unassigned or non-character code points, not empty. So "é" typed on a Mac and
 * on Windows is one password. SCRAM clients still prepare with SASLprep (RFC 5802 2.2, RFC 4013), which folds more
 * (NFKC), so SCRAM keys are made from that form; for nearly every password the two forms are the same bytes.
 *
 * Login names are prepared as UsernameCaseMapped (RFC 8265 3.3) before the address rules apply: full-width letters
 * become ordinary ones, then lower case, then NFC; nothing else is folded, so look-alikes stay different. */
#ifndef POSTERN_AUTH_PASSWORD_H
#define POSTERN_AUTH_PASSWORD_H

#include <stdbool.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

enum { PASSWORD_MAX = 1024 }; /* bytes, before and after preparation */

/* Each adds the prepared form to out (a buffer that the caller wipes). False, with nothing added and *why in words
 * (static; `why` may be NULL), when the input is no such string. */
bool password_prepare(struct buf *out, struct str typed, const char **why);
bool password_prepare_scram(struct buf *out, struct str typed, const char **why);
bool login_name_prepare(struct buf *out, struct str typed, const char **why);

#endif
