/* fuzzy.c - words with typos. Distances are those of Levenshtein, counted for all places of a word at a time in the bits of a number
 * (Myers 1999, as Hyyrö wrote it for whole words in 2003): a letter of the text costs a few operations. */
#include "fuzzy.h"

#include <string.h>
#include <unictype.h>

#include <postern/core/utf8.h>

#include "search.h"

/* --- words --- */

static bool
is_letter(uint32_t c)
{
	if (c < 0x80)
		return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
	return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_N);
}

static void
add_letter(struct fuzzy_words *w, uint32_t c)
{
	if (w->n < sizeof(w->letter) / sizeof(*w->letter))
		w->letter[w->n] = c;
	w->n++;
}

void
fuzzy_words_end(struct fuzzy_words *w, fuzzy_see *see, void *ctx)
{
	if (w->n > 0 && w->n <= sizeof(w->letter) / sizeof(*w->letter))
		see(ctx, w->letter, w->n);
	w->n = 0;
}

void
fuzzy_words_feed(struct fuzzy_words *w, struct str piece, fuzzy_see *see, void *ctx)
{
	size_t used;

	for (; piece.n > 0; piece = str_sub(piece, used, piece.n)) {
		uint32_t c;

		if (utf8_next(piece, &c, &used) && is_letter(c))
			add_letter(w, c);
		else
			fuzzy_words_end(w, see, ctx);
	}
}

/* --- the pattern --- */

static unsigned
typos_of(unsigned letters)
{
	if (letters < FUZZY_ONE_TYPO || letters > FUZZY_LETTERS_MAX)
		return 0;
	return 1U + (letters >= FUZZY_TWO_TYPOS) + (letters >= FUZZY_THREE_TYPOS);
}

static struct fuzzy_slot *
slot_of(const struct fuzzy_word *w, uint32_t letter)
{
	struct fuzzy_slot *slot = &w->slot[letter % FUZZY_SLOTS];

	while (slot->places != 0 && slot->letter != letter)
		slot = slot + 1 < w->slot + FUZZY_SLOTS ? slot + 1 : w->slot;
	return slot;
}

static void
place_letters(struct fuzzy_word *w, struct arena *a)
{
	struct str rest = w->text;
	size_t used;

	w->slot = arena_array(a, FUZZY_SLOTS, sizeof(*w->slot));
	for (unsigned i = 0; i < w->letters; i++, rest = str_sub(rest, used, rest.n)) {
		struct fuzzy_slot *slot;
		uint32_t c;

		utf8_next(rest, &c, &used);
		slot = slot_of(w, c);
		slot->letter = c;
		slot->places |= UINT64_C(1) << i;
	}
}

/* The next word of the text from here on; false: there is none. */
static bool
next_word(struct str text, size_t *at, struct str *word, unsigned *letters)
{
	size_t from = *at, used;
	uint32_t c;

	for (*letters = 0; *at < text.n; *at += used) {
		bool letter = utf8_next(str_sub(text, *at, text.n), &c, &used) && is_letter(c);

		if (!letter && *letters > 0)
			break;
		if (!letter)
			from = *at + used;
		*letters += letter;
	}
	*word = str_sub(text, from, *at);
	return *letters > 0;
}

struct fuzzy *
fuzzy_new(struct arena *a, struct str folded)
{
	struct fuzzy *f = ARENA_NEW(a, struct fuzzy);
	struct fuzzy_word w = { .letters = 0 };
	size_t at = 0;

	f->whole = folded;
	while (next_word(folded, &at, &w.text, &w.letters)) {
		if (f->n == FUZZY_WORDS_MAX)
			return NULL;
		w.typos = typos_of(w.letters);
		if (w.typos > 0)
			place_letters(&w, a);
		f->word[f->n++] = w;
	}
	fuzzy_begin(f);
	return f;
}

/* --- looking --- */

void
fuzzy_begin(struct fuzzy *f)
{
	f->has_whole = f->whole.n == 0;
	for (unsigned i = 0; i < f->n; i++)
		f->word[i].seen = f->word[i].typos + 1;
}

void
fuzzy_look(struct fuzzy *f, struct str piece)
{
	f->has_whole = f->has_whole || search_contains(piece, f->whole);
	for (unsigned i = 0; i < f->n && !f->has_whole; i++)
		if (f->word[i].seen > 0 && search_contains(piece, f->word[i].text))
			f->word[i].seen = 0;
}

