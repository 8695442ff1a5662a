/* thread_link.c - who answers whom, by Message-ID (RFC 5256 3, REFERENCES, step 1). */
#include <stdlib.h>

#include "msgid.h"
#include "thread_node.h"

/* The node of a Message-ID; a dummy is made for one that no message has (yet). */
static uint32_t
node_of(struct threads *t, struct str id)
{
	uintptr_t found = (uintptr_t)map_get(&t->ids, id);
	uint32_t i;

	if (found != 0)
		return (uint32_t)(found - 1);
	t->id_bytes += id.n;
	if (t->id_bytes > THREAD_TEXT_MAX)
		t->full = true;
	i = t->full ? NONE : thread_node_new(t);
	if (i != NONE)
		map_put(&t->ids, id, (void *)((uintptr_t)i + 1));
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

static size_t
count_ids(struct str text, struct buf *id)
{
	size_t n = 0;

	while (msgid_next(&text, id))
		n++;
	return n;
}

/* Step 1.A: each reference is the parent of the next, unless that has a parent already. Returns the last, or NONE. */
static uint32_t
link_references(struct threads *t, struct str text, struct buf *id)
{
	size_t n = count_ids(text, id);
	size_t skip = n > THREAD_REFERENCES_MAX ? n - THREAD_REFERENCES_MAX : 0;
	uint32_t last = NONE;

	while (msgid_next(&text, id)) {
		uint32_t i;

		if (skip > 0) {
			skip--;
			continue;
		}
		i = node_of(t, buf_str(id));
		if (i == NONE)
			return NONE;
		if (last != NONE && t->node[i].parent == NONE)
			link_child(t, last, i);
		last = i;
	}
	return last;
}

/* References; without a valid Message-ID there, the first of In-Reply-To. */
static uint32_t
find_parent(struct threads *t, const struct thread_message *m, struct buf *id)
{
	uint32_t parent = link_references(t, m->references, id);
	struct str text = m->in_reply_to;

	if (parent != NONE || !msgid_next(&text, id))
		return parent;
	return node_of(t, buf_str(id));
}

/* The node of the message: its own (what was a dummy until now), or one without ID if that is taken or not there. */
static uint32_t
own_node(struct threads *t, const struct thread_message *m, struct buf *id)
{
	struct str text = m->message_id;
	uint32_t i = msgid_next(&text, id) ? node_of(t, buf_str(id)) : NONE;

	if (i != NONE && thread_is_dummy(&t->node[i]))
		return i;
	return t->full ? NONE : thread_node_new(t);
}

/* Step 1.B: the last reference is the parent, whatever was thought before. */
uint32_t
thread_link(struct threads *t, const struct thread_message *m)
{
	struct buf id;
	uint32_t parent = NONE;
	uint32_t own;

	buf_init(&id, SIZE_MAX);
	own = own_node(t, m, &id);
	if (own != NONE)
		parent = find_parent(t, m, &id);
	if (own != NONE)
		unlink_child(t, own);
	if (parent != NONE)
		link_child(t, parent, own);
	buf_fini(&id);
	return own;
}
