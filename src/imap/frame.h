/* frame.h - from a byte stream to whole commands: lines and the literals in them (RFC 9051 2.2.1, 4.3, RFC 7888).
 *
 * Only this layer is resumable. A command is kept as it came, literals in place behind their "{n}" CRLF, so that the
 * parser (lex.h) reads complete bytes as the grammar says. The owner decides about each announced literal. */
#ifndef IMAP_FRAME_H
#define IMAP_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

struct frame_limits {
	size_t line_max;       /* bytes of one line, its CRLF included */
	size_t bytes_max;      /* bytes of a whole command, literals included */
	size_t literal_max;    /* bytes of one literal that is kept */
	unsigned literals_max; /* literals in one command */
	bool secret;           /* commands may hold passwords: overwrite bytes before they are freed */
};

enum frame_event {
	FRAME_MORE,     /* all was taken, nothing is complete */
	FRAME_COMMAND,  /* bytes: a whole command (or expected line) without its last CRLF; then frame_reset() */
	FRAME_LITERAL,  /* literal was announced: frame_keep(), frame_stream() or frame_refuse() */
	FRAME_DATA,     /* chunk: the next bytes of the streamed literal */
	FRAME_BARE_LF,  /* a line that ended without CR was dropped */
	FRAME_TOO_LONG, /* the line passed its limit: the stream cannot be followed any more */
};

struct frame_literal {
	uint64_t size;  /* FRAME_LITERAL_HUGE: more than 63 bits */
	bool nonsync;   /* "{n+}": the bytes come without being asked for */
	bool binary;    /* "~{n}" */
};
#define FRAME_LITERAL_HUGE UINT64_MAX

enum frame_state { FRAME_IN_LINE, FRAME_IN_LITERAL, FRAME_IN_STREAM, FRAME_IN_SKIP, FRAME_UNDECIDED };

struct frame {
	struct frame_limits limits;
	enum frame_state state;
	struct buf bytes;
	size_t line_at;   /* where the current line begins in bytes */
	uint64_t left;    /* of the literal */
	unsigned literals;
	bool plain;       /* the next line is no command: no literals in it */
	bool refused;     /* the rest of this command is read and thrown away */
	struct frame_literal literal;
	struct str chunk; /* FRAME_DATA: points into the fed bytes */
};

void frame_init(struct frame *f, const struct frame_limits *limits);
void frame_fini(struct frame *f);
/* Forgets the command; small memory is kept for the next, large is given back. */
void frame_reset(struct frame *f);

/* Takes bytes up to the next event and returns how many. */
size_t frame_feed(struct frame *f, struct str in, enum frame_event *event);
/* The next line is a continuation (SASL response, DONE), not a command. */
void frame_expect_line(struct frame *f);

/* After FRAME_LITERAL. Does the literal fit under the limits for literals that are kept? */
bool frame_fits(const struct frame *f);
/* Its bytes are added to the command. Only if it fits. */
void frame_keep(struct frame *f);
/* Its bytes come as FRAME_DATA and are not kept. */
void frame_stream(struct frame *f);
/* The command is dropped: a synchronizing literal never comes, the bytes of the other kind are skipped to the end
 * of the command. */
void frame_refuse(struct frame *f);
/* True at the start of a command: nothing of one was taken yet. */
bool frame_is_empty(const struct frame *f);

#endif
