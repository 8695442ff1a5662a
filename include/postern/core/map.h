/* map.h - a hash table from bytes to pointers, keyed per process so that strangers cannot choose collisions. */
#ifndef POSTERN_CORE_MAP_H
#define POSTERN_CORE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include <postern/core/str.h>

struct map_slot;

struct map {
	struct map_slot *slots;
	size_t cap;  /* a power of two, or 0 */
	size_t n;    /* live entries */
	size_t used; /* live entries and tombstones */
};

void map_init(struct map *m);
/* Frees the table and its key copies; values are the caller's. */
void map_fini(struct map *m);
void *map_get(const struct map *m, struct str key);
/* Stores value (not NULL) under a copy of key; returns the value that was there, or NULL. */
void *map_put(struct map *m, struct str key, void *value);
/* Removes and returns the value, or NULL. */
void *map_del(struct map *m, struct str key);
/* Iteration: *at starts at 0; false at the end. map_del of the current key is allowed, map_put is not. */
bool map_next(const struct map *m, size_t *at, struct str *key, void **value);

#endif
