/* scores.h - how well each message that was found matches (RFC 6203 4): 1 to 100 by UID. */
#ifndef IMAP_SCORES_H
#define IMAP_SCORES_H

#include <stddef.h>
#include <stdint.h>

struct scores_one;

struct scores {
	struct scores_one *p;
	size_t n;
	size_t cap;
};

void scores_fini(struct scores *s);
/* UIDs come in ascending order. */
void scores_add(struct scores *s, uint32_t uid, uint8_t score);
/* 0: it was not found. */
uint8_t scores_of(const struct scores *s, uint32_t uid);

#endif
