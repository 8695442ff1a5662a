/* numbers.h - results of SEARCH and SORT: sequence numbers or UIDs in any order, kept as ranges, and the part of them that
 * PARTIAL asks for (RFC 9394 3.1, RFC 5267 4.4). */
#ifndef IMAP_NUMBERS_H
#define IMAP_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/store/uidset.h>

#include "lex.h"

struct numbers {
	struct uid_range *p; /* each ascending, in the order of the results */
	size_t n;
	size_t cap;
	uint64_t count;      /* numbers */
};

void numbers_fini(struct numbers *r);
/* Adds first..last at the end; joined with the range before it where it goes on from that. */
void numbers_add(struct numbers *r, uint32_t first, uint32_t last);
void numbers_add_set(struct numbers *r, const struct uidset *set);
/* The set they make. */
void numbers_set(const struct numbers *r, struct uidset *set);
uint32_t numbers_first(const struct numbers *r); /* 0: none */
uint32_t numbers_last(const struct numbers *r);

/* Positions, 1 being the first result, or the last one. */
struct partial {
	bool given;
	bool from_end;
	uint32_t a; /* as the client wrote them, in any order */
	uint32_t b;
};
/* partial-range: nz-number ":" nz-number, both with "-" or none. */
void lex_partial(struct lex *l, struct partial *p);
/* How many positions it names. */
uint64_t partial_size(const struct partial *p);
void partial_write(const struct partial *p, struct buf *out);
/* The results at these positions, added to out. */
void numbers_cut(const struct numbers *r, const struct partial *p, struct numbers *out);

#endif
