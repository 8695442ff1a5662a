/* recent.h - \Recent for IMAP4rev1 (RFC 3501 2.3.2): the first session to be told of a message.
 *
 * Nothing of it is on disk. The process that owns a user remembers, for each mailbox that was selected in its life, up
 * to which UID a read-write session has been told; messages above are recent for the next one. What was in a mailbox
 * when it is first selected after a start is not recent: nobody knows, and "all of it" would be worse. */
#ifndef IMAP_RECENT_H
#define IMAP_RECENT_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/str.h>

/* First UID that is recent in this mailbox; uidnext when it was never seen before, which it is from now on. */
uint32_t recent_floor(struct str user, uint32_t mailbox, uint32_t uidnext);
/* A read-write session has been told of everything below uidnext. */
void recent_told(struct str user, uint32_t mailbox, uint32_t uidnext);
/* Forgets everything; for tests and the end of the process. */
void recent_forget(void);

#endif
