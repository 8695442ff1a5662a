/* sortmem.h - how a mailbox was sorted when all of it was: by what SORT compares nothing changes in a message, so that the next SORT of
 * the same mailbox, or of some of its messages, needs no comparison until new ones come.
 *
 * Belongs to the process that owns the user, and is bounded (memo.h). */
#ifndef IMAP_SORTMEM_H
#define IMAP_SORTMEM_H

#include <stdbool.h>

struct sort;
struct store_view;

enum {
	SORTMEM_BYTES_MAX = 32 * 1024 * 1024, /* of all mailboxes and criteria together: 4 for each message */
	SORTMEM_PART = 16, /* of fewer messages than one in so many the rest is not worth looking at */
};

/* o->uids becomes the remembered order, a copy. False: nothing is remembered that helps. */
bool sortmem_recall(struct sort *o, struct store_view *v);
/* Remembers o->uids, all messages of the view in order. */
void sortmem_keep(const struct sort *o, struct store_view *v);
/* Forgets everything; for tests. */
void sortmem_forget(void);

#endif
