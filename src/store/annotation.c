/* annotation.c - rows of metadata and rights. What metadata takes of the user's share is counted here. */
#include "annotation.h"

#include <stdlib.h>

#include <postern/core/mem.h>

struct long_key {
	uint8_t b[4 + ANNOTATION_NAME_SIZE];
	size_t n;
};

static struct long_key
key_of(uint32_t mailbox, struct str name)
{
	struct key prefix = key_mailbox(mailbox);
	struct long_key k = { .n = 4 };

	memcpy(k.b, prefix.b, 4);
	name = str_sub(name, 0, ANNOTATION_NAME_SIZE);
	if (name.n > 0)
		memcpy(k.b + 4, name.p, name.n);
	k.n += name.n;
	return k;
}

static MDB_val
long_val(struct long_key *k)
{
	return (MDB_val){ k->n, k->b };
}

static void
count(struct txn *t, enum table table, struct str name, struct str value, int sign)
{
	uint64_t bytes = name.n + value.n, have;

	if (table != T_METADATA)
		return;
	have = meta_get(&t->s, META_METADATA);
	meta_put(&t->s, META_METADATA, sign > 0 ? have + bytes : have > bytes ? have - bytes : 0);
}

bool
annotation_get(struct snap *s, enum table t, uint32_t mailbox, struct str name, struct str *value)
{
	struct long_key k = key_of(mailbox, name);
	MDB_val v;

	if (!snap_get(s, t, long_val(&k), &v))
		return false;
	*value = val_str(v);
	return true;
}

void
annotation_del(struct txn *t, enum table table, uint32_t mailbox, struct str name)
{
	struct long_key k = key_of(mailbox, name);
	struct str old;

	if (!annotation_get(&t->s, table, mailbox, name, &old))
		return;
	t->w->rights |= table == T_RIGHTS;
	count(t, table, name, old, -1);
	snap_del(&t->s, table, long_val(&k));
}

void
annotation_put(struct txn *t, enum table table, uint32_t mailbox, struct str name, struct str value)
{
	struct long_key k = key_of(mailbox, name);

	annotation_del(t, table, mailbox, name);
	t->w->rights |= table == T_RIGHTS;
	count(t, table, name, value, 1);
	snap_put(&t->s, table, long_val(&k), str_val(value));
}

void
annotation_each(struct snap *s, enum table t, uint32_t mailbox,
    void (*fn)(void *ctx, struct str name, struct str value), void *ctx)
{
	struct key from = key_mailbox(mailbox);
	MDB_val key = key_val(&from), value;
	MDB_cursor *c = snap_cursor(s, t);
	bool more = snap_step(s, c, &key, &value, MDB_SET_RANGE);

	for (; more && key.mv_size > 4 && memcmp(key.mv_data, from.b, 4) == 0; more = snap_step(s, c, &key, &value, MDB_NEXT))
		fn(ctx, str_sub(val_str(key), 4, SIZE_MAX), val_str(value));
	cursor_close(c);
}

static void
count_one(void *ctx, struct str name, struct str value)
{
	(void)name;
	(void)value;
	++*(size_t *)ctx;
}

size_t
annotation_count(struct snap *s, enum table t, uint32_t mailbox)
{
	size_t n = 0;

	annotation_each(s, t, mailbox, count_one, &n);
	return n;
}

uint64_t
annotation_bytes(struct snap *s)
{
	MDB_cursor *c = snap_cursor(s, T_METADATA);
	MDB_val key, value;
	uint64_t bytes = 0;

	for (bool more = snap_step(s, c, &key, &value, MDB_FIRST); more; more = snap_step(s, c, &key, &value, MDB_NEXT))
		bytes += key.mv_size - 4 + value.mv_size;
	cursor_close(c);
	return bytes;
}

/* Rows held in memory while others are written. */
struct held {
	struct arena arena;
	struct pair {
		struct pair *next;
		struct str name, value;
	} *first;
};

static void
hold(void *ctx, struct str name, struct str value)
{
	struct held *h = ctx;
	struct pair *p = ARENA_NEW(&h->arena, struct pair);

	*p = (struct pair){ h->first, arena_str(&h->arena, name), arena_str(&h->arena, value) };
	h->first = p;
}

static void
hold_all(struct held *h, struct snap *s, enum table t, uint32_t mailbox)
{
	*h = (struct held){ .first = NULL };
	arena_init(&h->arena);
	annotation_each(s, t, mailbox, hold, h);
}

void
annotation_drop(struct txn *t, enum table table, uint32_t mailbox)
{
	struct held h;

	hold_all(&h, &t->s, table, mailbox);
	for (const struct pair *p = h.first; p != NULL; p = p->next)
		annotation_del(t, table, mailbox, p->name);
	arena_fini(&h.arena);
}

void
annotation_copy(struct txn *t, enum table table, uint32_t from, uint32_t to)
{
	struct held h;

	hold_all(&h, &t->s, table, from);
	for (const struct pair *p = h.first; p != NULL; p = p->next)
		annotation_put(t, table, to, p->name, p->value);
	arena_fini(&h.arena);
}
