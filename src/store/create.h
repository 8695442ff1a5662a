/* create.h - making mailboxes, for those who need one on their way; private to src/store. */
#ifndef POSTERN_STORE_CREATE_H
#define POSTERN_STORE_CREATE_H

#include "work.h"

/* A name that came with a request. */
struct named {
	struct buf name; /* canonical */
	const char *why; /* it cannot be a name; NULL: it can */
};
void named_init(struct named *n, struct str name);
void named_fini(struct named *n);
/* False: the request is refused. */
bool named_ok(struct store_request *r, const struct named *n);

/* The directory a new mailbox of that name has; false when it would be too long. */
bool create_dir_name(struct str name, char dir[static 256]);
/* Directories of the name and the parents it lacks. False: refused. */
bool create_prepare(struct work *w, struct store_request *r, struct str name);
/* After a request that was refused: directories that it made and no mailbox has go, or they would become mailboxes. */
void create_undo(struct work *w, struct store_request *r);
/* May it be made: "k" on the nearest mailbox above it (RFC 4314 4)? The owner may where there is none. False: refused. */
bool create_allowed(struct txn *t, struct store_request *r, struct str name);
/* The mailbox, made with its parents unless it exists. NULL: refused. */
struct open_mbox *create_apply(struct txn *t, struct store_request *r, struct str name);

#endif
