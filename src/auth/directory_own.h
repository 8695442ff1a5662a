/* directory_own.h - the directory from inside; private to src/auth/directory*.c. */
#ifndef POSTERN_AUTH_DIRECTORY_OWN_H
#define POSTERN_AUTH_DIRECTORY_OWN_H

#include <lmdb.h>

#include <postern/auth/directory.h>

/* meta: "schema", "serial" (the last number given out), "first" (address of the oldest account), "secret"
 * (random bytes). */
enum table { TABLE_META, TABLE_USER, TABLE_ALIAS, TABLE_DOMAIN, TABLE_COUNT };

struct directory {
	MDB_env *env;
	MDB_txn *reader; /* reset between look-ups, so that none keeps old pages */
	MDB_dbi table[TABLE_COUNT];
};

static inline MDB_val
val_of(struct str s)
{
	union {
		const void *in;
		void *out;
	} p = { .in = s.p }; /* LMDB does not write through keys and values that it is given */

	return (MDB_val){ .mv_size = s.n, .mv_data = p.out };
}

static inline struct str
str_of_val(MDB_val v)
{
	return str_from(v.mv_data, v.mv_size);
}

/* What LMDB said, as a temporary error. */
bool directory_trouble(struct err *e, const char *doing, int rc);

/* A reading view; NULL with e set when there is none. End it before anything else is done with d. */
MDB_txn *directory_look(struct directory *d, struct err *e);
void directory_look_end(struct directory *d);

/* The row of key in the caller's transaction; the bytes are valid until it ends. */
enum directory_found directory_row(
    struct directory *d, MDB_txn *txn, enum table t, struct str key, struct str *row, struct err *e);

uint64_t directory_number(struct str row);

#endif
