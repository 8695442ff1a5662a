/* dovecot.h - what Dovecot and Courier keep beside a Maildir. */
#ifndef POSTERN_STORE_DOVECOT_H
#define POSTERN_STORE_DOVECOT_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/str.h>
#include <postern/store/store.h>

/* dovecot-uidlist, version 3:
 *   3 V<uidvalidity> N<next uid> G<guid>
 *   <uid> [<letter><value> …] :<file name as it was>  */
struct dovecot_uidlist {
	uint32_t uidvalidity;
	uint32_t uidnext;
};
/* Calls fn for each line that can be understood, UIDs ascending; false when the header is not of version 3. */
bool dovecot_uidlist_parse(struct dovecot_uidlist *l, struct str text, void (*fn)(void *ctx, uint32_t uid, struct str name),
    void *ctx);

/* dovecot-keywords: "<number> <name>"; number 0 is letter a. Returns how many names there are up to the highest one
 * understood; gaps are "". */
size_t dovecot_keywords_parse(struct str text, char names[static STORE_KEYWORDS_MAX][STORE_KEYWORD_SIZE + 1]);

/* `subscriptions` (Dovecot, versions 1 and 2) and `courierimapsubscribed`: calls fn with each directory name. */
void dovecot_subscriptions_parse(struct str text, void (*fn)(void *ctx, struct str dir), void *ctx);

#endif
