/* names.h - mailbox names as the client writes and reads them. */
#ifndef IMAP_NAMES_H
#define IMAP_NAMES_H

#include "out.h"
#include "sess.h"

enum {
	NAME_BYTES_MAX = 4096, /* a longer name or pattern is no mailbox */
};

/* mailbox: a UTF-8 name of the store in the client's spelling, as string. */
void out_mailbox(struct buf *out, struct str name, enum names names);
/* The client's spelling of a name or LIST pattern to UTF-8. False: no such name can be. */
bool name_from_client(struct buf *utf8, struct str s, enum names names);
/* True with a control character, or a separator of lines or paragraphs: no name may be created with one (RFC 9755 3). */
bool name_has_control(struct str utf8);
/* Unicode in the form of RFC 5198 (NFC): what an 8-bit name has to be to be created (RFC 9051 5.1). */
bool name_is_normal(struct str utf8);
/* The store's spelling: INBOX, in any case, is "INBOX". Memory of the arena or the name's own. */
struct str name_of_store(struct arena *a, struct str name);
/* mailbox at the cursor, in UTF-8; what no name can be becomes "", which is no mailbox. */
struct str lex_mailbox(struct lex *l, struct command *c);
/* SP mailbox as the only argument: c->args is its struct str. */
bool parse_one_mailbox(struct lex *l, struct command *c);

#endif
