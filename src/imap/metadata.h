/* metadata.h - annotations as the protocol has them (RFC 5464): entries in commands, METADATA responses, and the news of
 * what other sessions changed. */
#ifndef IMAP_METADATA_H
#define IMAP_METADATA_H

#include <postern/store/metadata.h>

#include "sess.h"

enum {
	METADATA_ENTRIES_MAX = 100,  /* in one command */
	METADATA_PENDING_MAX = 1000, /* changes of others that wait to be told: then the connection ends */
};

enum metadata_depth { DEPTH_0, DEPTH_1, DEPTH_INFINITY };

/* What is asked for. */
struct metadata_ask {
	struct str *entries;
	size_t n;
	uint64_t maxsize;
	enum metadata_depth depth;
	uint64_t longest; /* out: size of the largest value that was left out; 0: none */
};

/* entries: one, or several in parentheses (RFC 5464 5); a bad name fails. */
/* entry: an astring, in lower case; a bad name fails. */
struct str lex_entry(struct lex *l);
void lex_entries(struct lex *l, struct metadata_ask *ask);
/* Writes one METADATA response with all that is asked for; mailbox 0: of the server. */
void metadata_write(struct imap_session *s, struct store_view *v, uint32_t mailbox, struct str name,
    struct metadata_ask *ask, struct arena *a);

/* --- news (RFC 5464 4.4.2) --- */

/* ENABLE METADATA: from here on the client hears what others change. */
void metadata_enable(struct imap_session *s);
/* The same for what NOTIFY asks for. */
void metadata_listen(struct imap_session *s);
void metadata_tell(struct imap_session *s);
void metadata_free(struct imap_session *s);

#endif
