/* name.h - names of mailboxes and their Maildir++ directories.
 *
 * A name is UTF-8 with "/" between levels; INBOX is INBOX in any case. Its directory is "" for INBOX (the Maildir
 * itself), else "." and the levels in modified UTF-7 joined by "."; within a level "." is \2e and "\" is \5c. */
#ifndef POSTERN_STORE_NAME_H
#define POSTERN_STORE_NAME_H

#include <stdbool.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

/* Adds the name as we spell it; false when no mailbox can have it (static words in *why). */
bool name_canonical(struct buf *out, struct str name, const char **why);
/* Adds the directory of a canonical name; false when it would be too long. */
bool name_to_dir(struct buf *out, struct str name);
/* Adds the name a directory of the Maildir stands for; false when it is none. Foreign spellings are taken leniently:
 * not the inverse for all, so keep the directory beside the name. */
bool name_from_dir(struct buf *out, struct str dir);
/* True when child lies below parent. */
bool name_below(struct str child, struct str parent);

/* "<domain>/<local>" for a canonical address; false for what cannot be an address. */
bool name_user_dir(struct buf *out, struct str address);

#endif
