/* subject.h - the base subject (RFC 5256 2.1): what is left of a Subject without "Re:", "[list]", "(fwd)". */
#ifndef IMAP_SUBJECT_H
#define IMAP_SUBJECT_H

#include <stdbool.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

/* Adds the base subject of a raw field value, folded for comparison (i;unicode-casemap). True when something was taken
 * off that marks a reply or forward. Linear. */
bool subject_base(struct buf *out, struct str raw);

#endif
