/* memory.c - what OpenSSL frees is overwritten first: its record buffers held what was typed, passwords included. */
#include <postern/tls/memory.h>

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include <postern/core/mem.h>

static void *
take(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(n);
}

static void
give_back(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	mem_wipe(p, malloc_usable_size(p));
	free(p);
}

/* Never in place: what moves would stay behind unseen. */
static void *
move(void *p, size_t n, const char *file, int line)
{
	size_t had = malloc_usable_size(p);
	void *to = n > 0 ? malloc(n) : NULL;

	if (to != NULL && p != NULL)
		memcpy(to, p, had < n ? had : n);
	if (to != NULL || n == 0)
		give_back(p, file, line);
	return to;
}

bool
tls_wipe_what_is_freed(void)
{
	return CRYPTO_set_mem_functions(take, move, give_back) == 1;
}
