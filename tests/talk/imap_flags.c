/* imap_flags.c - flags in one order, for imap_stress and imap_resync. */
#include "imap_flags.h"

#include <stdio.h>
#include <stdlib.h>

#include <postern/core/log.h>

enum { WORDS_MAX = 64 };

static int
by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void
flags_sort(struct str list, char *to, size_t size)
{
	struct str words[WORDS_MAX], word;
	size_t n = 0, used = 0;

	while (str_cut(&list, ' ', &word))
		if (n < WORDS_MAX && !str_eq(word, STR("\\Recent")))
			words[n++] = word;
	qsort(words, n, sizeof(*words), by_text);
	to[0] = '\0';
	for (size_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(to + used, size - used, "%s%.*s", i > 0 ? " " : "", STR_ARG(words[i]));
	ASSERT(used < size);
}
