/* qresync.h - telling a client that was away what happened meanwhile (RFC 7162 3.2): the QRESYNC parameter of SELECT,
 * CHANGEDSINCE and VANISHED of UID FETCH, the VANISHED response.
 *
 * VANISHED (EARLIER) names UIDs that are in the mailbox no more and not in the session's view either: what is in the
 * view yet leaves it by a plain VANISHED (RFC 7162 3.2.10). */
#ifndef IMAP_QRESYNC_H
#define IMAP_QRESYNC_H

#include "seqset.h"
#include "sess.h"

/* What the client knows. */
struct qresync {
	uint32_t uidvalidity;
	uint64_t modseq;
	bool limited;          /* only of these UIDs it wants to know: */
	struct seq_set known;
	struct seq_set seqs;   /* match data: these sequence numbers … */
	struct seq_set uids;   /* … had these UIDs */
};

/* The parameter's value, "(…)". */
void lex_qresync(struct lex *l, struct qresync *q);
/* The highest UID up to which the match data shows that the client knows of every expunge (RFC 7162 3.2.5.2); 0: none. */
uint32_t qresync_match(const struct view *v, const struct qresync *q);

/* What happened to some messages after a mod-sequence. */
struct resync {
	uint64_t since;
	struct uidset gone;    /* still to be told as VANISHED (EARLIER) … */
	size_t gone_at;        /* … from this range on */
	struct uidset changed; /* in the view, and may have a higher mod-sequence */
	uint32_t next;         /* the next of them to be told, 0: none */
};

void resync_fini(struct resync *r);
/* Looks: of these UIDs only. False: the mailbox is gone. */
bool resync_look(struct resync *r, struct imap_session *s, struct store_view *v, uint64_t since, const struct uidset *uids);
/* Writes a line of VANISHED (EARLIER); false when all are written. */
bool resync_tell_gone(struct resync *r, struct imap_session *s);
/* Writes some FETCH responses with the flags; DONE when all are written. */
enum step resync_tell_changed(struct resync *r, struct imap_session *s, struct store_view *v);

enum vanished { VANISHED_NOW, VANISHED_EARLIER };
/* One "* VANISHED …" line of the set from range *at on; a long set takes several. */
void qresync_write_vanished(struct buf *out, const struct uidset *uids, size_t *at, enum vanished when);

#endif
