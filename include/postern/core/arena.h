/* arena.h - memory with one lifetime, freed at once.
 *
 * A session has an arena, a transaction or command has one. There is no free for single
 * objects. Allocation cannot fail (mem.h); arena_used() is for parsers whose result may
 * be larger than their capped input. */
#ifndef POSTERN_CORE_ARENA_H
#define POSTERN_CORE_ARENA_H

#include <stddef.h>

#include <postern/core/str.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
	size_t used;
};

void arena_init(struct arena *a);
/* Frees everything; the arena is as after arena_init. */
void arena_fini(struct arena *a);
/* Forgets everything but keeps one chunk for the next round. */
void arena_reset(struct arena *a);

/* Zeroed memory, aligned for any type. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_array(struct arena *a, size_t n, size_t size);
/* A copy of s, NUL-terminated for convenience (the NUL is not counted). */
struct str arena_str(struct arena *a, struct str s);
char *arena_cstr(struct arena *a, struct str s);
/* A copy like arena_str's with A-Z as a-z; all other bytes stay. */
struct str arena_lower(struct arena *a, struct str s);
struct str arena_strf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Bytes handed out since init or reset. */
static inline size_t
arena_used(const struct arena *a)
{
	return a->used;
}

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
