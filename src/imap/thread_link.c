/* thread_link.c - who answers whom, by Message-ID (RFC 5256 3, REFERENCES, step 1). */
#include "thread_node.h"

/* The node of a Message-ID; a dummy is made for one that no message has (yet). */
static uint32_t
node_of(struct threads *t, uint64_t id)
{
	uint32_t number = idmap_get(&t->ids, id);
	uint32_t i;

	if (number != 0)
		return number - 1;
	i = thread_node_new(t);
	if (i != NONE)
		idmap_put(&t->ids, id, i + 1);
	return i;
}

/* Is the node below the other one, or the same? What is too deep to tell counts as yes: no link. */
static bool
is_below(const struct threads *t, uint32_t i, uint32_t above)
{
	if (i == above)
		return true;
	if (t->node[above].children == 0)
		return false;
	for (unsigned n = 0; i != NONE; n++) {
		if (i == above || n == THREAD_WALK_MAX)
			return true;
		i = t->node[i].parent;
	}
	return false;
}

static void
unlink_child(struct threads *t, uint32_t child)
{
	if (t->node[child].parent != NONE)
		t->node[t->node[child].parent].children--;
	t->node[child].parent = NONE;
}

static void
link_child(struct threads *t, uint32_t parent, uint32_t child)
{
	if (is_below(t, parent, child))
		return;
	unlink_child(t, child);
	t->node[child].parent = parent;
	t->node[parent].children++;
}

/* Step 1.A: each reference is the parent of the next, unless that has a parent already. Returns the last, or NONE. */
static uint32_t
link_references(struct threads *t, const struct mailkeys *k)
{
	uint32_t last = NONE;

	for (size_t n = 0; n < k->nreferences; n++) {
		uint32_t i = node_of(t, mailkeys_reference(k, n));

		if (i == NONE)
			return NONE;
		if (last != NONE && t->node[i].parent == NONE)
			link_child(t, last, i);
		last = i;
	}
	return last;
}

/* The node of the message: its own (what was a dummy until now), or one without ID if that is taken or not there. */
static uint32_t
own_node(struct threads *t, const struct mailkeys *k)
{
	uint32_t i = k->flags & MAILKEYS_ID ? node_of(t, k->id) : NONE;

	if (i != NONE && thread_is_dummy(&t->node[i]))
		return i;
	return thread_node_new(t);
}

/* Step 1.B: the last reference is the parent, whatever was thought before. */
uint32_t
thread_link(struct threads *t, const struct mailkeys *k)
{
	uint32_t own = own_node(t, k);
	uint32_t parent;

	if (own == NONE)
		return NONE;
	parent = link_references(t, k);
	unlink_child(t, own);
	if (parent != NONE)
		link_child(t, parent, own);
	return own;
}
