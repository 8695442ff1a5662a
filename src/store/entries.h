/* entries.h - the lines of LIST as they are gathered: in any order, and of one name as often as something is known of it. list.c gathers
 * what a user has, shared.c what a guest finds there. */
#ifndef POSTERN_STORE_ENTRIES_H
#define POSTERN_STORE_ENTRIES_H

#include <postern/store/read.h>

struct entries {
	struct arena *arena; /* of the names and of the list that is made in the end */
	struct store_entry *p;
	size_t n, cap;
};

/* One more entry of that name, to be filled before the next is added; the name is copied. */
struct store_entry *entries_add(struct entries *l, struct str name);
/* One more for each level above the name, which may itself be no mailbox. */
void entries_add_parents(struct entries *l, struct str name);

typedef int entries_order(const void *a, const void *b); /* as qsort() wants it, of two struct store_entry */
/* By the bytes of the name. */
entries_order entries_by_name;

/* The list in that order, one entry a name with all that is known of it, in memory of the arena; returns how many. What was gathered is
 * freed. */
size_t entries_take(struct entries *l, entries_order *order, struct store_entry **list);

#endif
