/* imap_fuzzy.c - words with typos (SEARCH=FUZZY): any pattern against any text. What is found does not depend on how the text is cut,
 * the text itself is found in itself, and the search index would have been asked for something that is there. */
#include <stdlib.h>

#include <postern/core/utf8.h>

#include "fuzz.h"
#include "search.h"

enum { GRAM = 3 };

static void
see_word(void *ctx, const uint32_t *letter, size_t n)
{
	fuzzy_see_word(ctx, letter, n);
}

/* Letter by letter. */
static unsigned
score_in_pieces(struct fuzzy *f, struct str text)
{
	struct fuzzy_words w = { .n = 0 };
	size_t used;

	fuzzy_begin(f);
	fuzzy_look(f, text);
	for (struct str rest = text; rest.n > 0; rest = str_sub(rest, used, rest.n)) {
		uint32_t c;

		utf8_next(rest, &c, &used);
		fuzzy_words_feed(&w, str_sub(rest, 0, used), see_word, f);
	}
	fuzzy_words_end(&w, see_word, f);
	return fuzzy_score(f);
}

static void
check_pieces(const struct fuzzy_word *w, struct str text, struct arena *a)
{
	struct str piece[FUZZY_PIECES_MAX];
	unsigned n = fuzzy_pieces(w, GRAM, a, piece);

	for (unsigned i = 0; i < n; i++)
		if (search_contains(text, piece[i]))
			return;
	if (n > 0)
		abort();
}

static void
check(struct fuzzy *f, struct str text, struct arena *a)
{
	unsigned score;

	fuzzy_see_text(f, text);
	score = fuzzy_score(f);
	if (score > FUZZY_BEST || score != score_in_pieces(f, text))
		abort();
	for (unsigned i = 0; i < f->n && score > 0; i++)
		check_pieces(&f->word[i], text, a);
	fuzzy_begin(f);
	fuzzy_see_text(f, f->whole);
	if (fuzzy_score(f) != FUZZY_BEST)
		abort();
}

/* The pattern up to the first NUL, then the text. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str text = str_from(p, n);
	struct str pattern = text;
	struct arena a;
	struct fuzzy *f;

	str_cut(&text, '\0', &pattern);
	arena_init(&a);
	f = fuzzy_new(&a, pattern);
	if (f != NULL)
		check(f, text, &a);
	arena_fini(&a);
	return 0;
}
