/* rank.h - the results of a sorted context: where each stands, while messages come and go (RFC 5267 4.3.2).
 *
 * A tree in the order of keys, then UIDs, that knows the size of each of its parts; by UID through a hash table. Coming,
 * going and the question for a position cost the logarithm of the results. */
#ifndef IMAP_RANK_H
#define IMAP_RANK_H

#include <stddef.h>
#include <stdint.h>

#include <postern/core/str.h>

struct rank_node;

struct rank {
	struct rank_node *root;
	struct rank_node **slot;
	size_t slots;  /* a power of two, or 0 */
	size_t n;      /* results */
	size_t bytes;  /* what they take */
	uint64_t seed; /* of the tree's shape: nobody can choose it */
};

void rank_fini(struct rank *r);
/* A UID that is there already stays as it is. Keys are compared as bytes. */
void rank_add(struct rank *r, uint32_t uid, struct str key);
void rank_remove(struct rank *r, uint32_t uid);
/* 1 is the first; 0: not there. */
uint32_t rank_position(const struct rank *r, uint32_t uid);

#endif
