/* thread_node.h - a message in a thread, for the files that build it. Nodes are known by their index. */
#ifndef IMAP_THREAD_NODE_H
#define IMAP_THREAD_NODE_H

#include "thread.h"

#define NONE UINT32_MAX

struct thread_node {
	uint32_t number;  /* of the message; 0: a dummy */
	uint32_t parent;  /* NONE: top level */
	uint32_t first;   /* child; NONE: none */
	uint32_t last;
	uint32_t next;    /* sibling */
	uint32_t children; /* links to it; counted anew when dummies are pruned */
	int64_t date;
	uint64_t subject; /* hash of the base subject; 0: it is empty */
	bool reply;       /* or forward, by its subject */
	bool on_top;      /* a dummy that is among the roots already */
};

/* A new node without anything; NONE when there are too many. */
uint32_t thread_node_new(struct threads *t);
static inline bool
thread_is_dummy(const struct thread_node *n)
{
	return n->number == 0;
}

/* thread_link.c: step 1 of REFERENCES. The message's node; NONE when a limit is passed. */
uint32_t thread_link(struct threads *t, const struct mailkeys *k);
/* thread_merge.c: step 5 of REFERENCES for a node of the top level, in their order: B, then C. */
void thread_gather(struct threads *t, uint32_t root);
void thread_merge(struct threads *t, uint32_t root);

#endif
