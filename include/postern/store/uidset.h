/* uidset.h - a set of UIDs as sorted ranges.
 *
 * Ranges are disjoint, ascending and never adjacent, so that equal sets are equal bytes. UID 0 does not exist
 * (RFC 9051 2.3.1.1). Used in requests, results, `change` rows and on the wire (uid-set, RFC 9051 9). */
#ifndef POSTERN_STORE_UIDSET_H
#define POSTERN_STORE_UIDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

struct uid_range {
	uint32_t first;
	uint32_t last; /* >= first */
};

struct uidset {
	struct uid_range *p;
	size_t n;
	size_t cap;
};

/* An empty set; nothing is allocated yet. */
void uidset_init(struct uidset *s);
void uidset_fini(struct uidset *s);
void uidset_clear(struct uidset *s);

/* Adds first..last (in either order; 0 is left out). Ascending adds are O(1), others O(n). */
void uidset_add(struct uidset *s, uint32_t first, uint32_t last);
/* Sets with sets, each in one pass over both. */
void uidset_add_set(struct uidset *s, const struct uidset *other);
void uidset_remove_set(struct uidset *s, const struct uidset *other);
void uidset_keep_set(struct uidset *s, const struct uidset *other);
/* For many ranges in any order: collected at the end, then sorted once; in between it is no set. first is not 0. */
void uidset_collect(struct uidset *s, uint32_t first, uint32_t last);
void uidset_sort(struct uidset *s);
/* Removes every UID of first..last. */
void uidset_remove(struct uidset *s, uint32_t first, uint32_t last);
void uidset_copy(struct uidset *to, const struct uidset *from);

bool uidset_has(const struct uidset *s, uint32_t uid);
bool uidset_empty(const struct uidset *s);
/* How many UIDs. */
uint64_t uidset_count(const struct uidset *s);
uint32_t uidset_first(const struct uidset *s); /* 0 when empty */
uint32_t uidset_last(const struct uidset *s);
/* The smallest member >= uid, or 0: `for (u = uidset_next(s, 1); u != 0; u = uidset_next(s, u + 1))`. */
uint32_t uidset_next(const struct uidset *s, uint32_t uid);

/* "1:3,5"; nothing for the empty set. */
void uidset_write(const struct uidset *s, struct buf *out);
/* Adds what text says: numbers and ranges, no "*", at most max ranges; false (set unchanged) on anything else. */
bool uidset_parse(struct uidset *s, struct str text, size_t max);

#endif
