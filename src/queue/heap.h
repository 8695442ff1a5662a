/* heap.h - a binary heap of nodes inside their owners: which is the lowest, in O(1); put, move and take in O(log n). */
#ifndef POSTERN_QUEUE_HEAP_H
#define POSTERN_QUEUE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t at;
	size_t slot; /* 0: in no heap */
};

struct heap {
	struct heap_node **v; /* from 1 on */
	size_t n, cap;
};

void heap_fini(struct heap *h);
/* Puts the node at its place, or moves it there when it is in the heap. */
void heap_put(struct heap *h, struct heap_node *node, int64_t at);
/* Takes it out if it is in. */
void heap_take(struct heap *h, struct heap_node *node);
/* The lowest, or NULL. */
static inline struct heap_node *
heap_first(const struct heap *h)
{
	return h->n > 0 ? h->v[1] : NULL;
}

/* The owner of a node. */
#define HEAP_OWNER(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

#endif
