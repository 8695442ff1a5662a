/* idmap.c - open addressing with linear probing; multiplication by a random odd number spreads the hashes. */
#include "idmap.h"

#include <stdbool.h>
#include <stdlib.h>

#include <sodium.h>

#include <postern/core/mem.h>

enum { CAP_FIRST = 1024 };

struct idmap_slot {
	uint64_t hash;
	uint32_t number;
	uint32_t used;
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
	*m = (struct idmap){ 0 };
}

/* The slot of the hash, or the free one it would have. */
static struct idmap_slot *
find(const struct idmap *m, uint64_t hash)
{
	size_t at = (size_t)((hash ^ m->secret) * m->factor >> 32);

	for (;; at++) {
		struct idmap_slot *s = &m->slot[at & (m->cap - 1)];

		if (!s->used || s->hash == hash)
			return s;
	}
}

static void
grow(struct idmap *m)
{
	struct idmap_slot *old = m->slot;
	size_t n = m->cap;

	m->cap = n > 0 ? 2 * n : CAP_FIRST;
	m->slot = mem_array(m->cap, sizeof(*m->slot));
	for (size_t i = 0; i < n; i++)
		if (old[i].used)
			*find(m, old[i].hash) = old[i];
	free(old);
}

uint32_t *
idmap_at(struct idmap *m, uint64_t hash)
{
	struct idmap_slot *s;

	if (2 * m->n >= m->cap)
		grow(m);
	s = find(m, hash);
	if (!s->used) {
		*s = (struct idmap_slot){ hash, 0, 1 };
		m->n++;
	}
	return &s->number;
}
