/* fuzzy.c - words with typos: against distances counted the plain way, whatever the pieces of the text are; what the search index is
 * asked for never rules out a match; and what hostile patterns and texts cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <postern/core/buf.h>
#include <postern/core/clock.h>
#include <postern/core/utf8.h>

#include "fuzzy.h"
#include "scores.h"
#include "search.h"

enum { ROUNDS = 20000, LETTERS = 16, GRAM = 3 };

static unsigned seed = 11;

static unsigned
roll(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static unsigned
score(const char *pattern, const char *text)
{
	struct arena a;
	struct fuzzy *f;
	unsigned n;

	arena_init(&a);
	f = fuzzy_new(&a, str_of(pattern));
	fuzzy_see_text(f, str_of(text));
	n = fuzzy_score(f);
	arena_fini(&a);
	return n;
}

static void
examples(void **state)
{
	(void)state;
	assert_int_equal(score("HELO", "SAY HELO"), 100);
	assert_int_equal(score("HELO", "THE HELOT"), 100); /* inside of a word */
	assert_int_equal(score("HELO", "HELLO, WORLD"), 50);
	assert_int_equal(score("HELO", "CALL FOR HELP"), 50);
	assert_int_equal(score("HELO", "HALO"), 50);
	assert_int_equal(score("HELO", "HLEO"), 50); /* neighbours that changed places */
	assert_int_equal(score("HELO", "HOLE"), 0);
	assert_int_equal(score("HELO", "HEL"), 50);
	assert_int_equal(score("HELO", "HELICOPTER"), 0);
	assert_int_equal(score("IMAP BREAK", "WHEN IMAP BREAKS"), 100);
	assert_int_equal(score("IMAP BREAK", "BREAKING IMAP"), 90);
	assert_int_equal(score("IMAP BREAK", "BRAKE IMAP"), 0);
	assert_int_equal(score("IMAP BREAK", "BREAK IMPA"), 67); /* (100 + 50) / 2, apart */
	assert_int_equal(score("IMAP BREAK", "IMAP"), 0);
	assert_int_equal(score("FOO", "FO FOA FPO"), 0); /* too short for a typo */
	assert_int_equal(score("SCHEDULED", "SHEDULD"), 33);
	assert_int_equal(score("SCHEDULED", "SHEDUL"), 0);
	assert_int_equal(score("CONSTANTINOPEL", "KONSTANTINOPLE"), 25);
	assert_int_equal(score("M\xc3\x9cLLER", "MULLER"), 50); /* a letter is a letter, however many octets */
	assert_int_equal(score("", "ANYTHING"), 100);
	assert_int_equal(score("!?", "WHAT!?"), 100);
	assert_int_equal(score("!?", "WHAT"), 0);
	assert_int_equal(score("(HELO)", "HELO"), 90);
	assert_int_equal(score("HELO", "\xff\xfeHELP\x80"), 50);
}

/* --- against plain counting --- */

struct word {
	uint32_t letter[LETTERS];
	size_t n;
};

static void
write_word(struct buf *out, const struct word *w)
{
	for (size_t i = 0; i < w->n; i++)
		utf8_add(out, w->letter[i]);
}

static uint32_t
any_letter(void)
{
	static const uint32_t few[] = { 'A', 'B', 'C', 0xc4, 0x416, 0x416 + FUZZY_SLOTS, 0x10400 };

	return few[roll(4) == 0 ? roll(7) : roll(3)];
}

static struct word
any_word(void)
{
	struct word w = { .n = 1 + roll(LETTERS - 1) };

	for (size_t i = 0; i < w.n; i++)
		w.letter[i] = any_letter();
	return w;
}

