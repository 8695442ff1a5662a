/* guest.h - which messages of somebody else's mailboxes a guest has seen (RFC 4314 4); private to src/store.
 *
 * \Seen in a message's row is the owner's. A guest's stands in T_GUESTS: for each mailbox and guest rows of 4096 bits, one for
 * each UID; a row without a bit is not there. The bits of a message go in the commit in which it goes, so that counting them counts
 * messages. A change of one is a change of its message: it has the next MODSEQ, as any other. */
#ifndef POSTERN_STORE_GUEST_H
#define POSTERN_STORE_GUEST_H

#include "schema.h"

enum {
	GUEST_BLOCK = 4096,                /* UIDs of a row */
	GUEST_WORDS = GUEST_BLOCK / 64,
	GUEST_ID_SIZE = 16,                /* hash of his address */
};

/* A guest, and the row that was asked for last. */
struct guest {
	uint8_t id[GUEST_ID_SIZE];
	uint32_t mailbox; /* 0: no row yet */
	uint32_t block;
	bool dirty;
	uint64_t bits[GUEST_WORDS];
};

void guest_init(struct guest *g, struct str address);
bool guest_has_seen(struct snap *s, struct guest *g, uint32_t mailbox, uint32_t uid);
/* How many messages of the mailbox he has seen. */
uint32_t guest_count(struct snap *s, const struct guest *g, uint32_t mailbox);

/* Written when another row is asked for, or by guest_flush. */
void guest_set_seen(struct snap *s, struct guest *g, uint32_t mailbox, uint32_t uid, bool seen);
void guest_flush(struct snap *s, struct guest *g);
/* These messages are gone: so are everybody's bits. */
void guest_forget(struct snap *s, uint32_t mailbox, const struct uidset *uids);
/* The mailbox is gone. */
void guest_drop(struct snap *s, uint32_t mailbox);
/* The mailbox has another number in another index (rebuild): the bits of the messages it has there. */
void guest_salvage(struct snap *from, uint32_t old, struct snap *to, uint32_t mailbox);

#endif
