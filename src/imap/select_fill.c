/* select_fill.c - which messages are in a mailbox that is opened: remembered, seen at once, or walked over. */
#include "boxmem.h"
#include "select.h"

enum {
	MESSAGES_PER_STEP = 20000,
};

/* Whether from this message on there is one with every UID, the last below UIDNEXT. What lies below it is in the view, and maybe
 * more that went since the step before; so the rest is never counted too large, and cannot be more than there are UIDs. */
static bool
is_dense(const struct view *view, const struct store_mailbox *header, uint32_t uid)
{
	return header->uidnext > uid && header->messages > view->count
	    && header->messages - view->count == header->uidnext - uid;
}

bool
select_fill(struct selected *box, struct store_view *v)
{
	struct store_mailbox header;
	struct store_message m;
	struct store_scan scan;
	unsigned n = 0;
	bool more;

	if (view_next_uid(&box->view) == 0 || !store_mailbox(v, box->mailbox, &header))
		return true;
	store_scan_open(&scan, v, box->mailbox, view_next_uid(&box->view));
	more = store_scan_next(&scan, &m);
	if (more && is_dense(&box->view, &header, m.uid)) {
		view_append(&box->view, m.uid, header.uidnext - 1);
		more = false;
	}
	for (; more && n < MESSAGES_PER_STEP; n++) {
		view_append(&box->view, m.uid, m.uid);
		more = store_scan_next(&scan, &m);
	}
	store_scan_close(&scan);
	return !more;
}

bool
select_recall(struct selected *box, struct store_view *v, uint32_t *unseen)
{
	struct store_mailbox header;

	*unseen = BOXMEM_UNKNOWN;
	return store_mailbox(v, box->mailbox, &header) && boxmem_recall(v, &header, &box->view, unseen);
}
