/* guest.c - rows of T_GUESTS: (mailbox, guest, block) → 4096 bits. */
#include "guest.h"

#include <string.h>

#include <sodium.h>

enum { KEY_SIZE = 4 + GUEST_ID_SIZE + 4 };

struct guest_key {
	uint8_t b[KEY_SIZE];
};

static void
put_be(uint8_t *p, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * (3 - i));
}

static uint32_t
get_be(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static struct guest_key
key_of(uint32_t mailbox, const uint8_t id[static GUEST_ID_SIZE], uint32_t block)
{
	struct guest_key k;

	put_be(k.b, mailbox);
	memcpy(k.b + 4, id, GUEST_ID_SIZE);
	put_be(k.b + 4 + GUEST_ID_SIZE, block);
	return k;
}

static MDB_val
val_of(struct guest_key *k)
{
	return (MDB_val){ KEY_SIZE, k->b };
}

void
guest_init(struct guest *g, struct str address)
{
	*g = (struct guest){ 0 };
	crypto_generichash(g->id, sizeof g->id, (const unsigned char *)address.p, address.n, NULL, 0);
}

static bool
row_ok(struct snap *s, MDB_val value)
{
	return value.mv_size == sizeof(((struct guest *)0)->bits) || snap_fail(s, MDB_CORRUPTED);
}

/* --- one guest --- */

static void
load(struct snap *s, struct guest *g, uint32_t mailbox, uint32_t block)
{
	struct guest_key k = key_of(mailbox, g->id, block);
	MDB_val v;

	if (g->mailbox == mailbox && g->block == block)
		return;
	guest_flush(s, g);
	g->mailbox = mailbox;
	g->block = block;
	if (snap_get(s, T_GUESTS, val_of(&k), &v) && row_ok(s, v))
		memcpy(g->bits, v.mv_data, sizeof g->bits);
	else
		memset(g->bits, 0, sizeof g->bits);
}

static bool
is_empty(const uint64_t bits[static GUEST_WORDS])
{
	uint64_t any = 0;

	for (size_t i = 0; i < GUEST_WORDS; i++)
		any |= bits[i];
	return any == 0;
}

static void
write_row(struct snap *s, struct guest_key *k, uint64_t bits[static GUEST_WORDS])
{
	if (is_empty(bits))
		snap_del(s, T_GUESTS, val_of(k));
	else
		snap_put(s, T_GUESTS, val_of(k), (MDB_val){ GUEST_WORDS * sizeof *bits, bits });
}

void
guest_flush(struct snap *s, struct guest *g)
{
	struct guest_key k = key_of(g->mailbox, g->id, g->block);

	if (!g->dirty)
		return;
	g->dirty = false;
	write_row(s, &k, g->bits);
}

bool
guest_has_seen(struct snap *s, struct guest *g, uint32_t mailbox, uint32_t uid)
{
	load(s, g, mailbox, uid / GUEST_BLOCK);
	return g->bits[uid % GUEST_BLOCK / 64] >> uid % 64 & 1;
}

void
guest_set_seen(struct snap *s, struct guest *g, uint32_t mailbox, uint32_t uid, bool seen)
{
	uint64_t bit = UINT64_C(1) << uid % 64, *word;

	load(s, g, mailbox, uid / GUEST_BLOCK);
	word = &g->bits[uid % GUEST_BLOCK / 64];
	*word = seen ? *word | bit : *word & ~bit;
	g->dirty = true;
}

/* --- rows one after another --- */

/* The row under the cursor begins with these bytes; its bits are copied. */
static bool
is_row(struct snap *s, MDB_val key, MDB_val value, const struct guest_key *from, size_t same, uint64_t bits[static GUEST_WORDS])
{
	if (key.mv_size != KEY_SIZE || memcmp(key.mv_data, from->b, same) != 0 || !row_ok(s, value))
		return false;
	memcpy(bits, value.mv_data, GUEST_WORDS * sizeof *bits);
	return true;
}

uint32_t
guest_count(struct snap *s, const struct guest *g, uint32_t mailbox)
{
	struct guest_key from = key_of(mailbox, g->id, 0);
	MDB_cursor *c = snap_cursor(s, T_GUESTS);
	MDB_val key = val_of(&from), value;
	uint64_t bits[GUEST_WORDS];
	uint32_t n = 0;

	for (bool more = snap_step(s, c, &key, &value, MDB_SET_RANGE);
	    more && is_row(s, key, value, &from, 4 + GUEST_ID_SIZE, bits); more = snap_step(s, c, &key, &value, MDB_NEXT))
		for (size_t i = 0; i < GUEST_WORDS; i++)
			n += (uint32_t)__builtin_popcountll(bits[i]);
	cursor_close(c);
	return n;
}

/* The bits of the block that are among the UIDs go. */
static bool
clear(uint64_t bits[static GUEST_WORDS], uint32_t block, const struct uidset *uids)
{
	uint32_t first = block * GUEST_BLOCK, last = first + (GUEST_BLOCK - 1);
	bool changed = false;

	for (uint32_t uid = uidset_next(uids, first > 0 ? first : 1); uid != 0 && uid <= last;
	     uid = uid < last ? uidset_next(uids, uid + 1) : 0) {
		uint64_t bit = UINT64_C(1) << uid % 64, *word = &bits[uid % GUEST_BLOCK / 64];

		changed |= (*word & bit) != 0;
		*word &= ~bit;
	}
	return changed;
}

/* The first row of the mailbox from this key on, which becomes its key. */
static bool
next_row(struct snap *s, struct guest_key *k, uint64_t bits[static GUEST_WORDS])
{
	MDB_cursor *c = snap_cursor(s, T_GUESTS);
	struct guest_key from = *k;
	MDB_val key = val_of(&from), value;
	bool found = snap_step(s, c, &key, &value, MDB_SET_RANGE) && is_row(s, key, value, k, 4, bits);

	if (found)
		memcpy(k->b, key.mv_data, KEY_SIZE);
	cursor_close(c);
	return found;
}

/* The next key of the same mailbox; false when there can be none. */
static bool
step_key(struct guest_key *k)
{
	for (size_t i = KEY_SIZE; i > 4; i--)
		if (++k->b[i - 1] != 0)
			return true;
	return false;
}

void
guest_forget(struct snap *s, uint32_t mailbox, const struct uidset *uids)
{
	static const uint8_t first[GUEST_ID_SIZE];
	struct guest_key k = key_of(mailbox, first, 0);
	uint64_t bits[GUEST_WORDS];

	while (next_row(s, &k, bits)) {
		if (clear(bits, get_be(k.b + 4 + GUEST_ID_SIZE), uids))
			write_row(s, &k, bits);
		if (!step_key(&k))
			return;
	}
}

void
guest_drop(struct snap *s, uint32_t mailbox)
{
	static const uint8_t first[GUEST_ID_SIZE];
	struct guest_key k = key_of(mailbox, first, 0);
	uint64_t bits[GUEST_WORDS];

	while (next_row(s, &k, bits))
		snap_del(s, T_GUESTS, val_of(&k));
}

/* --- an index made anew --- */

/* Only those of messages that are there. */
static void
keep_living(struct snap *to, uint32_t mailbox, uint32_t block, uint64_t bits[static GUEST_WORDS])
{
	struct row_message row;

	for (uint32_t i = 0; i < GUEST_BLOCK; i++)
		if (bits[i / 64] >> i % 64 & 1 && !message_read(to, mailbox, block * GUEST_BLOCK + i, &row))
			bits[i / 64] &= ~(UINT64_C(1) << i % 64);
}

void
guest_salvage(struct snap *from, uint32_t old, struct snap *to, uint32_t mailbox)
{
	static const uint8_t first[GUEST_ID_SIZE];
	struct guest_key k = key_of(old, first, 0), new;
	uint64_t bits[GUEST_WORDS];

	while (next_row(from, &k, bits)) {
		uint32_t block = get_be(k.b + 4 + GUEST_ID_SIZE);

		keep_living(to, mailbox, block, bits);
		new = key_of(mailbox, k.b + 4, block);
		write_row(to, &new, bits);
		if (!step_key(&k))
			return;
	}
}
