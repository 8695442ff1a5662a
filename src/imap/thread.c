/* thread.c - building and writing threads (RFC 5256 3, 4), phase by phase, each in steps. */
#include "thread.h"

#include <stdlib.h>

#include <postern/core/mem.h>

#include "thread_node.h"

void
threads_init(struct threads *t, enum thread_algorithm algorithm)
{
	*t = (struct threads){ .algorithm = algorithm };
	idmap_init(&t->ids);
	idmap_init(&t->subjects);
}

void
threads_fini(struct threads *t)
{
	free(t->node);
	free(t->root);
	idmap_fini(&t->ids);
	idmap_fini(&t->subjects);
	order_fini(&t->order);
}

/* --- nodes --- */

uint32_t
thread_node_new(struct threads *t)
{
	if (t->n == THREAD_NODES_MAX) {
		t->full = true;
		return NONE;
	}
	if (t->n == t->cap) {
		t->cap += t->cap / 2 + 64;
		t->node = mem_resize(t->node, t->cap * sizeof(*t->node));
	}
	t->node[t->n] = (struct thread_node){ .parent = NONE, .first = NONE, .last = NONE, .next = NONE };
	return (uint32_t)t->n++;
}

/* The parent that is left when dummies below the top level are taken out; the way there becomes short. */
static uint32_t
find_parent(struct threads *t, uint32_t i)
{
	uint32_t top = t->node[i].parent;
	uint32_t way = top;

	while (top != NONE && thread_is_dummy(&t->node[top]) && t->node[top].parent != NONE)
		top = t->node[top].parent;
	while (way != top) {
		uint32_t next = t->node[way].parent;

		t->node[way].parent = top;
		way = next;
	}
	return top;
}

void
threads_add(struct threads *t, const struct thread_message *m)
{
	uint32_t i = t->full ? NONE : t->algorithm == THREAD_REFERENCES ? thread_link(t, m->keys) : thread_node_new(t);
	struct thread_node *n;

	if (i == NONE)
		return;
	n = &t->node[i];
	n->number = m->number;
	n->date = m->date;
	n->subject = m->keys->subject;
	n->reply = m->keys->flags & MAILKEYS_REPLY;
	t->messages++;
}

/* --- phases: each goes on from t->at and returns true when it is over --- */

typedef bool phase(struct threads *t, size_t budget);

/* Whether the phase goes on with one more node. */
static bool
goes_on(const struct threads *t, size_t end, size_t *budget)
{
	return t->at < end && (*budget)-- > 0;
}

static bool
forget_counts(struct threads *t, size_t budget)
{
	for (; goes_on(t, t->n, &budget); t->at++)
		t->node[t->at].children = 0;
	return t->at == t->n;
}

/* REFERENCES, step 3: dummies below the top level go, their children rise. */
static bool
prune(struct threads *t, size_t budget)
{
	for (; goes_on(t, t->n, &budget); t->at++) {
		struct thread_node *n = &t->node[t->at];

		if (thread_is_dummy(n))
			continue;
		n->parent = find_parent(t, (uint32_t)t->at);
		if (n->parent != NONE)
			t->node[n->parent].children++;
	}
	return t->at == t->n;
}

/* Step 3, too: a dummy on the top level stays only with several children. */
static bool
promote(struct threads *t, size_t budget)
{
	for (; goes_on(t, t->n, &budget); t->at++) {
		struct thread_node *n = &t->node[t->at];
		const struct thread_node *p = n->parent != NONE ? &t->node[n->parent] : NULL;

		if (!thread_is_dummy(n) && p != NULL && thread_is_dummy(p) && p->children == 1)
			n->parent = NONE;
	}
	return t->at == t->n;
}

