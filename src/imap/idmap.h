/* idmap.h - from hashes of 64 bits to numbers: Message-IDs and subjects of threading, texts of sorting. Where a hash lies depends on a
 * secret of the table, so that nobody can choose hashes that all lie in one place. */
#ifndef IMAP_IDMAP_H
#define IMAP_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap_slot;

struct idmap {
	struct idmap_slot *slot;
	size_t cap;     /* a power of two, or 0 */
	size_t n;
	uint64_t *hash; /* of each number */
	size_t room;
	uint64_t secret;
	uint64_t factor;
};

void idmap_init(struct idmap *m);
void idmap_fini(struct idmap *m);
/* The number of the hash, 0 when it has none. */
uint32_t idmap_get(const struct idmap *m, uint64_t hash);
/* Gives it a number, which is not 0 and no other hash has; the one it had is forgotten. Memory is as large as the highest number. */
void idmap_put(struct idmap *m, uint64_t hash, uint32_t number);

#endif
