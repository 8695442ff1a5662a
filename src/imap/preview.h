/* preview.h - the beginning of a message's text for a list of messages (RFC 8970). A pure function of the message, for any
 * thread. */
#ifndef IMAP_PREVIEW_H
#define IMAP_PREVIEW_H

#include <stdbool.h>

#include <postern/core/buf.h>
#include <postern/message/mime.h>

enum {
	PREVIEW_CHARACTERS = 200,  /* RFC 8970 3.3; never more than 256 */
	PREVIEW_READ = 32 * 1024,  /* octets of a part that are looked at */
};

/* Adds the preview in UTF-8: one line, blanks collapsed, quoted lines and the signature left out, markup removed. Nothing
 * when there is no text. fd: the message file, lf: its line ends. */
void preview_make(struct buf *out, const struct mime *tree, int fd, bool lf);

/* Adds the text of HTML: tags, comments, scripts and styles removed, entities replaced. For preview_make. */
void preview_strip_html(struct buf *out, struct str html);

#endif
