/* out_reply.h - the reader of replies (RFC 5321 4.2): frames and parses what a server, a stranger, says.
 *
 * Takes input in any pieces. A line ends with LF, with or without CR before it; it begins with three digits that mean
 * something, the same in all lines of a reply. Too long a line (SMTP_OUT_LINE_MAX), too long a reply
 * (SMTP_OUT_REPLY_MAX), a NUL, or anything else is no reply: OUT_REPLY_BROKEN, and nothing can be read behind it. */
#ifndef POSTERN_SMTP_OUT_REPLY_H
#define POSTERN_SMTP_OUT_REPLY_H

#include <postern/core/buf.h>
#include <postern/core/str.h>

struct out_reply {
	unsigned code;     /* 200 to 599 */
	char enhanced[12]; /* "5.1.1", or "" when there is none or its class is another (RFC 2034 4) */
	struct str text;   /* the lines without code and enhanced code, each ended by '\n', raw otherwise; lives until
	                    * the next call of the reader */
};

struct out_reply_reader {
	struct buf line;   /* the line that has begun */
	struct buf text;   /* of the lines that are complete */
	size_t total;      /* bytes of this reply */
	bool complete;     /* text was given out: the next line begins a new one */
	struct out_reply reply;
	const char *why;   /* after BROKEN: what is wrong, in words for the log */
};

enum out_reply_found { OUT_REPLY_MORE, OUT_REPLY_DONE, OUT_REPLY_BROKEN };

void out_reply_init(struct out_reply_reader *r);
void out_reply_fini(struct out_reply_reader *r);
/* Takes bytes off *in. DONE: r->reply is a reply, what is left of *in comes after it. MORE: the input is used up. */
enum out_reply_found out_reply_next(struct out_reply_reader *r, struct str *in);
/* True in the middle of a reply. */
bool out_reply_begun(const struct out_reply_reader *r);

/* Adds text as one line for log and DSN: line ends become blanks, control bytes and broken UTF-8 become "?", and what
 * is longer than max bytes is cut and marked with "...". */
void out_reply_words(struct buf *out, struct str text, size_t max);

#endif
