/* cacherow.h - what the store's cache keeps of a message for IMAP, in two records.
 *
 * The row, read for one message:
 *   octets      what
 *   1           version
 *   2           length of the preview
 *   4           length of the header lines
 *   …           the preview (preview.h): UTF-8 without NUL
 *   …           header lines that clients ask for, byte exact (headlines.h)
 *   the rest    envelope and structure (message/imapdata.h); a string that stands in the header lines is a place there
 * The keys, read for all messages of a mailbox at once, are in mailkeys.h. Numbers are in the machine's own order: an index is never
 * moved between machines. Rows come from the disk: a damaged one reads as none, and is made anew. */
#ifndef IMAP_CACHEROW_H
#define IMAP_CACHEROW_H

#include <stdbool.h>

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/str.h>
#include <postern/message/mime.h>
#include <postern/store/store.h>

#include "headlines.h"

/* The parts of a row, as views into it. */
struct cacherow {
	struct str preview;
	struct headlines lines;
	struct str data;
};

/* The structure of a message file; NULL when it cannot be read. */
const struct mime *cacherow_parse(struct arena *arena, int fd, bool lf);
/* Adds row and keys of a message whose file is open. */
void cacherow_write(struct store_made *made, const struct mime *tree, int fd, bool lf);
/* False: another version, or damaged; a damaged structure shows when it is read. */
bool cacherow_read(struct str row, struct cacherow *r);
/* Envelope and structure, with nodes in the arena; NULL when they are damaged. */
const struct mime *cacherow_tree(struct arena *a, const struct cacherow *r);
const struct mime_envelope *cacherow_envelope(struct arena *a, const struct cacherow *r);

#endif
