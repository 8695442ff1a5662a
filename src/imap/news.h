/* news.h - what follows when changed and new messages were told: results of contexts (RFC 5267), and the data of new messages that
 * a client asked for with NOTIFY (RFC 5465 5.2) or UPDATE (RFC 5465 7).
 *
 * A message that comes to a context whose UPDATE asks for data is told with these, and whatever else is wanted of new
 * messages, before the ADDTO; data that NOTIFY alone asks for follow it. */
#ifndef IMAP_NEWS_H
#define IMAP_NEWS_H

#include "sess.h"

struct news;

/* These UIDs changed; messages from number `fresh` on are new. */
struct news *news_new(struct imap_session *s, const struct uidset *changed, uint32_t fresh);
enum step news_step(struct imap_session *s, struct news *n);
void news_free(struct news *n);

#endif
