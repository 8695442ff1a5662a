/* imapdata.h - envelope and structure of a message as one compact record, for the store's cache.
 *
 * Whoever keeps the record keeps some lines of the header besides, as they stand in the message; a string that is there, too, is
 * not kept twice. The same lines are needed to read the record.
 *
 * The record is a byte string with a version; a record of another version, or one that is damaged, reads as NULL and
 * is made anew from the message. */
#ifndef POSTERN_MESSAGE_IMAPDATA_H
#define POSTERN_MESSAGE_IMAPDATA_H

#include <stdbool.h>

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/str.h>
#include <postern/message/mime.h>

enum { IMAPDATA_VERSION = 3 };

/* Adds the record of the tree; lines may be empty. */
void imapdata_write(struct buf *out, const struct mime *m, struct str lines);
/* Builds the tree again; its strings are views into record and lines, its nodes are in the arena. NULL: other version
 * or damaged (every byte string is safe to read). */
const struct mime *imapdata_read(struct arena *a, struct str record, struct str lines);
/* The same, but only the envelope of the message itself, without looking at its parts. NULL: as above, or none. */
const struct mime_envelope *imapdata_read_envelope(struct arena *a, struct str record, struct str lines);

#endif
