/* allnames.h - every name the session's user can see: his own, and those of others' mailboxes that he may look up (RFC 4314 4, "l").
 *
 * His own come first, in the store's order; then each owner's with the levels above them. A subscription is his, whatever it names; a
 * special use is the owner's, and not told. */
#ifndef IMAP_ALLNAMES_H
#define IMAP_ALLNAMES_H

#include <postern/core/map.h>

#include "sess.h"

struct allnames {
	struct store_entry *entries; /* names in the arena */
	struct store_user **users;   /* whose each is */
	size_t n, cap;
	const struct owner *next;    /* to be listed */
	struct map subscribed;       /* names below the namespaces → themselves */
	struct str level;            /* the last one above an owner that was added */
};

/* Begins with the user's own; DONE when the command's owners (owners.h) are listed, too. Names are in this arena. */
enum step allnames_begin(struct allnames *l, struct imap_session *s, struct command *c, struct arena *a);
enum step allnames_step(struct allnames *l, struct imap_session *s, struct arena *a);
void allnames_fini(struct allnames *l);

#endif
