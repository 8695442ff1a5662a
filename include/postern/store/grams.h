/* grams.h - the search index: which messages may hold a text, answered without opening them.
 *
 * A gram is three bytes in a row of text without case (charset_fold). Of each message the index knows the set of grams of
 * everything SEARCH looks into; a message that holds a text holds all its grams. The answer is therefore "may hold" or
 * "does not hold", for each message, always: one the index does not know yet may hold anything. Who asks looks into
 * those that may.
 *
 * The index is a file beside the user's index (search.mdb). It is derived: damaged or lost, it is made anew in the
 * background; a full disk stops it, nothing else. A mailbox is taken into it from the first store_grams_follow on. */
#ifndef POSTERN_STORE_GRAMS_H
#define POSTERN_STORE_GRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/str.h>
#include <postern/store/read.h>

struct store_user;
struct store_view;

enum {
	STORE_GRAM_SIZE = 3,
	STORE_GRAM_BLOCK = 4096,       /* UIDs that are answered together: those with the same uid / STORE_GRAM_BLOCK */
	STORE_GRAMS_OF_NEEDLE = 64,    /* grams that are looked up of one needle; the rest of a longer one is not */
	STORE_GRAMS_OF_MESSAGE = 65536, /* different ones; a message with more may hold anything */
	STORE_GRAM_TEXT_MAX = 4 << 20, /* bytes of text of one message; one with more may hold anything */
};

/* The grams of one message, while they are collected (store_config.make_grams). */
struct gram_set;
/* What follows is another text: no gram reaches from one into the other. */
void gram_set_text(struct gram_set *g);
/* A piece of the text, folded; pieces may be cut anywhere. False: enough, the message may hold anything. */
bool gram_set_feed(struct gram_set *g, struct str piece);

/* A text that is looked for, folded. */
struct store_needle {
	uint32_t grams[STORE_GRAMS_OF_NEEDLE];
	unsigned n; /* 0: too short, every message may hold it */
};
void store_needle_init(struct store_needle *needle, struct str folded);

/* By uid % STORE_GRAM_BLOCK: the message may hold the needle. */
struct store_may {
	uint64_t bits[STORE_GRAM_BLOCK / 64];
};
static inline bool
store_may_hold(const struct store_may *m, uint32_t uid)
{
	return m->bits[uid % STORE_GRAM_BLOCK / 64] >> uid % 64 & 1;
}

/* Answers for the messages of the block with this UID: may[i] for needles[i]. False when there is no index of the
 * mailbox (or it is off): nothing is known. */
bool store_grams_find(struct store_view *v, uint32_t mailbox, uint32_t uid, const struct store_needle *needles, size_t n,
    struct store_may *may);
/* From now on the mailbox is in the index; what is missing is taken in. Called again it looks again. */
void store_grams_follow(struct store_user *u, uint32_t mailbox);
/* The same if it is in the index already. */
void store_grams_refresh(struct store_user *u, uint32_t mailbox);
/* True when the user's texts are indexed (store_config.make_grams). */
bool store_grams_on(const struct store_user *u);

#endif
