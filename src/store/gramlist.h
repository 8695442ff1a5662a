/* gramlist.h - which messages of a block have a gram, as few bytes; and rows with the lists of many grams. */
#ifndef STORE_GRAMLIST_H
#define STORE_GRAMLIST_H

#include "gramset.h"

enum {
	GRAM_WORDS = STORE_GRAM_BLOCK / 64,
	GRAM_LIST_MAX = 4 + STORE_GRAM_BLOCK / 8, /* bytes of a list */
	GRAM_CHUNK_MAX = 4080, /* bytes of a row: what one page of LMDB holds of a large value */
};

/* Messages of a block, by uid % STORE_GRAM_BLOCK. */
struct gram_bits {
	uint64_t w[GRAM_WORDS];
};
static inline void
gram_bits_add(struct gram_bits *b, unsigned i)
{
	b->w[i / 64] |= UINT64_C(1) << i % 64;
}
static inline bool
gram_bits_has(const struct gram_bits *b, unsigned i)
{
	return b->w[i / 64] >> i % 64 & 1;
}
unsigned gram_bits_count(const struct gram_bits *b);
bool gram_bits_any(const struct gram_bits *b);
/* The first member >= i; STORE_GRAM_BLOCK when there is none. */
unsigned gram_bits_next(const struct gram_bits *b, unsigned i);

/* Adds the list of those of `care` that are in b; of others the list may say anything. */
void gram_list_write(struct buf *out, const struct gram_bits *b, const struct gram_bits *care);
/* False when it is damaged. */
bool gram_list_read(struct str list, struct gram_bits *b);

/* A chunk holds the lists of ascending grams. */
struct gram_entry {
	uint32_t gram;
	struct str list;
};
struct gram_chunk {
	const uint8_t *p, *end;
	uint32_t next;
	bool bad;
};
struct gram_chunk gram_chunk_begin(struct str row);
/* False at the end, or when the row is damaged. */
bool gram_chunk_next(struct gram_chunk *c, struct gram_entry *e);
/* Adds the entry; next: one more than the gram before it in the chunk, 0 for the first. */
void gram_chunk_add(struct buf *out, uint32_t next, const struct gram_entry *e);

#endif
