/* append.h - APPEND's message on its way from the client to the store, while its command is not complete yet. */
#ifndef IMAP_APPEND_H
#define IMAP_APPEND_H

#include "sess.h"

/* Is the literal that was announced the message of this APPEND? l stands behind the command's name. */
bool append_is_message(struct imap_session *s, struct command *c, struct lex *l);
/* Asks for the message, or says why not, before it is sent (RFC 9051 4.3). c: what is known of the command. */
void append_on_literal(struct imap_session *s, struct command *c);
void append_on_data(struct imap_session *s, struct str chunk);
void append_free(struct imap_session *s);

#endif
