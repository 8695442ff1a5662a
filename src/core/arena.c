/* arena.c - chunks that grow with use and are freed together. */
#include <postern/core/arena.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/mem.h>

enum { ARENA_FIRST = 1024, ARENA_LARGEST = 64 * 1024, ARENA_ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t cap;
	size_t n;
	_Alignas(ARENA_ALIGN) char bytes[];
};

void
arena_init(struct arena *a)
{
	*a = (struct arena){ 0 };
}

static void
free_chunks(struct arena_chunk *c)
{
	while (c != NULL) {
		struct arena_chunk *next = c->next;

		free(c);
		c = next;
	}
}

void
arena_fini(struct arena *a)
{
	free_chunks(a->chunks);
	arena_init(a);
}

void
arena_reset(struct arena *a)
{
	struct arena_chunk *keep = a->chunks;

	a->used = 0;
	if (keep == NULL)
		return;
	free_chunks(keep->next);
	keep->next = NULL;
	keep->n = 0;
	if (keep->cap > ARENA_LARGEST) {
		free(keep);
		a->chunks = NULL;
	}
}

static struct arena_chunk *
grow(struct arena *a, size_t n)
{
	size_t cap = a->chunks == NULL ? ARENA_FIRST : a->chunks->cap * 2;
	struct arena_chunk *c;

	if (cap > ARENA_LARGEST)
		cap = ARENA_LARGEST;
	if (cap < n)
		cap = n;
	c = mem_resize(NULL, sizeof *c + cap);
	*c = (struct arena_chunk){ .next = a->chunks, .cap = cap };
	a->chunks = c;
	return c;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct arena_chunk *c = a->chunks;
	void *p;

	ASSERT(n <= SIZE_MAX / 2);
	n = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (c == NULL || c->cap - c->n < n)
		c = grow(a, n);
	p = c->bytes + c->n;
	c->n += n;
	a->used += n;
	return memset(p, 0, n);
}

void *
arena_array(struct arena *a, size_t n, size_t size)
{
	ASSERT(size == 0 || n <= SIZE_MAX / 2 / size);
	return arena_alloc(a, n * size);
}

struct str
arena_str(struct arena *a, struct str s)
{
	return (struct str){ arena_cstr(a, s), s.n };
}

char *
arena_cstr(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p;
}

struct str
arena_lower(struct arena *a, struct str s)
{
	char *p = arena_cstr(a, s);

	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(p[i]);
	return str_from(p, s.n);
}

struct str
arena_strf(struct arena *a, const char *format, ...)
{
	va_list args;
	int n;
	char *p;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	ASSERT(n >= 0);
	p = arena_alloc(a, (size_t)n + 1);
	va_start(args, format);
	vsnprintf(p, (size_t)n + 1, format, args);
	va_end(args);
	return (struct str){ p, (size_t)n };
}
