/* thread_merge.c - threads of one subject become one thread (RFC 5256 3, REFERENCES, step 5). */
#include "thread_node.h"

static uint32_t
table_get(const struct threads *t, struct str subject)
{
	return (uint32_t)((uintptr_t)map_get(&t->subjects, subject) - 1);
}

static void
table_put(struct threads *t, struct str subject, uint32_t i)
{
	map_put(&t->subjects, subject, (void *)((uintptr_t)i + 1));
}

/* Step 5.B. An empty subject gathers nothing. */
void
thread_gather(struct threads *t, uint32_t root)
{
	struct str subject = thread_subject(t, root);
	const struct thread_node *here = &t->node[root];
	const struct thread_node *there;

	if (subject.n == 0)
		return;
	if (map_get(&t->subjects, subject) == NULL) {
		table_put(t, subject, root);
		return;
	}
	there = &t->node[table_get(t, subject)];
	if (!thread_is_dummy(there) && (thread_is_dummy(here) || (there->reply && !here->reply)))
		table_put(t, subject, root);
}

static void
join_under_dummy(struct threads *t, uint32_t root, uint32_t other)
{
	uint32_t dummy = thread_node_new(t);

	if (dummy == NONE)
		return;
	t->node[dummy].subject_at = t->node[root].subject_at;
	t->node[dummy].subject_size = t->node[root].subject_size;
	t->node[root].parent = dummy;
	t->node[other].parent = dummy;
	table_put(t, thread_subject(t, root), dummy);
}

/* Step 5.C. A dummy that gets a parent gives it its children (thread_parent). */
void
thread_merge(struct threads *t, uint32_t root)
{
	struct str subject = thread_subject(t, root);
	uint32_t other = subject.n > 0 ? table_get(t, subject) : root;

	if (other == root || t->node[root].parent != NONE)
		return;
	if (thread_is_dummy(&t->node[other]) || (t->node[root].reply && !t->node[other].reply))
		t->node[root].parent = other;
	else
		join_under_dummy(t, root, other);
}
