/* mime_parser.h - the state of a structure parse: mime.c (lines and parts) and mime_field.c (header fields). */
#ifndef POSTERN_MESSAGE_MIME_PARSER_H
#define POSTERN_MESSAGE_MIME_PARSER_H

#include <postern/core/buf.h>
#include <postern/message/mime.h>

/* A part being read: the public part first, so that the pointers convert. */
struct mime_node {
	struct mime_part part;
	struct mime_node *last;  /* child */
	uint64_t line_ends;      /* seen before the body */
	unsigned depth;
	bool has_type;           /* a usable Content-Type was there */
};

/* A multipart whose boundary lines we look for. */
struct mime_boundary {
	struct str text;
	struct mime_node *node;
};

struct mime_field;

struct mime_parser {
	struct arena *arena;
	unsigned options;
	size_t arena_before;
	struct mime *mime;
	struct mime_node *node;  /* innermost part */
	bool in_header;
	struct mime_boundary open[MIME_DEPTH_MAX];
	unsigned n_open;
	/* lines; offsets are those IMAP sees */
	uint64_t at;             /* begin of the current line */
	uint64_t line_ends;
	unsigned last_end;       /* octets of the line end before `at` */
	struct buf line;         /* of a line that came in pieces: its begin, under a ceiling */
	uint64_t line_size;
	char line_last;
	/* the header field being read */
	const struct mime_field *field;
	struct buf value;
	size_t addresses_left;
};

/* A line of a header begins a field or goes on with one; then the field is complete. */
void mime_field_line(struct mime_parser *p, struct str line);
void mime_field_end(struct mime_parser *p);
/* Makes a part what it is when nothing else is known, or when its own word cannot be used: text/plain. */
void mime_field_default_type(struct mime_node *node);

#endif
