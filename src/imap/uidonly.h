/* uidonly.h - the mode without sequence numbers (RFC 9586): what is refused in it, and how FETCH responses begin.
 *
 * Beyond this: VANISHED for EXPUNGE (sync.c), no UNSEEN at SELECT (cmd_select.c). "*" in a set of UIDs is the highest UID,
 * and "$" names UIDs: neither is a number. */
#ifndef IMAP_UIDONLY_H
#define IMAP_UIDONLY_H

#include "sess.h"

/* A form of a command that takes or returns sequence numbers while there are none. */
bool uidonly_forbids_verb(const struct command *c);
/* Sequence numbers are among the arguments of the other form. */
bool uidonly_forbids_arguments(const struct command *c);
/* BAD [UIDREQUIRED] */
enum step uidonly_refuse(struct command *c);
/* The same before a literal comes: c->reply has the code, l the words. */
void uidonly_refuse_literal(struct lex *l, struct command *c);

/* "* n FETCH (", with "UID u " where it is told; or "* u UIDFETCH (", which needs no more of it (RFC 9586 3.3). */
enum uid_told { UID_ASKED_FOR, UID_TOLD };
void uidonly_begin_fetch(struct imap_session *s, uint32_t seq, uint32_t uid, enum uid_told told);

#endif
