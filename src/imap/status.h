/* status.h - STATUS items, for STATUS and for LIST … RETURN (STATUS …) (RFC 9051 6.3.11, RFC 5819). */
#ifndef IMAP_STATUS_H
#define IMAP_STATUS_H

#include "sess.h"

/* "(" status-att *(SP status-att) ")": a bit per row of the table. */
unsigned lex_status_items(struct lex *l);
/* The bit of an item of the table. */
unsigned status_item_of(struct str name);
/* HIGHESTMODSEQ is among them: the client knows mod-sequences (RFC 7162 3.1). */
bool status_has_modseq(unsigned items);
/* "* STATUS name (…)"; nothing when the mailbox is gone. */
void status_write(struct imap_session *s, struct store_view *v, uint32_t mailbox, struct str name, unsigned items);

#endif
