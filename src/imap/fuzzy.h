/* fuzzy.h - a text that is looked for although it may be written differently (SEARCH=FUZZY, RFC 6203).
 *
 * The text is cut into words. Each has to be there, in any order: as it is, also inside of another word, or as a whole word that
 * differs by a few typos. A letter too many, one too few and a wrong one are a typo each; where a word may have one typo, so are
 * two neighbours that have changed places. How many a word may have depends on its length.
 *
 * All texts are folded (charset_fold). Of one message: fuzzy_begin, then what it says in any number of pieces (fuzzy_look and its
 * words), then fuzzy_score. What a piece costs is bounded by the limits below, whatever pattern and text are. */
#ifndef IMAP_FUZZY_H
#define IMAP_FUZZY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/arena.h>
#include <postern/core/str.h>

enum {
	FUZZY_WORDS_MAX = 16,   /* of one text that is looked for */
	FUZZY_LETTERS_MAX = 64, /* of a word; a longer one may have no typo */
	FUZZY_TYPOS_MAX = 3,
	FUZZY_ONE_TYPO = 4,     /* letters of a word that may have one, … */
	FUZZY_TWO_TYPOS = 9,    /* … two … */
	FUZZY_THREE_TYPOS = 12, /* … or three */
	FUZZY_SLOTS = 2 * FUZZY_LETTERS_MAX,
	FUZZY_PIECES_MAX = FUZZY_TYPOS_MAX + 1,
	FUZZY_BEST = 100,       /* RFC 6203 4: scores are 1 to 100 */
	FUZZY_APART = 90,       /* per cent that are left when the words are there, the whole is not */
};

/* Where a letter stands in a word: a bit each. */
struct fuzzy_slot {
	uint32_t letter;
	uint64_t places; /* 0: no letter */
};

struct fuzzy_word {
	struct str text;
	unsigned letters;
	unsigned typos;               /* that it may have */
	unsigned seen;                /* the fewest of this message so far; more than typos: not there */
	struct fuzzy_slot *slot;      /* FUZZY_SLOTS; NULL without typos */
};

struct fuzzy {
	struct str whole;
	bool has_whole;
	struct fuzzy_word word[FUZZY_WORDS_MAX];
	unsigned n;
};

/* The text is not copied. NULL: more words than there may be. */
struct fuzzy *fuzzy_new(struct arena *a, struct str folded);
void fuzzy_begin(struct fuzzy *f);
/* A piece of the message, which may overlap with the one before it. */
void fuzzy_look(struct fuzzy *f, struct str piece);
/* A whole word of it. */
void fuzzy_see_word(struct fuzzy *f, const uint32_t *letter, size_t n);
/* A text that comes as one piece: all of that. */
void fuzzy_see_text(struct fuzzy *f, struct str text);
/* 1 to 100; 0: it does not match. */
unsigned fuzzy_score(const struct fuzzy *f);

/* Cuts a text into words; pieces may be cut between any two letters. */
struct fuzzy_words {
	uint32_t letter[FUZZY_LETTERS_MAX + FUZZY_TYPOS_MAX];
	size_t n; /* a word with more letters than fit is not seen */
};
typedef void fuzzy_see(void *ctx, const uint32_t *letter, size_t n);
void fuzzy_words_feed(struct fuzzy_words *w, struct str piece, fuzzy_see *see, void *ctx);
void fuzzy_words_end(struct fuzzy_words *w, fuzzy_see *see, void *ctx);

/* Texts of at least min octets of which every text with the word, or with one that may stand for it, holds one; copies are made in a.
 * 0: there are no such. */
unsigned fuzzy_pieces(const struct fuzzy_word *w, size_t min, struct arena *a, struct str piece[static FUZZY_PIECES_MAX]);

#endif
