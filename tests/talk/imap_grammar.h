/* imap_grammar.h - a strict client: re-parses everything a server says by the grammar of RFC 9051 9 (and RFC 3501
 * 9), knowing nothing of how it was written. For transcripts and fuzz targets. */
#ifndef POSTERN_TESTS_IMAP_GRAMMAR_H
#define POSTERN_TESTS_IMAP_GRAMMAR_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/cur.h>

struct grammar {
	struct buf bytes;   /* of the response that is not complete yet */
	bool utf8;          /* IMAP4rev2 or UTF8=ACCEPT: UTF-8 in quoted strings and text, message/global has an envelope */
	bool uidonly;       /* there are no message numbers any more (RFC 9586) */
	bool vanishes;      /* VANISHED instead of EXPUNGE */
	uint32_t uid;       /* the last UID among data items */
	uint32_t exists;    /* what EXISTS and EXPUNGE have said */
	bool selecting;     /* the next EXISTS may be of another mailbox */
	uint64_t responses;
	struct buf why;     /* what was wrong, with the response; empty: nothing so far */
};

void grammar_init(struct grammar *g);
void grammar_fini(struct grammar *g);
/* Takes what the server said; false from the first response on that is not right. */
bool grammar_feed(struct grammar *g, struct str bytes);

/* --- between the two files --- */
struct say {
	struct cur c;
	struct grammar *g;
};
bool say_fail(struct say *s, const char *why);
void say_sp(struct say *s);
void say_want(struct say *s, const char *text);
struct str say_atom(struct say *s);
uint64_t say_number(struct say *s);
uint64_t say_nz_number(struct say *s);
struct str say_string(struct say *s);
struct str say_astring(struct say *s);
bool say_nil(struct say *s);
void say_nstring(struct say *s);
void say_flags(struct say *s);
void say_object(struct say *s);
/* FETCH's msg-att, parentheses included. */
void say_msg_att(struct say *s);

#endif
