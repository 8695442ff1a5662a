/* condstore.h - what a client that knows mod-sequences is told besides (RFC 7162 3.1, 3.2.4).
 *
 * From its first CONDSTORE enabling command on, every FETCH response that nobody asked for carries UID and MODSEQ. The
 * client takes the highest MODSEQ it has been told for its own state, so it must never be higher than what it may have
 * missed: an EXPUNGE that has to wait is said by HIGHESTMODSEQ. */
#ifndef IMAP_CONDSTORE_H
#define IMAP_CONDSTORE_H

#include "sess.h"

/* A CONDSTORE enabling command: the first tells HIGHESTMODSEQ of the selected mailbox. */
void condstore_enable(struct imap_session *s);
/* "* OK [HIGHESTMODSEQ n]" */
void condstore_write_highest(struct imap_session *s, uint64_t modseq);
/* "MODSEQ (n)", the client's state with it. */
void condstore_write_modseq(struct imap_session *s, uint64_t modseq);
/* The code "HIGHESTMODSEQ n" for a tagged OK. */
struct str condstore_code(struct command *c, uint64_t modseq);
/* The command is done but for its tagged answer. */
void condstore_end_command(struct imap_session *s);
#endif
