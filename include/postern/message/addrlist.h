/* addrlist.h - address lists of header fields: RFC 5322 3.4 and 4.4, tolerant.
 *
 * Parses what From, Sender, Reply-To, To, Cc and Bcc hold into the items IMAP shows in ENVELOPE (RFC 9051 7.5.2):
 * mailboxes and the begin and end of groups. Every input gives a list with balanced groups (never nested), in linear
 * time, without recursion; `malformed` tells that something had to be guessed, so that whoever decides about rights
 * (may this login use that From?) can refuse to guess. Encoded words (RFC 2047) stay as they are. */
#ifndef POSTERN_MESSAGE_ADDRLIST_H
#define POSTERN_MESSAGE_ADDRLIST_H

#include <stdbool.h>
#include <stddef.h>

#include <postern/core/arena.h>
#include <postern/core/str.h>

enum addrlist_kind {
	ADDRLIST_MAILBOX,
	ADDRLIST_GROUP, /* begin of a group, its name in local */
	ADDRLIST_END,   /* end of the group */
};

struct addrlist_item {
	struct addrlist_item *next;
	enum addrlist_kind kind;
	struct str display; /* phrase without quoting, or the comment after a bare address; p is NULL: none */
	struct str route;   /* "@a,@b" of the obsolete source route; p is NULL: none */
	struct str local;   /* without quoting; may be empty */
	struct str domain;  /* without blanks and comments; empty when the address has none */
};

struct addrlist {
	struct addrlist_item *first;
	struct addrlist_item *last;
	size_t n;        /* items, markers included */
	size_t mailboxes;
	bool malformed;  /* not even obsolete grammar allows it, or an address lacks its local part or domain */
	bool truncated;  /* more items than the caller wanted */
};

/* Adds the addresses of a raw field value to *list (zeroed before its first use; several To fields are one list,
 * RFC 5322 4.5.3). At most max items are kept in all, markers included. Strings are copies in the arena. */
void addrlist_parse(struct arena *a, struct str value, size_t max, struct addrlist *list);

#endif
