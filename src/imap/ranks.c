/* ranks.c - distinct texts, sorted once. Texts are told apart by 64 bits of SipHash under a key of its own for each table. */
#include "ranks.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <postern/core/mem.h>

struct ranks_text {
	uint64_t head[2]; /* its first octets as numbers: most comparisons end here */
	uint32_t at;
	uint32_t size;
};

void
ranks_init(struct ranks *r, size_t max)
{
	*r = (struct ranks){ 0 };
	idmap_init(&r->ids);
	buf_init(&r->octets, max);
	randombytes_buf(r->key, sizeof(r->key));
}

void
ranks_fini(struct ranks *r)
{
	idmap_fini(&r->ids);
	buf_fini(&r->octets);
	free(r->text);
	free(r->rank);
	order_fini(&r->order);
}

static uint64_t
hash_of(const struct ranks *r, struct str text)
{
	uint64_t hash;

	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)text.p, text.n, r->key);
	return hash;
}

static uint64_t
head_of(struct str text)
{
	uint64_t head = 0;

	if (text.n > 0)
		memcpy(&head, text.p, text.n < sizeof(head) ? text.n : sizeof(head));
	return be64toh(head);
}

static uint32_t
keep(struct ranks *r, struct str text)
{
	if (r->n == r->cap) {
		r->cap += r->cap / 2 + 64;
		r->text = mem_resize(r->text, r->cap * sizeof(*r->text));
	}
	r->text[r->n] = (struct ranks_text){ { head_of(text), head_of(str_sub(text, 8, text.n)) }, (uint32_t)r->octets.n, (uint32_t)text.n };
	buf_add(&r->octets, text);
	return r->n++;
}

uint32_t
ranks_add(struct ranks *r, struct str text)
{
	uint64_t hash = hash_of(r, text);
	uint32_t number = idmap_get(&r->ids, hash);

	if (number == 0) {
		number = keep(r, text) + 1;
		idmap_put(&r->ids, hash, number);
	}
	return number - 1;
}

static int
by_text(const void *ctx, uint32_t a, uint32_t b)
{
	const struct ranks *r = ctx;
	const struct ranks_text *x = &r->text[a];
	const struct ranks_text *y = &r->text[b];

	if (x->head[0] != y->head[0])
		return x->head[0] < y->head[0] ? -1 : 1;
	if (x->head[1] != y->head[1])
		return x->head[1] < y->head[1] ? -1 : 1;
	return str_cmp(str_sub(buf_str(&r->octets), x->at, (size_t)x->at + x->size),
	    str_sub(buf_str(&r->octets), y->at, (size_t)y->at + y->size));
}

bool
ranks_step(struct ranks *r, size_t budget)
{
	if (r->rank != NULL)
		return true;
	if (r->order.p == NULL)
		order_init(&r->order, r->n);
	if (!order_step(&r->order, by_text, r, budget))
		return false;
	r->rank = mem_array((size_t)r->n + 1, sizeof(*r->rank));
	for (uint32_t i = 0; i < r->n; i++)
		r->rank[r->order.p[i]] = i;
	return true;
}
