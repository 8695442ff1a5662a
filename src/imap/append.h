/* append.h - APPEND's messages on their way from the client to the store, while its command is not complete yet. */
#ifndef IMAP_APPEND_H
#define IMAP_APPEND_H

#include "flags.h"
#include "seqset.h"
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

/* --- between cmd_append.c and cmd_replace.c --- */

struct append_message {
	struct flag_args flags;
	bool dated;
	struct date date;
	uint64_t size;
	bool binary;
};

struct append_args {
	struct seq_set replaced; /* REPLACE: one number */
	struct str mailbox;
	struct append_message *m;
	size_t n;
};

/* The messages that have come so far. */
struct append {
	struct store_stage *stages[APPEND_MESSAGES_MAX];
	size_t n;
	uint64_t size;        /* of all, as announced */
	uint32_t mailbox;
	bool binary;          /* the one that is coming */
	bool failed;          /* `why` is the answer, what else comes is dropped */
	struct reply why;
};

/* SP mailbox 1*(SP append-message), up to so many messages; the rest is left. */
bool append_parse(struct lex *l, struct command *c, struct append_args *a, size_t max);
/* Takes the message and its stage for the store. */
void append_fill(struct store_new *to, const struct append_message *m, struct store_stage *stage);
/* True when every message has come; else c->reply says what is wrong. */
bool append_is_complete(struct imap_session *s, struct command *c);
/* "APPENDUID validity uids" */
struct str append_uid_code(struct command *c, const struct store_result *r);
/* REPLACE: the UID of the message that goes; 0 with c->reply set. */
uint32_t replace_find(struct imap_session *s, struct command *c);

#endif
