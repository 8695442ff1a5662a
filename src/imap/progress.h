/* progress.h - telling the client how far a long command is, and that it is not forgotten (RFC 9585). */
#ifndef IMAP_PROGRESS_H
#define IMAP_PROGRESS_H

#include "sess.h"

enum {
	PROGRESS_MS = 10 * 1000, /* until the first notice, and between two (RFC 9585 4: 10 to 15 s) */
};

void progress_begin(struct command *c);
/* Between two steps: the notice that is due. Commands whose responses take several steps name c->progress only while none
 * is half written; what waits for the store is between two in any case. */
void progress_tell(struct imap_session *s, struct command *c);
/* The command waits: the session wants to be run when the next notice is due. */
void progress_wait(struct imap_session *s, const struct command *c);

/* How many of the set are below: what a walk has behind it. */
uint64_t progress_below(const struct uidset *set, uint32_t next);

#endif
