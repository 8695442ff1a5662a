/* view.h - the inside of a view; private to src/store. */
#ifndef POSTERN_STORE_VIEW_H
#define POSTERN_STORE_VIEW_H

#include "guest.h"
#include "state.h"

struct store_view {
	struct store_user *u;
	struct snap s;
	bool kept;     /* the transaction is the user's own, to be renewed for the next view */
	struct guest *guest; /* whose \Seen is shown; NULL: the owner's */
	struct mbox m; /* the last mailbox that was asked for */
};

/* The mailbox, in the view's memory until the next call; NULL when there is none. */
struct mbox *view_mbox(struct store_view *v, uint32_t mailbox);
/* Its directory, to be freed. */
char *view_dir(struct store_view *v, uint32_t mailbox);

#endif
