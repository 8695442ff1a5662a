/* identifier.h - identifiers in lists of rights, as clients write them (RFC 4314 2, 3). */
#ifndef IMAP_IDENTIFIER_H
#define IMAP_IDENTIFIER_H

#include "sess.h"

/* The one spelling of it, in the arena: "anyone", or a user's canonical address (one without a domain is of the owner's
 * domain), either perhaps behind "-". False for what cannot name anybody. */
bool identifier_canon(struct arena *a, struct str raw, struct str owner, struct str *out);

#endif
