/* rank.c - an ordered list with positions: a treap with subtree sizes, and a hash table of its nodes. */
#include "rank.h"

#include <stdlib.h>

#include <postern/core/io.h>
#include <postern/core/mem.h>

enum { FIRST_SLOTS = 64 };

struct rank_node {
	struct rank_node *left, *right;
	struct rank_node *chain; /* of the same slot */
	uint32_t uid;
	uint32_t size;           /* nodes of the part below, itself included */
	uint64_t priority;       /* above those of the parts below it */
	size_t key_size;
	char key[];
};

/* --- the hash table --- */

static uint64_t
mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static struct rank_node **
slot_of(const struct rank *r, uint32_t uid)
{
	return &r->slot[mix(r->seed + uid) & (r->slots - 1)];
}

static void
put(struct rank *r, struct rank_node *n)
{
	struct rank_node **slot = slot_of(r, n->uid);

	n->chain = *slot;
	*slot = n;
}

static void
put_all(struct rank *r, struct rank_node *chain)
{
	while (chain != NULL) {
		struct rank_node *next = chain->chain;

		put(r, chain);
		chain = next;
	}
}

static void
make_room(struct rank *r)
{
	struct rank_node **old = r->slot;
	size_t slots = r->slots;

	if (r->n < slots)
		return;
	r->slots = slots == 0 ? FIRST_SLOTS : 2 * slots;
	r->slot = mem_array(r->slots, sizeof(struct rank_node *));
	r->bytes += (r->slots - slots) * sizeof(struct rank_node *);
	for (size_t i = 0; i < slots; i++)
		put_all(r, old[i]);
	free(old);
}

static struct rank_node *
find(const struct rank *r, uint32_t uid)
{
	struct rank_node *n = r->slots > 0 ? *slot_of(r, uid) : NULL;

	while (n != NULL && n->uid != uid)
		n = n->chain;
	return n;
}

static void
take_out(struct rank *r, const struct rank_node *n)
{
	struct rank_node **at = slot_of(r, n->uid);

	while (*at != n)
		at = &(*at)->chain;
	*at = n->chain;
}

/* --- the tree --- */

static uint32_t
size_of(const struct rank_node *t)
{
	return t != NULL ? t->size : 0;
}

static struct rank_node *
resized(struct rank_node *t)
{
	t->size = size_of(t->left) + 1 + size_of(t->right);
	return t;
}

static bool
before(const struct rank_node *a, const struct rank_node *b)
{
	int order = str_cmp(str_from(a->key, a->key_size), str_from(b->key, b->key_size));

	return order != 0 ? order < 0 : a->uid < b->uid;
}

/* What comes before the node, and what behind it. */
static void
split(struct rank_node *t, const struct rank_node *at, struct rank_node **less, struct rank_node **more)
{
	if (t == NULL) {
		*less = *more = NULL;
		return;
	}
	if (before(t, at)) {
		split(t->right, at, &t->right, more);
		*less = resized(t);
	} else {
		split(t->left, at, less, &t->left);
		*more = resized(t);
	}
}

static struct rank_node *
insert(struct rank_node *t, struct rank_node *n)
{
	if (t == NULL)
		return n;
	if (n->priority > t->priority) {
		split(t, n, &n->left, &n->right);
		return resized(n);
	}
	if (before(n, t))
		t->left = insert(t->left, n);
	else
		t->right = insert(t->right, n);
	return resized(t);
}

static struct rank_node *
join(struct rank_node *less, struct rank_node *more)
{
	if (less == NULL || more == NULL)
		return less != NULL ? less : more;
	if (less->priority > more->priority) {
		less->right = join(less->right, more);
		return resized(less);
	}
	more->left = join(less, more->left);
	return resized(more);
}

static struct rank_node *
without(struct rank_node *t, const struct rank_node *n)
{
	if (t == n)
		return join(t->left, t->right);
	if (before(n, t))
		t->left = without(t->left, n);
	else
		t->right = without(t->right, n);
	return resized(t);
}

/* --- the list --- */

static size_t
bytes_of(size_t key_size)
{
	return sizeof(struct rank_node) + key_size;
}

static void
begin(struct rank *r)
{
	struct id id = id_new();

	memcpy(&r->seed, id.b + sizeof(id.b) - sizeof(r->seed), sizeof(r->seed));
}

void
rank_add(struct rank *r, uint32_t uid, struct str key)
{
	struct rank_node *n;

	if (r->slots == 0)
		begin(r);
	if (find(r, uid) != NULL)
		return;
	make_room(r);
	n = mem_new(bytes_of(key.n));
	n->uid = uid;
	n->size = 1;
	n->priority = mix(~(r->seed + uid));
	n->key_size = key.n;
	if (key.n > 0)
		memcpy(n->key, key.p, key.n);
	put(r, n);
	r->root = insert(r->root, n);
	r->bytes += bytes_of(key.n);
	r->n++;
}

void
rank_remove(struct rank *r, uint32_t uid)
{
	struct rank_node *n = find(r, uid);

	if (n == NULL)
		return;
	take_out(r, n);
	r->root = without(r->root, n);
	r->bytes -= bytes_of(n->key_size);
	r->n--;
	free(n);
}

uint32_t
rank_position(const struct rank *r, uint32_t uid)
{
	const struct rank_node *n = find(r, uid);
	const struct rank_node *t = r->root;
	uint32_t less = 0;

	if (n == NULL)
		return 0;
	while (t != n) {
		bool left = before(n, t);

		if (!left)
			less += size_of(t->left) + 1;
		t = left ? t->left : t->right;
	}
	return less + size_of(n->left) + 1;
}

void
rank_fini(struct rank *r)
{
	for (size_t i = 0; i < r->slots; i++)
		for (struct rank_node *n = r->slot[i], *next; n != NULL; n = next) {
			next = n->chain;
			free(n);
		}
	free(r->slot);
	*r = (struct rank){ 0 };
}
