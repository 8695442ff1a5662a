/* mailkeys.h - what SORT and THREAD compare, ready to be compared: made once for each message from its envelope, kept in the store's
 * cache beside the row (cacherow.h), so that nothing is decoded for a query.
 *
 *   octets      what
 *   1           version
 *   1           flags (enum mailkeys_flag)
 *   2           number of references
 *   4           the day the Date field shows in its own zone, since 1970-01-01
 *   8           sent date, seconds since the epoch
 *   8           hash of the base subject
 *   8           hash of the Message-ID, if there is one
 *   8 each      hashes of the references, the last one being the parent
 *   …           the texts (enum mailkeys_text), each a number in LEB128 and maybe a second one: 0 is empty, the length times two and
 *               the octets, or the length times two plus one and the place among the octets before, where the same stand
 *
 * Texts are folded by i;unicode-casemap (RFC 5256 2, RFC 5255 4.3). Message-IDs and base subjects are known by 64 bits of BLAKE2b:
 * two of a million messages share them by accident with a probability of one in a million. Whoever makes two that are the same by
 * calculating has no more than what quoting somebody's Message-ID or subject gives him: a place in that thread. */
#ifndef IMAP_MAILKEYS_H
#define IMAP_MAILKEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>
#include <postern/message/mime.h>
#include <postern/store/read.h>

enum {
	MAILKEYS_ADDRESSES_MAX = 1000,  /* octets of all lists of addresses; longer ones are looked for in the envelope */
	MAILKEYS_REFERENCES_MAX = 1000, /* Message-IDs of one References field: the last ones count */
};

enum mailkeys_flag {
	MAILKEYS_DATED = 1, /* there is a Date field that can be read */
	MAILKEYS_REPLY = 2, /* the subject says so, or that it is a forward (RFC 5256 2.1) */
	MAILKEYS_ID = 4,    /* there is a valid Message-ID */
	MAILKEYS_SUBJECT = 8, /* there is a Subject field */
	MAILKEYS_WHOLE = 16,  /* the whole lists of addresses are there: they are not too long */
	MAILKEYS_FLAGS = 31,
};

enum mailkeys_text {
	KEY_SUBJECT,      /* the whole, decoded and folded, as SEARCH SUBJECT looks into it */
	KEY_ALL_FROM,     /* all addresses, as SEARCH FROM looks into them; empty when there is none */
	KEY_ALL_TO,
	KEY_ALL_CC,
	KEY_ALL_BCC,
	KEY_BASE_SUBJECT, /* RFC 5256 2.1 */
	KEY_FROM,         /* addr-mailbox of the first address */
	KEY_TO,
	KEY_CC,
	KEY_DISPLAY_FROM, /* RFC 5957 3 */
	KEY_DISPLAY_TO,
	KEY_TEXTS,
};

/* Views into the record. */
struct mailkeys {
	unsigned flags;
	size_t nreferences;
	const char *references; /* 8 octets each: mailkeys_reference() */
	int32_t day;
	int64_t sent;
	uint64_t subject;       /* hash of the base subject; 0: it is empty */
	uint64_t id;
	struct str text[KEY_TEXTS];
};

void mailkeys_write(struct buf *out, const struct mime_envelope *e);
/* False when the bytes are no such record: another version, or damaged. */
bool mailkeys_read(struct str record, struct mailkeys *k);
/* The same, but only the texts before this one: the others are left as they were. */
bool mailkeys_read_first(struct str record, struct mailkeys *k, enum mailkeys_text end);
uint64_t mailkeys_reference(const struct mailkeys *k, size_t i);
/* RFC 5256 2.2: the Date field as an instant, else INTERNALDATE. */
int64_t mailkeys_sent(const struct mailkeys *k, const struct store_message *m);

#endif
