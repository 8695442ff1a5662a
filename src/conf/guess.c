/* guess.c - "did you mean": the known word that is fewest slips away from the one that was typed. */
#include "read.h"

enum { WORD_MAX = 32, SLIPS_MAX = 2 };

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* How many letters must be put in, left out, changed or swapped with their neighbour (optimal string alignment). */
static unsigned
slips(const char *a, const char *b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	size_t n = strlen(a);
	size_t m = strlen(b);

	if (n > WORD_MAX || m > WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= n; i++)
		for (size_t j = 0; j <= m; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = (unsigned)(i + j);
				continue;
			}
			d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1, WORD_MAX);
		}
	return d[n][m];
}

const char *
conf_guess(const char *word, const char *(*known)(void *ctx, size_t at), void *ctx)
{
	const char *best = NULL;
	unsigned least_slips = SLIPS_MAX + 1;

	for (size_t i = 0; known(ctx, i) != NULL; i++) {
		unsigned n = slips(word, known(ctx, i));

		if (n < least_slips && n < strlen(word)) {
			least_slips = n;
			best = known(ctx, i);
		}
	}
	return best;
}
