/* ledger_own.h - keys and numbers, for the parts of the ledger. */
#ifndef POSTERN_QUEUE_LEDGER_OWN_H
#define POSTERN_QUEUE_LEDGER_OWN_H

#include <postern/core/be.h>

#include "ledger.h"

enum { KEY_RECIPIENT = 20, KEY_DUE = 28, KEY_LANE_END = 37, KEY_LANE_MAX = QUEUE_DESTINATION_SIZE + KEY_LANE_END };

static inline MDB_val
val(const void *p, size_t n)
{
	union {
		const void *in;
		void *out;
	} u = { .in = p }; /* LMDB does not write through keys and values that it is given */

	return (MDB_val){ n, u.out };
}

static inline MDB_val
val_id(const struct id *id)
{
	return val(id->b, sizeof id->b);
}

static inline void
key_recipient(uint8_t out[static KEY_RECIPIENT], struct ledger_key k)
{
	memcpy(out, k.qid.b, 16);
	be_store(out + 16, 4, k.number);
}

static inline void
key_due(uint8_t out[static KEY_DUE], int64_t due, struct ledger_key k)
{
	be_store(out, 8, (uint64_t)due);
	key_recipient(out + 8, k);
}

/* The place of a row in its lane as bytes; n 0: it stands in none. */
struct lane_key {
	size_t n;
	uint8_t b[KEY_LANE_MAX];
};
struct lane_key key_lane(struct ledger_key k, const struct row_recipient *r);
/* Moves a row from one place to the other, either of which may be none. */
int lane_move(struct ledger *l, MDB_txn *t, const struct lane_key *from, const struct lane_key *to);

static inline struct ledger_key
key_parse(const uint8_t *p)
{
	struct ledger_key k;

	memcpy(k.qid.b, p, 16);
	k.number = (uint32_t)be_load(p + 16, 4);
	return k;
}

/* Pages that were used once and are free again. */
uint64_t ledger_free_pages(MDB_txn *t);
/* The first row with a key of at least *k, into *k and *d. */
int ledger_seek(MDB_txn *t, MDB_dbi dbi, MDB_val *k, MDB_val *d);

/* Of the table meta; get: 0 with MDB_NOTFOUND. */
int ledger_get_number(struct ledger *l, MDB_txn *t, const char *name, uint64_t *v);
int ledger_set_number(struct ledger *l, MDB_txn *t, const char *name, uint64_t v);

#endif
