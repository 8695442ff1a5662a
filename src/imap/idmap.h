/* idmap.h - from hashes of 64 bits to numbers: Message-IDs and subjects of threading. Where a hash lies depends on a secret of the
 * table, so that nobody can choose hashes that all lie in one place. */
#ifndef IMAP_IDMAP_H
#define IMAP_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap_slot;

struct idmap {
	struct idmap_slot *slot;
	size_t cap; /* a power of two, or 0 */
	size_t n;
	uint64_t secret;
	uint64_t factor;
};

void idmap_init(struct idmap *m);
void idmap_fini(struct idmap *m);
/* The place of the hash's number, which is 0 at first; good until the next call. */
uint32_t *idmap_at(struct idmap *m, uint64_t hash);

#endif
