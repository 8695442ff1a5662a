/* idle.h - IDLE: the command that waits for the client's DONE and for news. */
#ifndef IMAP_IDLE_H
#define IMAP_IDLE_H

#include "sess.h"

/* Something happened in the selected mailbox. Nothing when no IDLE is under way. */
void idle_wake(struct imap_session *s);
/* A line of the client while IDLE is under way. */
void idle_line(struct imap_session *s, struct str line);

#endif
