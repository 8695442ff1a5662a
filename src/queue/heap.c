/* heap.c - sifting up and down. */
#include "heap.h"

#include <stdlib.h>

#include <postern/core/mem.h>

void
heap_fini(struct heap *h)
{
	free(h->v);
	*h = (struct heap){ 0 };
}

static void
set(struct heap *h, size_t slot, struct heap_node *node)
{
	h->v[slot] = node;
	node->slot = slot;
}

static void
sift_up(struct heap *h, struct heap_node *node)
{
	size_t slot = node->slot;

	for (; slot > 1 && h->v[slot / 2]->at > node->at; slot /= 2)
		set(h, slot, h->v[slot / 2]);
	set(h, slot, node);
}

static void
sift_down(struct heap *h, struct heap_node *node)
{
	size_t slot = node->slot;
	size_t child;

	while ((child = slot * 2) <= h->n) {
		if (child < h->n && h->v[child + 1]->at < h->v[child]->at)
			child++;
		if (h->v[child]->at >= node->at)
			break;
		set(h, slot, h->v[child]);
		slot = child;
	}
	set(h, slot, node);
}

void
heap_put(struct heap *h, struct heap_node *node, int64_t at)
{
	node->at = at;
	if (node->slot == 0) {
		if (h->n + 1 >= h->cap) {
			h->cap = h->cap > 0 ? h->cap * 2 : 16;
			h->v = mem_resize(h->v, h->cap * sizeof *h->v);
		}
		set(h, ++h->n, node);
	}
	sift_up(h, node);
	sift_down(h, node);
}

void
heap_take(struct heap *h, struct heap_node *node)
{
	struct heap_node *last;
	size_t slot = node->slot;

	if (slot == 0)
		return;
	last = h->v[h->n--];
	node->slot = 0;
	if (last == node)
		return;
	set(h, slot, last);
	sift_up(h, last);
	sift_down(h, last);
}
