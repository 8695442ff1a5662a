/* memo.h - bytes by key, remembered as long as there is room: what was longest not asked for goes. For what can be found again, only
 * slower. */
#ifndef IMAP_MEMO_H
#define IMAP_MEMO_H

#include <stddef.h>

#include <postern/core/map.h>
#include <postern/core/str.h>

struct memo_entry;

struct memo {
	size_t max;   /* octets of all together; set by who defines it, all else is 0 at first */
	size_t bytes;
	struct map by_key;
	struct memo_entry *newest;
	struct memo_entry *oldest;
};

/* Room for n octets, to be filled at once, in place of what the key had; NULL when that is more than a quarter of max. */
void *memo_put(struct memo *m, struct str key, size_t n);
/* What the key has, *n octets, good until the next memo_put; NULL: nothing. */
const void *memo_get(struct memo *m, struct str key, size_t *n);
void memo_clear(struct memo *m);

#endif
