/* boxmem.h - what a mailbox looked like when it was last selected: the UIDs as runs and the first message without \Seen, with the
 * MODSEQ up to which that is true. The next SELECT needs only what has changed since, however large the mailbox is.
 *
 * Belongs to the process that owns the user, and is bounded: what was longest not asked for goes. */
#ifndef IMAP_BOXMEM_H
#define IMAP_BOXMEM_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/io.h>
#include <postern/store/read.h>

#include "view.h"

enum {
	BOXMEM_BYTES_MAX = 16 * 1024 * 1024, /* of all mailboxes together */
	BOXMEM_CHANGES_MAX = 10000,          /* changed messages that are looked at one by one for the first without \Seen */
};

#define BOXMEM_UNKNOWN UINT32_MAX

/* Notes the view and the first UID without \Seen (0: none; or BOXMEM_UNKNOWN), both as of this MODSEQ or later. */
void boxmem_keep(const struct store_mailbox *box, uint64_t modseq, const struct view *view, uint32_t unseen);
/* Fills the empty view and *unseen as they are in this snapshot. False: nothing is remembered that helps. */
bool boxmem_recall(struct store_view *v, const struct store_mailbox *box, struct view *view, uint32_t *unseen);
/* What all that is remembered takes. */
size_t boxmem_bytes(void);
/* Forgets everything; for tests. */
void boxmem_forget(void);

#endif
