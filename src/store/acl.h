/* acl.h - rights within the store; private to src/store. */
#ifndef POSTERN_STORE_ACL_H
#define POSTERN_STORE_ACL_H

#include <postern/store/rights.h>

#include "work.h"

/* What `who` may do with the mailbox of the owner. */
unsigned acl_rights(struct snap *s, uint32_t mailbox, struct str owner, struct str who);
/* A new mailbox has the list of the one above it (RFC 4314 4, CREATE). */
void acl_inherit(struct txn *t, uint32_t parent, uint32_t child);

#endif