/* RFC 5256 2.2: the sent date, then the order of the mailbox. Dummies have none: they come last. */
static int
by_date(const void *ctx, uint32_t a, uint32_t b)
{
	const struct thread_node *x = &((const struct threads *)ctx)->node[a];
	const struct thread_node *y = &((const struct threads *)ctx)->node[b];

	if (thread_is_dummy(x) != thread_is_dummy(y))
		return thread_is_dummy(x) ? 1 : -1;
	if (x->date != y->date)
		return x->date < y->date ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

/* Any order will do that brings the same subjects together. */
static int
by_subject(const void *ctx, uint32_t a, uint32_t b)
{
	const struct thread_node *x = &((const struct threads *)ctx)->node[a];
	const struct thread_node *y = &((const struct threads *)ctx)->node[b];

	if (x->subject != y->subject)
		return x->subject < y->subject ? -1 : 1;
	return by_date(ctx, a, b);
}

static bool
begin_order(struct threads *t, size_t budget)
{
	(void)budget;
	order_fini(&t->order);
	order_init(&t->order, t->n);
	return true;
}

static bool
order_by_date(struct threads *t, size_t budget)
{
	return order_step(&t->order, by_date, t, budget);
}

static bool
order_by_subject(struct threads *t, size_t budget)
{
	return order_step(&t->order, by_subject, t, budget);
}

/* ORDEREDSUBJECT: the first message of a subject is the parent of the others. */
static bool
group(struct threads *t, size_t budget)
{
	for (; goes_on(t, t->messages, &budget); t->at++) {
		uint32_t i = t->order.p[t->at];
		uint32_t before = t->at > 0 ? t->order.p[t->at - 1] : NONE;

		if (before == NONE || t->node[i].subject != t->node[before].subject)
			continue;
		t->node[i].parent = t->node[before].parent != NONE ? t->node[before].parent : before;
	}
	return t->at == t->messages;
}

static bool
begin_roots(struct threads *t, size_t budget)
{
	(void)budget;
	free(t->root);
	t->root = mem_array(t->messages + 1, sizeof(*t->root));
	t->nroot = 0;
	return true;
}

/* The top level in order: a dummy stands where its first child does, and has its subject. */
static void
add_root(struct threads *t, uint32_t i)
{
	uint32_t p = t->node[i].parent;

	if (p == NONE) {
		t->root[t->nroot++] = i;
	} else if (thread_is_dummy(&t->node[p]) && !t->node[p].on_top) {
		t->node[p].on_top = true;
		t->node[p].subject = t->node[i].subject;
		t->root[t->nroot++] = p;
	}
}

/* Step 4. */
static bool
find_roots(struct threads *t, size_t budget)
{
	for (; goes_on(t, t->messages, &budget); t->at++)
		add_root(t, t->order.p[t->at]);
	return t->at == t->messages;
}

/* Step 5. */
static bool
gather(struct threads *t, size_t budget)
{
	for (; goes_on(t, t->nroot, &budget); t->at++)
		thread_gather(t, t->root[t->at]);
	return t->at == t->nroot;
}

static bool
merge(struct threads *t, size_t budget)
{
	for (; goes_on(t, t->nroot, &budget); t->at++)
		thread_merge(t, t->root[t->at]);
	return t->at == t->nroot;
}

static bool
forget_tops(struct threads *t, size_t budget)
{
	for (; goes_on(t, t->n, &budget); t->at++)
		t->node[t->at].on_top = false;
	return t->at == t->n;
}

/* Step 6: handed out in the order of dates, all siblings are sorted. */
static bool
hand_out(struct threads *t, size_t budget)
{
	for (; goes_on(t, t->messages, &budget); t->at++) {
		uint32_t i = t->order.p[t->at];
		uint32_t p = t->node[i].parent = find_parent(t, i);

		add_root(t, i);
		if (p == NONE)
			continue;
		if (t->node[p].first == NONE)
			t->node[p].first = i;
		else
			t->node[t->node[p].last].next = i;
		t->node[p].last = i;
	}
	return t->at == t->messages;
}

static phase *const references[] = { forget_counts, prune, promote, begin_order, order_by_date, begin_roots, find_roots,
	gather, merge, forget_tops, begin_roots, hand_out, NULL };
static phase *const ordered_subject[] = { begin_order, order_by_subject, group, begin_order, order_by_date, begin_roots,
	hand_out, NULL };

bool
threads_step(struct threads *t, size_t budget)
{
	phase *const *phases = t->algorithm == THREAD_REFERENCES ? references : ordered_subject;

	if (phases[t->phase] != NULL && phases[t->phase](t, budget)) {
		t->phase++;
		t->at = 0;
	}
	if (phases[t->phase] != NULL)
		return false;
	t->write = t->nroot > 0 ? t->root[0] : NONE;
	return true;
}

/* --- writing --- */

static bool
has_brothers(const struct threads *t, uint32_t parent)
{
	return t->node[parent].first != t->node[parent].last;
}

/* A member goes on behind its parent, unless it begins a list of its own. */
static bool
opens_list(const struct threads *t, uint32_t i)
{
	uint32_t p = t->node[i].parent;

	return p == NONE || thread_is_dummy(&t->node[p]) || has_brothers(t, p);
}

static void
enter(const struct threads *t, struct buf *out, uint32_t i)
{
	const struct thread_node *n = &t->node[i];
	bool after_number = n->parent != NONE && !thread_is_dummy(&t->node[n->parent]) && t->node[n->parent].first == i;

	if (after_number)
		buf_add_char(out, ' ');
	if (opens_list(t, i))
		buf_add_char(out, '(');
	if (!thread_is_dummy(n))
		buf_add_u64(out, n->number);
}

/* Ends the lists that end behind this node; what is written next, NONE: this root is done. */
static uint32_t
leave(const struct threads *t, struct buf *out, uint32_t i)
{
	for (;;) {
		if (opens_list(t, i))
			buf_add_char(out, ')');
		if (t->node[i].next != NONE)
			return t->node[i].next;
		i = t->node[i].parent;
		if (i == NONE)
			return NONE;
	}
}

bool
threads_write(struct threads *t, struct buf *out, size_t budget)
{
	for (; t->write_root < t->nroot && budget > 0; budget--) {
		uint32_t i = t->write;

		enter(t, out, i);
		t->write = t->node[i].first != NONE ? t->node[i].first : leave(t, out, i);
		if (t->write == NONE && ++t->write_root < t->nroot)
			t->write = t->root[t->write_root];
	}
	return t->write_root == t->nroot;
}
