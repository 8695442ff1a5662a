/* scores.c - scores in the order of UIDs, looked up by halving. */
#include "scores.h"

#include <stdlib.h>

#include <postern/core/mem.h>

struct scores_one {
	uint32_t uid;
	uint8_t score;
};

void
scores_fini(struct scores *s)
{
	free(s->p);
	*s = (struct scores){ NULL, 0, 0 };
}

void
scores_add(struct scores *s, uint32_t uid, uint8_t score)
{
	if (s->n == s->cap) {
		s->cap += s->cap / 2 + 64;
		s->p = mem_resize(s->p, s->cap * sizeof(*s->p));
	}
	s->p[s->n++] = (struct scores_one){ uid, score };
}

static int
compare(const void *uid, const void *one)
{
	uint32_t a = *(const uint32_t *)uid, b = ((const struct scores_one *)one)->uid;

	return (a > b) - (a < b);
}

uint8_t
scores_of(const struct scores *s, uint32_t uid)
{
	const struct scores_one *one = s->n > 0 ? bsearch(&uid, s->p, s->n, sizeof(*s->p), compare) : NULL;

	return one != NULL ? one->score : 0;
}
