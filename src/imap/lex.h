/* lex.h - the tokens of RFC 9051 9 over the bytes of one whole command.
 *
 * A struct lex is a cursor (core/cur.h) with an arena for what must be rewritten (escapes). The first failure sticks;
 * its words go to the client after "BAD ". Returned views live as long as command bytes and arena. */
#ifndef IMAP_LEX_H
#define IMAP_LEX_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/arena.h>
#include <postern/core/cur.h>
#include <postern/core/str.h>
#include <postern/message/date.h>

struct lex {
	struct cur c;
	struct arena *arena;
};

enum {
	LEX_TAG_MAX = 64,      /* bytes of a tag */
	LEX_ATOM_MAX = 256,    /* bytes of an atom that is a name of the protocol */
	LEX_KEYWORD_MAX = 100, /* bytes of a keyword */
};

static inline struct lex
lex_init(struct str bytes, struct arena *arena)
{
	return (struct lex){ cur_init(bytes), arena };
}

static inline bool
lex_ok(const struct lex *l)
{
	return cur_ok(&l->c);
}

bool lex_is_atom(char c);

/* What is left is copied to the arena: views of it outlive the command's bytes. */
void lex_keep(struct lex *l);

/* One space, or fails. */
bool lex_sp(struct lex *l);
/* The word (any case) if a delimiter or the end follows it. */
bool lex_word(struct lex *l, const char *word);
struct str lex_tag(struct lex *l);
/* A command, item or key name: atom. */
struct str lex_atom(struct lex *l);
/* A name that ends at "[" or "<", too: FETCH items. */
struct str lex_item(struct lex *l);
struct str lex_string(struct lex *l);
struct str lex_astring(struct lex *l);
/* string / literal8: any bytes. */
struct str lex_string8(struct lex *l);
/* list-mailbox: an astring that may hold wildcards. */
struct str lex_pattern(struct lex *l);
/* A keyword or "\" atom, as it was written. */
struct str lex_flag(struct lex *l);
uint32_t lex_nz_number(struct lex *l);
uint64_t lex_number64(struct lex *l);
bool lex_take(struct lex *l, char c);
bool lex_want(struct lex *l, char c);
bool lex_end(struct lex *l);
bool lex_fail(struct lex *l, const char *why);

/* date: days since 1970-01-01. */
int64_t lex_date(struct lex *l);
struct date lex_date_time(struct lex *l);

/* The header of a literal whose bytes are streamed elsewhere: "{n}" CRLF with nothing behind it but the command's
 * rest. True with size and kind. */
bool lex_literal_header(struct lex *l, uint64_t *size, bool *binary);

#endif
