/* map.c - open addressing with linear probing, SipHash keyed at start. */
#include <postern/core/map.h>

#include <stdlib.h>

#include <sodium.h>

#include <postern/core/mem.h>

struct map_slot {
	char *key; /* NULL: never used; DEAD: a tombstone */
	size_t n;
	uint64_t hash;
	void *value;
};

static char dead_mark;
#define DEAD (&dead_mark)

static uint64_t
hash_of(struct str key)
{
	static unsigned char secret[crypto_shorthash_KEYBYTES];
	static bool keyed;
	uint64_t h;

	if (!keyed) {
		randombytes_buf(secret, sizeof secret);
		keyed = true;
	}
	crypto_shorthash((unsigned char *)&h, (const unsigned char *)key.p, key.n, secret);
	return h;
}

void
map_init(struct map *m)
{
	*m = (struct map){ 0 };
}

void
map_fini(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].key != DEAD)
			free(m->slots[i].key);
	free(m->slots);
	map_init(m);
}

static struct map_slot *
find(const struct map *m, struct str key, uint64_t hash)
{
	for (size_t i = 0; i < m->cap; i++) {
		struct map_slot *s = &m->slots[(hash + i) & (m->cap - 1)];

		if (s->key == NULL)
			return NULL;
		if (s->key != DEAD && s->hash == hash && str_eq(str_from(s->key, s->n), key))
			return s;
	}
	return NULL;
}

void *
map_get(const struct map *m, struct str key)
{
	struct map_slot *s = m->n > 0 ? find(m, key, hash_of(key)) : NULL;

	return s != NULL ? s->value : NULL;
}

static struct map_slot *
free_slot(struct map *m, uint64_t hash)
{
	size_t i = hash & (m->cap - 1);

	while (m->slots[i].key != NULL && m->slots[i].key != DEAD)
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

/* Keeps at most three quarters of the slots used; a table full of tombstones is rebuilt at its size. */
static void
make_room(struct map *m)
{
	struct map_slot *old = m->slots;
	size_t cap = m->cap;

	if (cap > 0 && (m->used + 1) * 4 <= cap * 3)
		return;
	m->cap = cap == 0 ? 16 : m->n * 2 >= cap ? cap * 2 : cap;
	m->slots = mem_array(m->cap, sizeof *m->slots);
	m->used = m->n;
	for (size_t i = 0; i < cap; i++)
		if (old[i].key != NULL && old[i].key != DEAD)
			*free_slot(m, old[i].hash) = old[i];
	free(old);
}

void *
map_put(struct map *m, struct str key, void *value)
{
	uint64_t hash = hash_of(key);
	struct map_slot *s = find(m, key, hash);

	if (s != NULL) {
		void *was = s->value;

		s->value = value;
		return was;
	}
	make_room(m);
	s = free_slot(m, hash);
	if (s->key == NULL)
		m->used++;
	*s = (struct map_slot){ mem_cstr(key), key.n, hash, value };
	m->n++;
	return NULL;
}

void *
map_del(struct map *m, struct str key)
{
	struct map_slot *s = m->n > 0 ? find(m, key, hash_of(key)) : NULL;
	void *was;

	if (s == NULL)
		return NULL;
	was = s->value;
	free(s->key);
	*s = (struct map_slot){ .key = DEAD };
	m->n--;
	return was;
}

bool
map_next(const struct map *m, size_t *at, struct str *key, void **value)
{
	for (; *at < m->cap; (*at)++) {
		const struct map_slot *s = &m->slots[*at];

		if (s->key == NULL || s->key == DEAD)
			continue;
		*key = str_from(s->key, s->n);
		*value = s->value;
		(*at)++;
		return true;
	}
	return false;
}
