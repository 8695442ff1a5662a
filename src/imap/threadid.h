/* threadid.h - THREADID (RFC 8474 5.2): which messages belong together, told by the messages alone.
 *
 * A thread is named by its first Message-ID: the first one of References, else of In-Reply-To, else the message's own. So a
 * message has the same THREADID in every mailbox, after a rebuild and in a copy, it never changes, and nothing is kept for it.
 * What that costs: a reply to a reply that names its parent only (In-Reply-To without References) begins a thread of its own. */
#ifndef IMAP_THREADID_H
#define IMAP_THREADID_H

#include <postern/core/io.h>
#include <postern/message/mime.h>

/* email: of the message, for one without any Message-ID. */
struct id threadid_of(const struct mime_envelope *e, struct id email);

#endif
