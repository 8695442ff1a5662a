/* select.h - opening and closing the selected mailbox. */
#ifndef IMAP_SELECT_H
#define IMAP_SELECT_H

#include "sess.h"

/* Deselects without a word; nothing when nothing is selected. */
void select_close(struct imap_session *s);
/* The selected mailbox was deleted. By this command: it is closed, and true; by somebody else: BYE, and false. */
bool select_drop_deleted(struct imap_session *s, const struct command *c);

#endif
