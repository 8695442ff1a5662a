/* owners.h - mailboxes of other users (RFC 2342, RFC 4314): whose a name is, and opening their accounts.
 *
 *   Users/<address>/<name>   a mailbox of the user with this address, as he names it; his INBOX is Users/<address>/INBOX
 *   Shared/<name>            the same of the one user whom the configuration names
 *
 * An address stands as it is kept, and in no other spelling. Nothing is opened, and no path is made, of what a client writes: an owner
 * is one who has shared something with this user, or anyone, by the store's own table (store_is_shared); all others, there or not,
 * cost the same look into it. A command opens the owners whom its arguments name before it runs, and holds them until it ends; the
 * selected mailbox holds its own. What may be done is asked of the owner's index at each use (rights.h). */
#ifndef IMAP_OWNERS_H
#define IMAP_OWNERS_H

#include "sess.h"

/* The name is below one of the namespaces: no mailbox of one's own, as long as they are offered. */
bool owners_has_name(const struct imap_session *s, struct str name);
/* Owner and his own name of the mailbox; empty when the name is a level above them. False: one's own name. */
bool owners_split(const struct imap_session *s, struct str name, struct str *owner, struct str *rest);
/* What his mailboxes' names begin with here; memory of the arena. */
struct str owners_prefix(const struct imap_session *s, struct str owner, struct arena *a);

/* The command needs the owner of this name, if there is one. */
void owners_note(struct command *c, struct str name);
/* It needs all of them. */
void owners_note_all(struct command *c);
/* Some are not open yet. */
bool owners_are_due(const struct command *c);
/* A step that opens them one after another, and goes on with `then`. */
enum step owners_open(struct imap_session *s, struct command *c, enum step (*then)(struct imap_session *s, struct command *c));
/* The one with this address, if he could be opened; NULL. */
const struct owner *owners_find(const struct command *c, struct str address);
void owners_free(struct command *c);

#endif
