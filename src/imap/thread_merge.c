/* thread_merge.c - threads of one subject become one thread (RFC 5256 3, REFERENCES, step 5). */
#include "thread_node.h"

/* Step 5.B. An empty subject gathers nothing. */
void
thread_gather(struct threads *t, uint32_t root)
{
	const struct thread_node *here = &t->node[root];
	const struct thread_node *there;
	uint32_t number = idmap_get(&t->subjects, here->subject);

	if (here->subject == 0)
		return;
	there = number != 0 ? &t->node[number - 1] : NULL;
	if (there == NULL
	    || (!thread_is_dummy(there) && (thread_is_dummy(here) || (there->reply && !here->reply))))
		idmap_put(&t->subjects, here->subject, root + 1);
}

static void
join_under_dummy(struct threads *t, uint32_t root, uint32_t other)
{
	uint32_t dummy = thread_node_new(t);

	if (dummy == NONE)
		return;
	t->node[dummy].subject = t->node[root].subject;
	t->node[root].parent = dummy;
	t->node[other].parent = dummy;
	idmap_put(&t->subjects, t->node[root].subject, dummy + 1);
}

/* Step 5.C. A dummy that gets a parent gives it its children (find_parent in thread.c). */
void
thread_merge(struct threads *t, uint32_t root)
{
	uint64_t subject = t->node[root].subject;
	uint32_t other = subject != 0 ? idmap_get(&t->subjects, subject) - 1 : root;

	if (other == root || t->node[root].parent != NONE)
		return;
	if (thread_is_dummy(&t->node[other]) || (t->node[root].reply && !t->node[other].reply))
		t->node[root].parent = other;
	else
		join_under_dummy(t, root, other);
}
