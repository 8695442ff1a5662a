/* thread.h - threading (RFC 5256 3, BASE.6.4.THREAD), without a session: messages go in one by one in the order of the
 * mailbox, steps build the tree, the tree is written as thread-list.
 *
 * A tree is parents only until the end; then all messages are sorted once by sent date and handed to their parents in
 * that order, so that all sets of siblings are sorted. Everything is linear but for that sort. */
#ifndef IMAP_THREAD_H
#define IMAP_THREAD_H

#include <postern/core/buf.h>

#include "idmap.h"
#include "mailkeys.h"
#include "order.h"

enum {
	THREAD_NODES_MAX = 16 * 1024 * 1024,  /* messages, and Message-IDs of none */
	THREAD_WALK_MAX = 10000, /* levels looked up to see that a link makes no loop; beyond it there is no link */
};

enum thread_algorithm { THREAD_ORDEREDSUBJECT, THREAD_REFERENCES };

struct thread_message {
	uint32_t number; /* in the answer */
	int64_t date;    /* sent */
	const struct mailkeys *keys;
};

struct thread_node;

struct threads {
	enum thread_algorithm algorithm;
	struct thread_node *node;
	size_t n;
	size_t cap;
	size_t messages;        /* nodes that are no dummies */
	struct idmap ids;       /* Message-ID → node index + 1 */
	struct idmap subjects;  /* base subject → node index + 1 */
	struct order order;     /* of all nodes: the messages by date, dummies last */
	unsigned phase;
	size_t at;              /* in the phase */
	uint32_t *root;         /* the top level, by date */
	size_t nroot;
	uint32_t write;         /* the next node to be written */
	size_t write_root;
	bool full;              /* a limit was passed: there is no tree */
};

void threads_init(struct threads *t, enum thread_algorithm algorithm);
void threads_fini(struct threads *t);
void threads_add(struct threads *t, const struct thread_message *m);
/* Goes on by about budget nodes; true when the tree stands. */
bool threads_step(struct threads *t, size_t budget);
/* Writes about budget nodes of the thread-lists; true when all are written. */
bool threads_write(struct threads *t, struct buf *out, size_t budget);

#endif
