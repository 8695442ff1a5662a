/* fetch.h - the parts of FETCH: fetch_parse.c (grammar), fetch_item.c (what each item writes), fetch_body.c (sections),
 * fetch_binary.c (decoded sections), cmd_fetch.c (the walk over the messages). */
#ifndef IMAP_FETCH_H
#define IMAP_FETCH_H

#include <postern/message/encoding.h>
#include <postern/message/header.h>
#include <postern/message/mime.h>

#include "letter.h"
#include "numbers.h"
#include "qresync.h"
#include "sess.h"

enum {
	FETCH_ITEMS_MAX = 100,         /* items of one FETCH */
	FETCH_IMPLIED = 2,             /* UID, MODSEQ: asked for by the command's form */
	FETCH_SECTION_DEPTH_MAX = 100, /* numbers in a section: MIME_DEPTH_MAX levels exist */
	FETCH_FIELDS_MAX = 500,        /* names in HEADER.FIELDS */
	FETCH_PIECE = 32 * 1024,       /* octets written in one step */
};

enum fetch_flag {
	FETCH_SECTION = 1 << 0,  /* "[…]" follows the name */
	FETCH_PARTIAL = 1 << 1,  /* "<…>" may follow that */
	FETCH_BINARY = 1 << 2,   /* the section is a part, without HEADER and the like */
	FETCH_SEEN = 1 << 3,     /* sets \Seen */
	FETCH_TREE = 1 << 4,     /* needs the structure */
	FETCH_FILE = 1 << 5,     /* needs the message file */
	FETCH_LAZY = 1 << 6,     /* "(LAZY)" may follow: then nothing is done for it */
	FETCH_LINES = 1 << 7,    /* needs header lines that are kept with the structure (headlines.h) */
};

struct fetch;
struct fetch_item;

/* How an item went. */
enum fetch_went { FETCH_WRITTEN, FETCH_STREAMS };

/* An item is a row. */
struct fetch_row {
	struct str name;
	unsigned flags;
	/* Writes the value (the label is written). STREAMS: f->stream has been set up and writes the rest. */
	enum fetch_went (*write)(struct imap_session *s, struct fetch *f, const struct fetch_item *i);
	struct str label; /* in the answer, when it is not the name: the section goes into it where it has one */
	const char *capability;
	const char *rfc;
};

enum fetch_fields { FIELDS_ALL, FIELDS_ONLY, FIELDS_EXCEPT };

struct fetch_section {
	uint32_t *number;
	size_t depth;
	enum mime_section what;
	enum fetch_fields fields;
	struct str *names;
	size_t nnames;
};

struct fetch_item {
	const struct fetch_row *row;
	unsigned flags;        /* the row's, less what this section does not need */
	struct fetch_section section;
	uint64_t lines;        /* FETCH_LINES: which */
	bool partial;
	uint64_t from;
	uint64_t size;
	struct str label;      /* as the answer has it, with the space behind it */
};

/* A value on its way to the client. */
struct fetch_stream {
	enum step (*step)(struct imap_session *s, struct fetch *f);
	uint64_t at;           /* next octet to be read */
	uint64_t left;         /* octets of the literal still to be written */
	/* fetch_binary.c */
	struct decoder decoder;
	struct mime_span span; /* the encoded part */
	uint64_t skip;         /* decoded octets before the first wanted */
	uint64_t decoded;      /* how many there are, when counted */
	bool has_nul;
	bool to_crlf;          /* text: a bare LF becomes CRLF */
	bool after_cr;
	bool ended;            /* the decoder has given all */
};

struct fetch {
	struct seq_set set;
	struct fetch_item *items;
	size_t n;
	unsigned flags;        /* of all items, ORed */
	uint64_t lines;        /* the same */
	bool changedsince;     /* only messages with a higher mod-sequence than resync.since (RFC 7162 3.1.4.1) … */
	bool vanished;         /* … and the UIDs that are gone since (RFC 7162 3.2.6) */
	struct resync resync;
	struct partial partial; /* of the messages in the set (RFC 9394 3.3) */
	bool looked;           /* resync is filled */
	struct uidset seqs;    /* messages meant */
	uint32_t next;         /* sequence number of the next message, 0: none */
	struct uidset seen;    /* UIDs that get \Seen by this command */
	bool missing;          /* some are gone */
	bool unknown_cte;      /* BINARY of a part that cannot be decoded */
	bool failed;           /* some file could not be read */
	/* the message under way */
	bool writing;               /* its response is begun and not ended */
	uint32_t seq;
	struct store_message m;
	struct store_view *view;    /* only while the index is open: items that need no structure are written then */
	struct store_rows_walk rows; /* the same */
	const struct str *keywords; /* names by bit; the same */
	size_t item;           /* the next item to be written */
	struct letter letter;
	struct fetch_stream stream;
};

/* fetch_parse.c: "[" [section-spec] "]"; takes FETCH_TREE off the item where the section does not need it. */
void fetch_parse_section(struct lex *l, struct fetch_item *i);
/* fetch_set.c: the numbers of the messages meant, to f->seqs and f->next. False: some do not exist. */
bool fetch_find_messages(struct imap_session *s, struct command *c);
bool fetch_progress(const struct imap_session *s, const struct command *c, struct progress *p);

/* What it holds outside the arena. */
void fetch_fini(struct fetch *f);

/* fetch_parse.c */
/* "(" fetch-att *(SP fetch-att) ")", for messages that come later; fetch_fini frees it. */
struct fetch *lex_fetch_unasked(struct lex *l);
/* An item by its name, unless it is there. */
void fetch_add_named(struct lex *l, struct fetch *f, struct str name);
/* What comes from the index first, what needs the file last. */
void fetch_order_items(struct fetch *f, struct arena *arena);

/* fetch_unasked.c: data of messages for which there is no command (RFC 5465) */
/* Without items. */
struct fetch *fetch_new_unasked(struct arena *arena);
/* Adds the items of another that are not there yet. */
void fetch_add_unasked(struct arena *arena, struct fetch *f, const struct fetch *from);
/* Begins to write them for these messages: run->args is the fetch; its steps end with DONE. */
void fetch_begin_unasked(struct imap_session *s, struct command *run, const struct uidset *seqs);
/* cmd_fetch.c */
enum step fetch_walk_step(struct imap_session *s, struct command *c);

/* fetch_item.c: every row. */
const struct fetch_row *fetch_find(struct str name, bool section);
/* A macro's items, NULL when the name is none. */
const char *const *fetch_macro(struct str name);

/* fetch_body.c */
enum fetch_went fetch_write_body(struct imap_session *s, struct fetch *f, const struct fetch_item *i);
/* Cuts a span to the item's partial. */
struct mime_span fetch_clip(const struct fetch_item *i, struct mime_span span);
void fetch_write_nil(struct imap_session *s);

/* fetch_binary.c */
enum fetch_went fetch_write_binary(struct imap_session *s, struct fetch *f, const struct fetch_item *i);
enum fetch_went fetch_write_binary_size(struct imap_session *s, struct fetch *f, const struct fetch_item *i);

#endif
