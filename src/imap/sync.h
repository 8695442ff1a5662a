/* sync.h - telling the client what happened to the selected mailbox (RFC 9051 5.2, 7.4, 7.5). */
#ifndef IMAP_SYNC_H
#define IMAP_SYNC_H

#include "sess.h"

/* Looks at the changes since the last time and tells them as far as this command allows: EXPUNGE from the highest
 * number down, EXISTS and RECENT, FLAGS when there are new keywords, FETCH for changed flags. MORE until all is
 * told. */
enum step sync_updates(struct imap_session *s, struct command *c);
/* There is something to look at, and this command may tell it. */
bool sync_is_due(const struct imap_session *s, const struct command *c);
/* Forgets what is half told. */
void sync_free(struct sync *y);

/* This session has changed flags: the messages in r are not told again, unless somebody else committed since the
 * last look (then what he did to the same messages could be lost). */
void sync_own(struct selected *box, const struct store_result *r);

/* "* FLAGS (…)" and "* OK [PERMANENTFLAGS (…)]" for the keywords of the mailbox, which the client then knows. */
void sync_write_flags(struct imap_session *s, struct store_view *v);
/* "* n FETCH (UID u FLAGS (…))", or "* u UIDFETCH (FLAGS (…))"; a client that knows mod-sequences gets MODSEQ, too. */
void sync_write_fetch(struct imap_session *s, uint32_t seq, const struct store_message *m, const struct str *keywords);
/* "* n FETCH (UID u MODSEQ (…))": for such a client, after a change that is told in silence. */
void sync_write_fetch_modseq(struct imap_session *s, uint32_t seq, const struct store_message *m);
/* "* n EXISTS", and RECENT for IMAP4rev1. */
void sync_write_exists(struct imap_session *s);

#endif
