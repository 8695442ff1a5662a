/* capability.h - what CAPABILITY says before login; after login the tables of the session add theirs (commands.h). */
#ifndef IMAP_CAPABILITY_H
#define IMAP_CAPABILITY_H

#include <postern/core/buf.h>
#include <postern/core/str.h>

#include "sess.h"

/* " NAME" for each capability that does not hang on a command of the session. */
void capability_write_base(struct buf *out);
/* The same for what depends on the session. */
void capability_write_session(const struct imap_session *s, struct buf *out);

#endif
