/* marks.h - a set of UIDs for lookups and small changes: what an updated context has for results.
 *
 * Sorted ranges as in a uidset, but in buckets of UIDs, so that a change costs little however many there are. */
#ifndef IMAP_MARKS_H
#define IMAP_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/store/uidset.h>

struct marks_bucket {
	uint32_t number; /* holds the UIDs that divided by the bucket size give it */
	struct uidset set; /* never empty */
};

struct marks {
	struct marks_bucket *bucket;
	size_t n;
	size_t cap;
};

void marks_fini(struct marks *m);
bool marks_has(const struct marks *m, uint32_t uid);
/* The smallest member >= uid, or 0. */
uint32_t marks_next(const struct marks *m, uint32_t uid);
void marks_add_set(struct marks *m, const struct uidset *set);
void marks_remove_set(struct marks *m, const struct uidset *set);
/* Adds the members among the UIDs of set to common. */
void marks_common(const struct marks *m, const struct uidset *set, struct uidset *common);

#endif