static void
mistype(struct word *w)
{
	size_t at = roll((unsigned)w->n);

	switch (roll(4)) {
	case 0:
		w->letter[at] = any_letter();
		break;
	case 1:
		if (w->n > 1)
			memmove(w->letter + at, w->letter + at + 1, (--w->n - at) * sizeof(*w->letter));
		break;
	case 2:
		if (w->n < LETTERS)
			memmove(w->letter + at + 1, w->letter + at, (w->n++ - at) * sizeof(*w->letter));
		break;
	default:
		if (at + 1 < w->n) {
			uint32_t c = w->letter[at];

			w->letter[at] = w->letter[at + 1];
			w->letter[at + 1] = c;
		}
	}
}

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

static unsigned
plain_distance(const struct word *a, const struct word *b)
{
	unsigned d[LETTERS + 1][LETTERS + 1];

	for (unsigned i = 0; i <= a->n; i++)
		for (unsigned j = 0; j <= b->n; j++)
			if (i == 0 || j == 0)
				d[i][j] = i + j;
			else
				d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1,
				    d[i - 1][j - 1] + (a->letter[i - 1] != b->letter[j - 1]));
	return d[a->n][b->n];
}

static bool
is_swap(const struct word *a, const struct word *b)
{
	struct word c = *b;

	if (a->n != b->n)
		return false;
	for (size_t i = 0; i + 1 < a->n; i++) {
		c = *b;
		c.letter[i] = b->letter[i + 1];
		c.letter[i + 1] = b->letter[i];
		if (memcmp(c.letter, a->letter, a->n * sizeof(*a->letter)) == 0)
			return true;
	}
	return false;
}

static unsigned
plain_score(const struct word *pattern, struct str folded, const struct word *text, struct str said)
{
	unsigned may = pattern->n < 4 ? 0 : pattern->n < 9 ? 1 : pattern->n < 12 ? 2 : 3;
	unsigned d = plain_distance(pattern, text);

	if (may == 1 && is_swap(pattern, text))
		d = 1;
	if (memmem(said.p, said.n, folded.p, folded.n) != NULL)
		d = 0;
	return d <= may ? 100 * (may + 1 - d) / (may + 1) : 0;
}

/* The index may be asked for these texts: one of them is in every text that matches. */
static void
check_pieces(const struct fuzzy *f, struct str said, struct arena *a)
{
	struct str piece[FUZZY_PIECES_MAX];
	unsigned n = fuzzy_pieces(&f->word[0], GRAM, a, piece);
	bool any = n == 0;

	for (unsigned i = 0; i < n; i++) {
		assert_true(piece[i].n >= GRAM);
		any |= search_contains(said, piece[i]);
	}
	assert_true(any);
}

static void
as_counted(void **state)
{
	struct buf folded, said;
	struct arena a;

	(void)state;
	arena_init(&a);
	buf_init(&folded, SIZE_MAX);
	buf_init(&said, SIZE_MAX);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct word pattern = any_word(), text = roll(4) == 0 ? any_word() : pattern;
		unsigned typos = roll(5), expected;
		struct fuzzy *f;

		for (unsigned i = 0; i < typos; i++)
			mistype(&text);
		buf_clear(&folded);
		buf_clear(&said);
		write_word(&folded, &pattern);
		write_word(&said, &text);
		f = fuzzy_new(&a, buf_str(&folded));
		fuzzy_see_text(f, buf_str(&said));
		expected = plain_score(&pattern, buf_str(&folded), &text, buf_str(&said));
		assert_int_equal(fuzzy_score(f), expected);
		if (expected > 0)
			check_pieces(f, buf_str(&said), &a);
		arena_reset(&a);
	}
	buf_fini(&folded);
	buf_fini(&said);
	arena_fini(&a);
}

/* --- pieces of a text --- */

static void
see_word(void *ctx, const uint32_t *letter, size_t n)
{
	fuzzy_see_word(ctx, letter, n);
}

