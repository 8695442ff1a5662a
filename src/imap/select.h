/* select.h - opening and closing the selected mailbox. */
#ifndef IMAP_SELECT_H
#define IMAP_SELECT_H

#include "sess.h"

/* Deselects without a word; nothing when nothing is selected. */
void select_close(struct imap_session *s);
/* The selected mailbox was deleted. By this command: it is closed, and true; by somebody else: BYE, and false. */
bool select_drop_deleted(struct imap_session *s, const struct command *c);

/* A mailbox that is opened: of this owner and number, with nothing in its view; and its end. NULL is nothing. */
struct selected *selected_new(struct store_user *user, uint32_t mailbox);
void selected_free(struct selected *box);

/* select_fill.c */
/* Fills the view, some messages at a time; true when all are in. Where no UID is missing nothing needs to be walked. */
bool select_fill(struct selected *box, struct store_view *v);
/* Fills the view with what is remembered of the mailbox and has changed since, and the first UID without \Seen. False: to be filled. */
bool select_recall(struct selected *box, struct store_view *v, uint32_t *unseen);

#endif
