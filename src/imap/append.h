/* append.h - APPEND's messages on their way from the client, or from other messages, to the store.
 *
 * A message is one literal, or parts that are put together (CATENATE, RFC 4469): literals and URLs of messages. The parts
 * are taken in their order. What a URL names is copied as soon as a literal behind it is announced, or the command is
 * complete. */
#ifndef IMAP_APPEND_H
#define IMAP_APPEND_H

#include "flags.h"
#include "place.h"
#include "seqset.h"
#include "sess.h"

enum {
	APPEND_MESSAGES_MAX = 100, /* in one APPEND: each holds memory or a file until all are there */
	APPEND_PARTS_MAX = 250,    /* of all its messages */
	APPEND_URL_MAX = 2048,     /* octets of a URL */
};

/* What the literal that was announced is to the command; l stands behind the command's name. */
enum append_literal {
	APPEND_MESSAGE,  /* a message of an APPEND, or a part of one */
	APPEND_ARGUMENT, /* an argument, or another command */
	APPEND_WRONG,    /* the APPEND is malformed already: l says why */
};
enum append_literal append_look(struct imap_session *s, struct command *c, struct lex *l);
/* Asks for the text, or says why not, before it is sent (RFC 9051 4.3). c: what is known of the command. False: URLs stand
 * before the text, and c has become the session's command until they are copied. */
bool append_on_literal(struct imap_session *s, struct command *c);
void append_on_data(struct imap_session *s, struct str chunk);
void append_free(struct imap_session *s);

/* --- between append_parse.c, append.c, catenate.c, cmd_append.c and cmd_replace.c --- */

struct append_message {
	struct flag_args flags;
	bool dated;
	struct date date;
	bool catenated;
};

struct append_part {
	size_t message;  /* which it belongs to */
	struct str url;  /* p is NULL: a text */
	uint64_t size;   /* of the text's literal … */
	bool binary;     /* … which may hold NUL */
};

struct append_args {
	struct seq_set replaced; /* REPLACE: one number */
	struct str mailbox;
	struct append_message *m;
	size_t n;
	struct append_part *parts;
	size_t nparts;
	const char *text_at;     /* where the last text's octets would stand */
};

/* Looks for 8-bit octets in a header as it comes. */
struct header_look {
	bool ended;
	bool in_line; /* something of the line has been seen */
};

struct url_copy;

/* What has come so far. */
struct append {
	struct store_stage *stages[APPEND_MESSAGES_MAX];
	size_t n;               /* messages begun */
	size_t parts;           /* parts that are there, or are coming */
	uint64_t size;          /* of all messages, as announced */
	uint64_t message_size;  /* of the last one */
	struct place to;        /* its owner is counted */
	bool binary;            /* the text that is coming may hold NUL */
	struct header_look look;
	struct url_copy *copy;  /* catenate.c: a URL under way */
	bool failed;            /* `why` is the answer, what else comes is dropped */
	struct reply why;
};

/* SP mailbox 1*(SP append-message), up to so many messages; the rest is left. */
bool append_parse(struct lex *l, struct command *c, struct append_args *a, size_t max);

/* Why so many octets more of the message have no place: fills c->reply and returns true. */
bool append_is_too_much(struct imap_session *s, struct command *c, uint64_t size);
/* Takes over the next part, of so many octets. */
void append_begin_part(struct imap_session *s, const struct append_part *p, uint64_t size);
/* Octets of the part. */
void append_take(struct imap_session *s, struct str bytes);

/* catenate.c: the URLs before the next text, or the end, in steps. REFUSED: c->reply says why. */
enum append_copied { APPEND_COPYING, APPEND_COPIED, APPEND_REFUSED };
enum append_copied append_copy_urls(struct imap_session *s, struct command *c);
void url_copy_free(struct url_copy *u);

/* Everything there is, in steps; COPIED: each message has its stage. */
enum append_copied append_gather(struct imap_session *s, struct command *c);
/* Takes message i and its stage for the store. */
void append_fill(const struct imap_session *s, struct store_new *to, const struct append_args *a, size_t i);
/* "APPENDUID validity uids" */
struct str append_uid_code(const struct imap_session *s, struct command *c, const struct place *to, const struct store_result *r);
/* REPLACE: may a message go? False with c->reply set. */
bool replace_may(struct imap_session *s, struct command *c);
/* REPLACE: the UID of the message that goes; 0 with c->reply set. */
uint32_t replace_find(struct imap_session *s, struct command *c);

#endif
