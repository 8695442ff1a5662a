/* acl.h - rights within the store; private to src/store. */
#ifndef POSTERN_STORE_ACL_H
#define POSTERN_STORE_ACL_H

#include <postern/store/rights.h>

#include "work.h"

/* What `who` may do with the mailbox of the owner. */
unsigned acl_rights(struct snap *s, uint32_t mailbox, struct str owner, struct str who);
/* What whoever makes the request may do with the mailbox now, in the transaction; nothing without "l". */
unsigned acl_granted(struct txn *t, const struct store_request *r, uint32_t mailbox);
/* All of these? False: refused. */
bool acl_allows(struct txn *t, struct store_request *r, uint32_t mailbox, unsigned want);
/* STORE_NOPERM, or as if there were no such mailbox for who may not look it up. False. */
bool acl_refuse(struct store_request *r, unsigned granted);
/* No list of the account may have one more identifier. */
bool acl_is_full(const struct txn *t);
/* A new mailbox has the list of the one above it (RFC 4314 4, CREATE). */
void acl_inherit(struct txn *t, uint32_t parent, uint32_t child);

#endif
