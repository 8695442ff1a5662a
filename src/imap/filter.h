/* filter.h - which mailboxes are meant: filter-mailboxes of RFC 5465 6 (NOTIFY) and RFC 7377 2.2 (ESEARCH). */
#ifndef IMAP_FILTER_H
#define IMAP_FILTER_H

#include "sess.h"

enum {
	FILTER_NAMES_MAX = 1000, /* mailbox names in one filter */
};

enum filter_kind {
	FILTER_SELECTED = 1 << 0,
	FILTER_SELECTED_DELAYED = 1 << 1,
	FILTER_INBOXES = 1 << 2,
	FILTER_PERSONAL = 1 << 3,
	FILTER_SUBSCRIBED = 1 << 4,
	FILTER_SUBTREE = 1 << 5,
	FILTER_SUBTREE_ONE = 1 << 6,
	FILTER_MAILBOXES = 1 << 7,
	FILTER_OTHERS = FILTER_INBOXES | FILTER_PERSONAL | FILTER_SUBSCRIBED | FILTER_SUBTREE | FILTER_MAILBOXES,
};

struct filter {
	enum filter_kind kind;
	struct str *names; /* in the store's spelling, sorted; memory of the command's arena */
	size_t n;
};

/* One of the allowed kinds (ORed), with its names. */
struct filter lex_filter(struct lex *l, struct command *c, unsigned allowed);
/* Does it mean the mailbox of this name? Whether there is one is the caller's question; the selected one is nobody's by name. */
enum whose { WHOSE_OWN, WHOSE_OTHERS };
bool filter_has(const struct filter *f, struct str name, enum whose whose, bool subscribed);
/* Any mailbox of others may be meant, by a level above its owner or by being subscribed. */
bool filter_means_others(const struct imap_session *s, const struct filter *f);

#endif
