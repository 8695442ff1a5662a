/* reply.h - status responses (RFC 9051 7.1): what a handler returns, written in one place. */
#ifndef IMAP_REPLY_H
#define IMAP_REPLY_H

#include <postern/core/buf.h>
#include <postern/core/str.h>

enum reply_kind { REPLY_OK, REPLY_NO, REPLY_BAD, REPLY_BYE };

struct reply {
	enum reply_kind kind;
	struct str code; /* without brackets, empty: none */
	struct str text; /* never from outside */
};

/* "tag OK [code] text" CRLF; an empty tag is "*". */
void reply_write(struct buf *out, struct str tag, const struct reply *r);

#endif
