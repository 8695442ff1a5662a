/* limit.h - how many messages one command may be about (RFC 9738). Off unless the operator sets a number.
 *
 * What is beyond the limit is left for another command: of the messages that are meant the last ones are worked on, and
 * the answer tells the lowest UID of them. COPY and APPEND are all or nothing, and are refused. */
#ifndef IMAP_LIMIT_H
#define IMAP_LIMIT_H

#include "sess.h"

/* More messages than one command may be about? */
bool limit_is_passed(const struct imap_session *s, uint64_t count);
/* Leaves the highest numbers of the set, as many as are allowed; then the answer says so. Once cut, a command keeps its
 * lowest message however its numbers change. */
void limit_cut(struct imap_session *s, struct command *c, struct uidset *seqs);
/* Refuses as a whole what is about so many messages: DONE with NO [MESSAGELIMIT], or MORE. seqs may be NULL; else the code
 * tells where the last ones begin. */
enum step limit_refuse(struct imap_session *s, struct command *c, uint64_t count, const struct uidset *seqs);
/* The same for COPY and APPEND, which may have a limit of their own (SAVELIMIT). */
enum step limit_refuse_save(struct imap_session *s, struct command *c, uint64_t count, const struct uidset *seqs);
/* The code of a command that was cut: in its tagged OK, or by an untagged NO where that has a code already. */
void limit_answer(struct imap_session *s, struct command *c);
/* " MESSAGELIMIT=n" or " SAVELIMIT=n" */
void limit_capabilities(const struct imap_session *s, struct buf *out);

#endif
