/* place.h - a mailbox as a name of the client means it: whose it is, and which of his. */
#ifndef IMAP_PLACE_H
#define IMAP_PLACE_H

#include "sess.h"

struct place {
	struct store_user *user; /* the owner; not counted: the session or the command holds him */
	uint32_t mailbox;        /* in his index; 0: there is none of that name */
	struct str name;         /* as the owner calls it */
	uint64_t quota;          /* bytes the owner may have; 0: no limit */
};

/* Whose the name is, and what it is there; p->mailbox stays 0. False: nobody's whom the session can see. */
bool place_of(const struct imap_session *s, const struct command *c, struct str name, struct place *p);
/* The same, with the mailbox's number if the user may know of it, in a view of the owner's index, which the caller closes. NULL with the reply set when it cannot
 * be looked at. What is nobody's is looked for, and not there, in the session user's own. */
struct store_view *place_look(struct imap_session *s, struct command *c, struct str name, struct place *p);
/* The session's user himself. */
bool place_is_own(const struct imap_session *s, const struct store_user *user);
/* True for the selected mailbox. */
bool place_is_selected(const struct imap_session *s, const struct store_user *user, uint32_t mailbox);
/* The client's name of a mailbox of the view's owner; empty when it is gone. */
struct str place_name(const struct imap_session *s, struct store_view *v, uint32_t mailbox, struct arena *a);

#endif