/* Typos between the word and all of this one. */
static unsigned
distance(const struct fuzzy_word *w, const uint32_t *letter, size_t n)
{
	uint64_t more = UINT64_MAX, less = 0; /* places where one letter further is one typo more, less */
	uint64_t last = UINT64_C(1) << (w->letters - 1);
	unsigned typos = w->letters;

	for (size_t i = 0; i < n; i++) {
		uint64_t same = slot_of(w, letter[i])->places;
		uint64_t down = same | less;
		uint64_t across = (((same & more) + more) ^ more) | same;
		uint64_t up = less | ~(across | more);
		uint64_t back = more & across;

		typos += (up & last) != 0;
		typos -= (back & last) != 0;
		up = up << 1 | 1;
		more = back << 1 | ~(down | up);
		less = up & down;
	}
	return typos;
}

/* Two neighbours have changed places, and nothing else is different. */
static bool
is_swapped(const struct fuzzy_word *w, const uint32_t *letter, size_t n)
{
	uint64_t wrong = 0, first;

	if (n != w->letters)
		return false;
	for (size_t i = 0; i < n; i++)
		wrong |= (uint64_t)!(slot_of(w, letter[i])->places >> i & 1) << i;
	first = wrong & -wrong;
	if (first == 0 || wrong != (first | first << 1))
		return false;
	for (size_t i = 0; i + 1 < n; i++)
		if (first >> i & 1)
			return slot_of(w, letter[i])->places >> (i + 1) & slot_of(w, letter[i + 1])->places >> i & 1;
	return false;
}

static void
compare(struct fuzzy_word *w, const uint32_t *letter, size_t n)
{
	unsigned typos;

	if (w->seen <= 1 || n + w->typos < w->letters || n > w->letters + w->typos)
		return; /* one typo at least: a word without is found by fuzzy_look */
	typos = distance(w, letter, n);
	if (w->typos == 1 && typos == 2 && is_swapped(w, letter, n))
		typos = 1;
	if (typos < w->seen)
		w->seen = typos;
}

void
fuzzy_see_word(struct fuzzy *f, const uint32_t *letter, size_t n)
{
	for (unsigned i = 0; i < f->n && !f->has_whole; i++)
		if (f->word[i].typos > 0)
			compare(&f->word[i], letter, n);
}

static void
see(void *ctx, const uint32_t *letter, size_t n)
{
	fuzzy_see_word(ctx, letter, n);
}

void
fuzzy_see_text(struct fuzzy *f, struct str text)
{
	struct fuzzy_words w = { .n = 0 };

	fuzzy_look(f, text);
	if (f->has_whole)
		return;
	fuzzy_words_feed(&w, text, see, f);
	fuzzy_words_end(&w, see, f);
}

unsigned
fuzzy_score(const struct fuzzy *f)
{
	unsigned sum = 0;

	if (f->has_whole)
		return FUZZY_BEST;
	for (unsigned i = 0; i < f->n; i++) {
		const struct fuzzy_word *w = &f->word[i];

		if (w->seen > w->typos)
			return 0;
		sum += FUZZY_BEST * (w->typos + 1 - w->seen) / (w->typos + 1);
	}
	if (f->n == 0)
		return 0;
	return f->word[0].text.n == f->whole.n ? sum : sum / f->n * FUZZY_APART / 100;
}

/* --- for the search index --- */

/* The octet at which a letter begins. */
static size_t
offset(struct str text, unsigned letter)
{
	size_t at = 0, used;
	uint32_t c;

	for (; letter > 0; letter--, at += used)
		utf8_next(str_sub(text, at, text.n), &c, &used);
	return at;
}

/* The word with the two letters before and behind this place changed. */
static struct str
swap_at(const struct fuzzy_word *w, unsigned place, struct arena *a)
{
	struct str copy = arena_str(a, w->text);
	size_t from = offset(copy, place - 1), middle = offset(copy, place), to = offset(copy, place + 1);
	char *p = arena_cstr(a, copy);

	memcpy(p + from, copy.p + middle, to - middle);
	memcpy(p + from + (to - middle), copy.p + from, middle - from);
	return str_from(p, copy.n);
}

/* So many typos leave one of so many pieces and one more as it is, but for the one typo that changes two letters. */
unsigned
fuzzy_pieces(const struct fuzzy_word *w, size_t min, struct arena *a, struct str piece[static FUZZY_PIECES_MAX])
{
	unsigned n = w->typos + 1;

	for (unsigned i = 0; i < n; i++) {
		piece[i] = str_sub(w->text, offset(w->text, w->letters * i / n), offset(w->text, w->letters * (i + 1) / n));
		piece[i] = arena_str(a, piece[i]);
		if (piece[i].n < min)
			return 0;
	}
	if (w->typos == 1)
		piece[n++] = swap_at(w, w->letters / 2, a);
	return n;
}
