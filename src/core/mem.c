/* mem.c - allocation that ends the process instead of returning NULL. */
#include <postern/core/mem.h>

#include <stdlib.h>

#include <sodium.h>

#include <postern/core/log.h>

void *
mem_new(size_t n)
{
	return mem_array(1, n);
}

void *
mem_array(size_t n, size_t size)
{
	void *p = calloc(n > 0 ? n : 1, size > 0 ? size : 1);

	if (p == NULL)
		log_fatal("out of memory: %zu times %zu bytes", n, size);
	return p;
}

void *
mem_resize(void *p, size_t n)
{
	p = realloc(p, n > 0 ? n : 1);
	if (p == NULL)
		log_fatal("out of memory: %zu bytes", n);
	return p;
}

char *
mem_cstr(struct str s)
{
	char *p = mem_new(s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p;
}

void
mem_wipe(void *p, size_t n)
{
	if (n > 0)
		sodium_memzero(p, n);
}
