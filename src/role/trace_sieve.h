/* trace_sieve.h - where in much text may one of many words stand? Says some places too many, never one too few; a few bytes per
 * nanosecond, where taking every line apart would be hundreds of times slower. */
#ifndef ROLE_TRACE_SIEVE_H
#define ROLE_TRACE_SIEVE_H

#include <stdint.h>

#include <postern/core/str.h>

enum { SIEVE_BITS = 16, SIEVE_BYTES_MAX = 8 };

struct trace_sieve {
	unsigned bytes; /* of each word that are compared; 0: it may stand anywhere */
	uint64_t mask;
	struct str only; /* the part of the one word; .n is 0 when there are many */
	uint8_t bits[(1 << SIEVE_BITS) / 8];
};

/* For words in lower case as log lines may hold them: `"`, `\` and control bytes perhaps
 * escaped. The words are kept, not copied. */
void trace_sieve_init(struct trace_sieve *s, const struct str *words, size_t n);
/* The last place before `before` where one of the words may stand; SIZE_MAX: nowhere. text: in lower case, with SIEVE_BYTES_MAX more
 * readable bytes behind it. */
size_t trace_sieve_last(const struct trace_sieve *s, const char *text, size_t before);

#endif
