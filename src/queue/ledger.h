/* ledger.h - queue.mdb: the messages that are owed, their recipients, the schedule, and the content of small
 * messages.
 *
 * Reading happens in the loop's thread in short transactions, writing in the commit thread (commit.h). All functions
 * with a transaction return 0 or an LMDB error, which ledger_fail turns into words. */
#ifndef POSTERN_QUEUE_LEDGER_H
#define POSTERN_QUEUE_LEDGER_H

#include <lmdb.h>

#include "row.h"

struct ledger {
	MDB_env *env;
	MDB_dbi message;   /* qid → row_message */
	MDB_dbi recipient; /* qid, number → row_recipient */
	MDB_dbi due;       /* time, qid, number → nothing: the schedule */
	MDB_dbi lane;      /* destination, source, next try, qid, number → nothing: what waits for other hosts */
	MDB_dbi destination; /* name → what is known of it (record.h) */
	MDB_dbi sts;       /* name → its MTA-STS policy (record.h) */
	MDB_dbi content;   /* qid → message file */
	MDB_dbi meta;      /* "version", "bytes" */
	struct buf touched; /* places in lanes that the transaction under way has filled: ledger_lane.c */
};

struct ledger_key {
	struct id qid;
	uint32_t number;
};

/* Where a recipient stands in its lane. */
struct ledger_place {
	struct wall next_try;
	struct ledger_key key;
};

/* Those of one source for one destination. */
struct ledger_lane {
	char destination[QUEUE_DESTINATION_SIZE];
	uint64_t source;
};

bool ledger_open(struct ledger *l, const char *path, uint64_t map_bytes, struct err *e);
void ledger_close(struct ledger *l);
/* Replaces an open ledger that has at least min_bytes and is more than half free by a copy without its free pages; dir and path
 * are its place. False when it is not open any more. */
bool ledger_compact(struct ledger *l, int dir, const char *path, uint64_t map_bytes, uint64_t min_bytes, struct err *e);
/* Fills e from an LMDB error or errno value; false. ENOSPC and a full map are SAY_DISK. */
bool ledger_fail(struct err *e, int rc, const char *what);
/* True for what a smaller or later transaction may survive (no space); anything else means that the ledger is not to
 * be used. */
bool ledger_error_is_space(int rc);

/* A read transaction; NULL with the reason logged. End it with mdb_txn_abort. */
MDB_txn *ledger_read(struct ledger *l);

int ledger_get_message(struct ledger *l, MDB_txn *t, struct id qid, struct row_message *m);
int ledger_get_recipient(struct ledger *l, MDB_txn *t, struct ledger_key k, struct row_recipient *r);
int ledger_get_content(struct ledger *l, MDB_txn *t, struct id qid, struct str *bytes);
int ledger_get_bytes(struct ledger *l, MDB_txn *t, uint64_t *bytes);

/* Whether so many bytes more fit the map, with an eighth of it left for changing and deleting what is there: a
 * ledger that is full to the brim could not even be emptied. */
bool ledger_has_room(struct ledger *l, MDB_txn *t, uint64_t bytes);

/* Walks the recipients of a message: *at is the first number to look at and moves on. MDB_NOTFOUND at the end. */
int ledger_next_recipient(struct ledger *l, MDB_txn *t, struct id qid, uint32_t *at, struct row_recipient *r);
/* The recipient after *k, of any message, into it. MDB_NOTFOUND at the end. */
int ledger_next_row(struct ledger *l, MDB_txn *t, struct ledger_key *k, struct row_recipient *r);
/* The message after *qid, into *qid. MDB_NOTFOUND at the end. */
int ledger_next_message(struct ledger *l, MDB_txn *t, struct id *qid, struct row_message *m);
/* The first entry of the schedule at or after (*due, *k), into both. MDB_NOTFOUND at the end. */
int ledger_next_due(struct ledger *l, MDB_txn *t, int64_t *due, struct ledger_key *k);

/* The first place in the lane at or after *at, into it. MDB_NOTFOUND at the end. */
int ledger_next_place(struct ledger *l, MDB_txn *t, struct str destination, uint64_t source, struct ledger_place *at);
/* The first lane after *lane, into it, with its first place. An empty name is before all. MDB_NOTFOUND at the end. */
int ledger_next_lane(struct ledger *l, MDB_txn *t, struct ledger_lane *lane, struct ledger_place *first);
/* The next place that a committed transaction filled, off the front of *touched (ledger.touched). False at the end. */
bool ledger_take_touched(struct str *touched, struct ledger_lane *lane, struct ledger_place *place);

/* Of the tables destination and sts. MDB_NOTFOUND when there is none; an empty value deletes. */
int ledger_get_named(MDB_txn *t, MDB_dbi table, struct str name, struct str *value);
int ledger_put_named(MDB_txn *t, MDB_dbi table, struct str name, struct str value);
/* The first name after *name (QUEUE_DESTINATION_SIZE bytes). MDB_NOTFOUND at the end. */
int ledger_next_named(MDB_txn *t, MDB_dbi table, char *name, struct str *value);

/* MDB_KEYEXIST when the qid is there. */
int ledger_add_message(struct ledger *l, MDB_txn *t, struct id qid, const struct row_message *m);
int ledger_set_message(struct ledger *l, MDB_txn *t, struct id qid, const struct row_message *m);
/* Copies size bytes of fd. */
int ledger_add_content(struct ledger *l, MDB_txn *t, struct id qid, int fd, size_t size);
/* Writes the row and its places in schedule and lane. */
int ledger_put_recipient(struct ledger *l, MDB_txn *t, struct ledger_key k, const struct row_recipient *r);
/* MDB_NOTFOUND when there is none. */
int ledger_del_recipient(struct ledger *l, MDB_txn *t, struct ledger_key k);
/* A transaction of its own that changes next to nothing: LMDB uses pages that one transaction freed only in the
 * second after it, so that a full map which was just emptied stays full until something is committed. */
int ledger_advance(struct ledger *l);
/* If no recipient is left: removes message and content; *file is set when a spool file has to go after the commit. */
int ledger_drop_if_settled(struct ledger *l, MDB_txn *t, struct id qid, bool *file);

#endif
