/* idle.h - IDLE: the command that waits for the client's DONE and for news. */
#ifndef IMAP_IDLE_H
#define IMAP_IDLE_H

#include "sess.h"

/* Something happened: told by the IDLE under way, or between commands to who uses NOTIFY. */
void idle_wake(struct imap_session *s);
/* The same in the next turn of the loop: more may come. */
void idle_wake_later(struct imap_session *s);
/* A line of the client while IDLE is under way. */
void idle_line(struct imap_session *s, struct str line);

#endif
