/* imaptext.h - ENVELOPE, BODY and BODYSTRUCTURE in IMAP's words: RFC 9051 7.5.2 and 9.
 *
 * Whatever a message holds, the output is a sentence of the grammar. A string is quoted when it is ASCII without CR,
 * LF and NUL; else it is a literal, whose octets are not changed except that NUL, which no literal may hold, becomes
 * 0x80 (crlf.h). 8-bit text therefore always travels in literals, whether or not the client enabled UTF8=ACCEPT or
 * IMAP4rev2: that is right for every client (RFC 6855 3 forbids quoted UTF-8 before ENABLE), and one form serves all.
 * An address without domain or local part gets "MISSING_DOMAIN" or "MISSING_MAILBOX", for NIL there means a group. */
#ifndef POSTERN_MESSAGE_IMAPTEXT_H
#define POSTERN_MESSAGE_IMAPTEXT_H

#include <postern/core/buf.h>
#include <postern/core/str.h>
#include <postern/message/mime.h>

/* nstring: NIL when s.p is NULL. */
void imaptext_nstring(struct buf *out, struct str s);

/* Is message/global told with envelope and body, as message/rfc822 is? IMAP4rev1 alone knows it as any other type
 * (RFC 9755 6). */
enum imaptext_global { IMAPTEXT_GLOBAL_BASIC, IMAPTEXT_GLOBAL_MESSAGE };

/* Each adds the value alone, "(…)", without the item's name. */
void imaptext_envelope(struct buf *out, const struct mime_envelope *e);
void imaptext_body(struct buf *out, const struct mime_part *root, enum imaptext_global global);
void imaptext_bodystructure(struct buf *out, const struct mime_part *root, enum imaptext_global global);

#endif
