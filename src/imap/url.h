/* url.h - IMAP URLs of messages and their parts (RFC 5092), as CATENATE takes them: relative to the session's user and
 * server, so that nothing in them names another (RFC 4469 3). */
#ifndef IMAP_URL_H
#define IMAP_URL_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/str.h>

struct url {
	bool absolute;        /* the path began with "/": mailbox is the whole name; else it stands beside the selected one */
	struct str mailbox;   /* UTF-8; empty: the selected one */
	uint32_t uidvalidity; /* 0: not given */
	uint32_t uid;
	struct str section;   /* section-spec of FETCH; empty: the whole message */
	bool partial;
	uint64_t from;
	uint64_t size;        /* UINT64_MAX: to the end */
};

/* False: it is no URL of a message here. Strings are the arena's. */
bool url_parse(struct str text, struct arena *arena, struct url *u);
/* The URL for a response code: what cannot stand there is percent-encoded. */
void url_write(struct buf *out, struct str text);

#endif
