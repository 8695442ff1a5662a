/* cacherow.h - what the store's cache keeps of a message for IMAP: the preview, then envelope and structure (message/
 * imapdata.h). */
#ifndef IMAP_CACHEROW_H
#define IMAP_CACHEROW_H

#include <stdbool.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>
#include <postern/message/mime.h>

/* Adds the row of a message whose file is open. */
void cacherow_write(struct buf *out, const struct mime *tree, int fd, bool lf);
/* The parts of a row, as views into it. False: it is of another version; a damaged structure shows when it is read. */
bool cacherow_read(struct str row, struct str *preview, struct str *data);

#endif
