/* idmap.c - open addressing with linear probing; multiplication by a random odd number spreads the hashes. A slot has half of a hash
 * only, so that the table stays in the processor's cache as long as it can; the whole is compared where the number leads. */
#include "idmap.h"

#include <stdbool.h>
#include <stdlib.h>

#include <sodium.h>

#include <postern/core/mem.h>

enum { CAP_FIRST = 1024 };

struct idmap_slot {
	uint32_t tag;
	uint32_t number; /* 0: free */
};

void
idmap_init(struct idmap *m)
{
	*m = (struct idmap){ 0 };
	randombytes_buf(&m->secret, sizeof(m->secret));
	randombytes_buf(&m->factor, sizeof(m->factor));
	m->factor |= 1;
}

void
idmap_fini(struct idmap *m)
{
	free(m->slot);
	free(m->hash);
	*m = (struct idmap){ 0 };
}

/* The slot of the hash, or the free one it would have. */
static struct idmap_slot *
find(const struct idmap *m, uint64_t hash)
{
	uint64_t mixed = (hash ^ m->secret) * m->factor;
	uint32_t tag = (uint32_t)mixed;

	for (size_t at = (size_t)(mixed >> 32);; at++) {
		struct idmap_slot *s = &m->slot[at & (m->cap - 1)];

		if (s->number == 0 || (s->tag == tag && m->hash[s->number] == hash))
			return s;
	}
}

uint32_t
idmap_get(const struct idmap *m, uint64_t hash)
{
	return m->cap > 0 ? find(m, hash)->number : 0;
}

static void
set(struct idmap *m, uint64_t hash, uint32_t number)
{
	struct idmap_slot *s = find(m, hash);

	m->n += s->number == 0;
	m->hash[number] = hash;
	*s = (struct idmap_slot){ (uint32_t)((hash ^ m->secret) * m->factor), number };
}

static void
grow(struct idmap *m)
{
	struct idmap_slot *old = m->slot;
	size_t n = m->cap;

	m->cap = n > 0 ? 2 * n : CAP_FIRST;
	m->slot = mem_array(m->cap, sizeof(*m->slot));
	m->n = 0;
	for (size_t i = 0; i < n; i++)
		if (old[i].number != 0)
			set(m, m->hash[old[i].number], old[i].number);
	free(old);
}

void
idmap_put(struct idmap *m, uint64_t hash, uint32_t number)
{
	if (m->n >= m->cap - m->cap / 4)
		grow(m);
	if (number >= m->room) {
		m->room = number + number / 2 + CAP_FIRST;
		m->hash = mem_resize(m->hash, m->room * sizeof(*m->hash));
	}
	set(m, hash, number);
}
