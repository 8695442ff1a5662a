/* pattern.h - the wildcards of LIST (RFC 9051 6.3.9): "*" any characters, "%" any but the hierarchy separator. */
#ifndef IMAP_PATTERN_H
#define IMAP_PATTERN_H

#include <stdbool.h>

#include <postern/core/str.h>

/* Does the whole name match? INBOX, alone or as first level, matches in any case. At most pattern.n * name.n steps. */
bool pattern_match(struct str pattern, struct str name);

#endif