static void
cut_anywhere(void **state)
{
	static const char text[] = "HELICOPTERS AND \xc3\x9c" "BERHELL, HELICOPTRE";
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t cut = 0; cut <= sizeof(text) - 1; cut++) {
		struct fuzzy *f = fuzzy_new(&a, STR("HELICOPTRS"));
		struct fuzzy_words w = { .n = 0 };

		if (cut == 17) /* within a letter: pieces are not cut there */
			continue;
		fuzzy_words_feed(&w, str_from(text, cut), see_word, f);
		fuzzy_words_feed(&w, str_from(text + cut, sizeof(text) - 1 - cut), see_word, f);
		fuzzy_words_end(&w, see_word, f);
		assert_int_equal(fuzzy_score(f), 66);
	}
	arena_fini(&a);
}

/* --- limits --- */

static void
too_much(void **state)
{
	struct buf many, word;
	struct arena a;
	struct fuzzy *f;

	(void)state;
	arena_init(&a);
	buf_init(&many, SIZE_MAX);
	buf_init(&word, SIZE_MAX);
	for (unsigned i = 0; i < FUZZY_WORDS_MAX; i++)
		buf_addf(&many, "W%u ", i);
	assert_non_null(fuzzy_new(&a, buf_str(&many)));
	buf_add_cstr(&many, "ONE");
	assert_null(fuzzy_new(&a, buf_str(&many)));
	for (unsigned i = 0; i < FUZZY_LETTERS_MAX; i++)
		buf_add_char(&word, 'X');
	f = fuzzy_new(&a, buf_str(&word));
	assert_int_equal(f->word[0].typos, FUZZY_TYPOS_MAX);
	fuzzy_see_text(f, str_sub(buf_str(&word), 0, FUZZY_LETTERS_MAX - FUZZY_TYPOS_MAX));
	assert_int_equal(fuzzy_score(f), 25);
	buf_add_char(&word, 'X');
	f = fuzzy_new(&a, buf_str(&word)); /* exact only */
	assert_int_equal(f->word[0].typos, 0);
	fuzzy_see_text(f, str_sub(buf_str(&word), 0, FUZZY_LETTERS_MAX));
	assert_int_equal(fuzzy_score(f), 0);
	fuzzy_see_text(f, buf_str(&word));
	assert_int_equal(fuzzy_score(f), 100);
	buf_fini(&many);
	buf_fini(&word);
	arena_fini(&a);
}

/* A text made of words that are all nearly as the pattern's, and one endless word: what is kept of it is bounded, and each letter costs
 * the same. */
static void
hostile_text(void **state)
{
	struct buf pattern, text;
	struct arena a;
	struct fuzzy *f;

	(void)state;
	arena_init(&a);
	buf_init(&pattern, SIZE_MAX);
	buf_init(&text, SIZE_MAX);
	for (unsigned i = 0; i < FUZZY_WORDS_MAX; i++)
		buf_addf(&pattern, "ABABABABAB%uAB ", i);
	for (unsigned i = 0; i < 20000; i++)
		buf_add_cstr(&text, "ABABABABABAB ");
	for (unsigned i = 0; i < 200000; i++)
		buf_add_char(&text, 'A');
	f = fuzzy_new(&a, buf_str(&pattern));
	fuzzy_see_text(f, buf_str(&text));
	assert_int_equal(fuzzy_score(f), 58); /* ten words with one typo of three, six with two */
	assert_true(arena_used(&a) < 64 * 1024);
	buf_fini(&pattern);
	buf_fini(&text);
	arena_fini(&a);
}

static void
scores_by_uid(void **state)
{
	struct scores s = { 0 };

	(void)state;
	assert_int_equal(scores_of(&s, 1), 0);
	for (uint32_t uid = 2; uid < 2000; uid += 2)
		scores_add(&s, uid, (uint8_t)(1 + uid % 100));
	for (uint32_t uid = 0; uid < 2002; uid++)
		assert_int_equal(scores_of(&s, uid), uid % 2 == 0 && uid >= 2 && uid < 2000 ? 1 + uid % 100 : 0);
	scores_fini(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples),
		cmocka_unit_test(as_counted),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(too_much),
		cmocka_unit_test(hostile_text),
		cmocka_unit_test(scores_by_uid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
