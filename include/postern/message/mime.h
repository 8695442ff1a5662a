/* mime.h - the structure of a message: RFC 2045, RFC 2046, in one streaming pass.
 *
 * Bytes go in in pieces of any size; the tree comes out, the same however they were cut. Offsets and sizes are in
 * octets of the message as IMAP shows it. With MIME_LF a bare LF counts as CRLF (a file with LF line ends; crlf.h
 * reads such a file with the same offsets). Everything a stranger can make grow has a limit below; what lies beyond
 * is text without structure, and sizes stay exact.
 *
 * How the doubtful is decided, once for all:
 * - A header ends with the first empty line only; without one all is header. A boundary line ends a header, too.
 * - A boundary line is "--", the boundary, "--" or not, blanks, line end. The line end before it belongs to it. Outer
 *   boundaries end inner parts.
 * - No or a broken Content-Type is text/plain; charset=us-ascii (in multipart/digest message/rfc822).
 * - A multipart without boundary or without a single part is text/plain, for IMAP has no word for it.
 * - Of repeated fields the first counts; repeated To, Cc, Bcc are one list (RFC 5322 4.5.3).
 * - `lines` are the line ends among the body's octets. */
#ifndef POSTERN_MESSAGE_MIME_H
#define POSTERN_MESSAGE_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/arena.h>
#include <postern/core/str.h>
#include <postern/message/addrlist.h>
#include <postern/message/param.h>

enum {
	MIME_DEPTH_MAX = 100,           /* levels of parts and enclosed messages */
	MIME_PARTS_MAX = 10000,         /* parts of a message, enclosed messages counted */
	MIME_BOUNDARY_MAX = 256,        /* longer boundaries are none (RFC 2046 5.1.1 allows 70) */
	MIME_FIELD_MAX = 256 * 1024,    /* octets of one field that are looked at */
	MIME_ADDRESSES_MAX = 10000,     /* address items of a message, all fields together */
	MIME_MEMORY_MAX = 8 * 1024 * 1024, /* arena bytes of a tree; beyond it fields are left out */
};

/* The fields of ENVELOPE (RFC 9051 7.5.2) and what threading needs besides, unfolded, encoded words as they are. p is
 * NULL where the field is absent. The defaults for sender and reply-to are made by the writer. */
struct mime_envelope {
	struct str date;
	struct str subject;
	struct addrlist from;
	struct addrlist sender;
	struct addrlist reply_to;
	struct addrlist to;
	struct addrlist cc;
	struct addrlist bcc;
	struct str in_reply_to;
	struct str message_id;
	struct str references; /* RFC 5322 3.6.4; not part of ENVELOPE */
};

/* A list of strings (Content-Language). */
struct mime_tag {
	struct mime_tag *next;
	struct str tag;
};

enum mime_kind {
	MIME_LEAF,
	MIME_MULTIPART, /* children: its parts, at least one */
	MIME_MESSAGE,   /* message/rfc822 or message/global; one child: the enclosed message */
};

struct mime_part {
	struct mime_part *parent; /* NULL for the message itself */
	struct mime_part *child;  /* first child */
	struct mime_part *next;   /* next sibling */
	enum mime_kind kind;
	bool is_message;          /* the message itself or an enclosed one: its header has an envelope */
	uint64_t header_at;
	uint64_t header_size;     /* with the empty line; body_at is header_at + header_size */
	uint64_t body_at;
	uint64_t body_size;
	uint64_t lines;
	struct str type;          /* lower case, as subtype, encoding and disposition; never empty */
	struct str subtype;
	const struct param *params;
	struct str id;            /* p is NULL where a field is absent, here and below */
	struct str description;
	struct str encoding;      /* "7bit" when absent */
	struct str md5;
	struct str disposition;
	const struct param *disposition_params;
	struct mime_tag *language;
	struct str location;
	struct mime_envelope *envelope; /* exactly when is_message */
};

struct mime {
	struct mime_part *root;
	uint64_t size;     /* RFC822.SIZE */
	uint32_t parts;
	bool has_nul;      /* a NUL somewhere: not allowed in an IMAP literal (imaptext.h) */
	bool has_8bit;     /* an octet above 0x7f somewhere */
	bool has_bare_lf;  /* some line ended with LF only (then MIME_LF changes the sizes) */
	bool limited;      /* some limit cut something off the tree */
};

enum mime_option {
	MIME_LF = 1, /* count bare LF as CRLF */
};

struct mime_parser;

/* The tree and all its strings live in the arena, which must outlive them; the parser itself does not. */
struct mime_parser *mime_parser_new(struct arena *a, unsigned options);
void mime_parser_feed(struct mime_parser *p, struct str piece);
/* Ends the message; the tree is complete. No feed afterwards. */
const struct mime *mime_parser_end(struct mime_parser *p);
void mime_parser_free(struct mime_parser *p);

/* All at once. */
const struct mime *mime_parse(struct arena *a, struct str message, unsigned options);

/* BODY[section] (RFC 9051 6.4.5.1). HEADER.FIELDS is HEADER, then header_select(). */
enum mime_section {
	MIME_WHOLE,  /* BODY[] without numbers; BODY[1.2]: the body of the part */
	MIME_HEADER, /* BODY[HEADER], BODY[3.HEADER] */
	MIME_TEXT,   /* BODY[TEXT], BODY[3.TEXT] */
	MIME_MIME,   /* BODY[3.MIME] */
};

struct mime_span {
	uint64_t at;
	uint64_t size;
};

/* The part a section number names; n is 0: the message itself. NULL: no such part. For BINARY this is the part whose
 * body is to be decoded. */
const struct mime_part *mime_find(const struct mime *m, const uint32_t *number, size_t n);
/* Where the section's octets are. False: there is no such section (IMAP answers NIL). */
bool mime_section(const struct mime *m, const uint32_t *number, size_t n, enum mime_section what,
    struct mime_span *out);
/* The next part of a walk in document order (part before its children), NULL at the end: for SEARCH BODY. */
const struct mime_part *mime_next(const struct mime_part *part);

#endif
