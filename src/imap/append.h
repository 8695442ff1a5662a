/* append.h - APPEND's messages on their way from the client to the store, while its command is not complete yet. */
#ifndef IMAP_APPEND_H
#define IMAP_APPEND_H

#include "sess.h"

enum {
	APPEND_MESSAGES_MAX = 100, /* in one APPEND: each holds memory or a file until all are there */
};

/* What the literal that was announced is to the command; l stands behind the command's name. */
enum append_literal {
	APPEND_MESSAGE,  /* the message of an APPEND */
	APPEND_ARGUMENT, /* an argument, or another command */
	APPEND_WRONG,    /* the APPEND is malformed already: l says why */
};
enum append_literal append_look(struct imap_session *s, struct command *c, struct lex *l);
/* Asks for the message, or says why not, before it is sent (RFC 9051 4.3). c: what is known of the command. */
void append_on_literal(struct imap_session *s, struct command *c);
void append_on_data(struct imap_session *s, struct str chunk);
void append_free(struct imap_session *s);

#endif
