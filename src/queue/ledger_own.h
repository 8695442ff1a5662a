/* ledger_own.h - keys and numbers, for the two halves of the ledger. */
#ifndef POSTERN_QUEUE_LEDGER_OWN_H
#define POSTERN_QUEUE_LEDGER_OWN_H

#include <postern/core/be.h>

#include "ledger.h"

enum { KEY_RECIPIENT = 20, KEY_DUE = 28 };

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

/* Of the table meta; get: 0 with MDB_NOTFOUND. */
int ledger_get_number(struct ledger *l, MDB_txn *t, const char *name, uint64_t *v);
int ledger_set_number(struct ledger *l, MDB_txn *t, const char *name, uint64_t v);

#endif
