/* ranks.h - texts that become numbers in the same order: equal ones are kept and compared once, so that sorting many messages of few
 * threads compares numbers. */
#ifndef IMAP_RANKS_H
#define IMAP_RANKS_H

#include <postern/core/buf.h>
#include <postern/core/str.h>

#include "idmap.h"
#include "order.h"

struct ranks_text;

struct ranks {
	struct idmap ids;        /* hash → text + 1 */
	struct buf octets;       /* of all texts */
	struct ranks_text *text;
	uint32_t n;
	size_t cap;
	struct order order;
	uint32_t *rank;          /* of each text, when ranks_step says so */
	unsigned char key[16];   /* of the hash */
};

/* max: octets of all texts together; beyond it octets.over, and nothing is kept. */
void ranks_init(struct ranks *r, size_t max);
void ranks_fini(struct ranks *r);
/* The number of the text; the same for equal ones. */
uint32_t ranks_add(struct ranks *r, struct str text);
/* Goes on by about budget comparisons; true when rank[number] is the place of each text in octet order. */
bool ranks_step(struct ranks *r, size_t budget);

#endif
