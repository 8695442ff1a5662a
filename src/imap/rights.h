/* rights.h - may the user do this (RFC 4314 4)? Asked before each use, of a fresh snapshot. */
#ifndef IMAP_RIGHTS_H
#define IMAP_RIGHTS_H

#include <postern/store/rights.h>

#include "place.h"

enum {
	/* RFC 4314 5.2: without any of them a mailbox is READ-ONLY. */
	RIGHTS_TO_CHANGE = STORE_RIGHT_INSERT | STORE_RIGHT_EXPUNGE | STORE_RIGHT_WRITE | STORE_RIGHT_DELETE | STORE_RIGHT_SEEN,
	/* RFC 4314 4: one of them makes MYRIGHTS possible. */
	RIGHTS_TO_KNOW = STORE_RIGHT_LOOKUP | STORE_RIGHT_READ | STORE_RIGHT_INSERT | STORE_RIGHT_CREATE |
	    STORE_RIGHT_DELETE_BOX | STORE_RIGHT_ADMIN,
};

/* What the user may do with the mailbox. */
unsigned rights_of(const struct imap_session *s, struct store_view *v, uint32_t mailbox);
/* The mailbox of that name, if all these rights are there. False: the reply is set. */
bool rights_find(struct imap_session *s, struct command *c, struct str name, unsigned want, enum refused where, struct place *p);
/* The same for a mailbox that is known. False: the reply is set. */
bool rights_have(const struct imap_session *s, struct command *c, struct store_view *v, uint32_t mailbox, unsigned want);
/* The same some time after it was found: who may not look it up any more is told that there is none. False: the reply is set. */
bool rights_still(const struct imap_session *s, struct command *c, struct store_view *v, uint32_t mailbox, unsigned want);
/* "l" and one of those that annotations need (RFC 5464 3.3). */
bool rights_annotate(const struct imap_session *s, struct command *c, struct store_view *v, uint32_t mailbox);
/* The same for what the selected mailbox was found to allow last. */
bool rights_selected(const struct imap_session *s, struct command *c, unsigned want);
/* May a mailbox of that name be made: "k" on the nearest one above it (RFC 4314 4)? Where that is. False: the reply is set. */
bool rights_create(struct imap_session *s, struct command *c, struct str name, struct place *p);
/* May the one become the other: "x" on the mailbox (a level that is none has no rights), "k" above its new name? */
bool rights_rename(struct imap_session *s, struct command *c, struct str from, struct str to, struct place *p, struct place *new);
/* rights: an astring; "" when there are none. */
/* UIDs are told only of a mailbox that may be read (RFC 9051 6.3.12, 6.4.7). */
bool rights_tell_uids(const struct imap_session *s, const struct place *p);
void rights_out(struct buf *out, unsigned rights);
/* MYRIGHTS (RFC 4314 3.8). */
void rights_write(struct imap_session *s, struct str mailbox, unsigned rights);
/* Looks anew at what the selected mailbox allows. */
void rights_refresh(struct imap_session *s);

#endif
