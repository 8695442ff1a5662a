/* gram.h - the search index of a user: an LMDB file of its own beside the index.
 *
 *   box     mailbox → whose rows these are
 *   block   mailbox, block → which messages are listed, wait, may hold anything
 *   set     mailbox, uid → the grams of a message that waits
 *   list    mailbox, block, last gram → lists of the grams up to there (gramlist.h)
 *
 * A message first waits with its own grams; when many wait, or when no more will come into their block, they are
 * taken over into the lists, a range of grams in each transaction. What was begun and not ended is begun again: of a
 * message that waits the lists may say anything.
 *
 * The loop thread opens, closes and reads; one work of the user at a time writes. */
#ifndef STORE_GRAM_H
#define STORE_GRAM_H

#include <limits.h>

#include <postern/core/clock.h>
#include <postern/store/user.h>

#include "gramlist.h"
#include "schema.h"

struct mdir;
struct store_user;
struct work;

enum gram_table { G_BOX, G_BLOCK, G_SET, G_LIST, GRAM_TABLES };

#define GRAM_FILE "search.mdb"

struct gram_env {
	MDB_env *env; /* NULL: not open */
	MDB_dbi table[GRAM_TABLES];
};

/* The rows of a mailbox are of this mailbox, and of this version. */
struct row_gram_box {
	struct id id;
	uint32_t uidvalidity;
	uint32_t version;
};

struct row_gram_block {
	struct gram_bits listed;  /* the lists tell */
	struct gram_bits waiting; /* their sets tell */
	struct gram_bits full;    /* too much text: they may hold anything */
};

/* Where the work on a mailbox is. */
struct gram_task {
	uint32_t mailbox;
	bool refresh;   /* only if it is in the index */
	uint32_t block;
	unsigned tried; /* messages of the block below this one are taken in, or cannot be read */
	uint32_t gram;  /* lists up to here are taken over */
	bool done;
	bool absent;    /* done: the mailbox is not in the index */
};

struct gram_box {
	struct gram_box *next;
	struct gram_task task;
	bool due;
	bool again;     /* asked for while it was worked on */
	bool whole;     /* nothing was missing when it was done last */
	unsigned fresh; /* commits that concern it since the last work … */
	unsigned ticks; /* … and seconds since the first of them */
};

/* Of a user. */
struct grams {
	struct gram_env file;
	struct gram_box *boxes;
	bool absent;           /* there is no file */
	bool damaged;          /* it goes as soon as no work is under way */
	bool stopped;          /* disk or file full: … */
	struct mono stopped_at; /* … tried again after a while */
};

/* What a work brings home. */
struct gram_work {
	struct gram_task task;
	struct gram_env made; /* a file that was not there before */
	int rc;               /* the search index's own first failure */
};

/* A transaction of the file. The first failure sticks. */
struct gram_txn {
	const struct gram_env *file;
	MDB_txn *mdb;
	int rc;
};

/* gramfile.c */
/* MDB_NOTFOUND or ENOENT when it is not there. */
int gram_file_open(struct gram_env *f, const char *path, uint64_t max, bool make);
void gram_file_close(struct gram_env *f);
bool gram_txn_begin(struct gram_txn *t, const struct gram_env *f, bool write);
/* False when it failed before or now. */
bool gram_txn_commit(struct gram_txn *t);
void gram_txn_abort(struct gram_txn *t);
bool gram_fail(struct gram_txn *t, int rc);
bool gram_get(struct gram_txn *t, enum gram_table table, struct key key, struct str *row);
void gram_put(struct gram_txn *t, enum gram_table table, struct key key, struct str row);
void gram_del(struct gram_txn *t, enum gram_table table, struct key key);
MDB_cursor *gram_cursor(struct gram_txn *t, enum gram_table table);
bool gram_step(struct gram_txn *t, MDB_cursor *c, MDB_val *key, MDB_val *value, MDB_cursor_op op);
struct key gram_key_list(uint32_t mailbox, uint32_t block, uint32_t gram);
/* The number at this place of a key: 0 mailbox, 1 block or uid, 2 gram. */
uint32_t gram_key_part(MDB_val key, unsigned place);
bool gram_key_ok(MDB_val key, unsigned parts);
/* True when the rows that are there are this mailbox's, and of this version. */
bool gram_is_ours(struct gram_txn *t, const struct mbox *m);
struct row_gram_box gram_box_of(const struct mbox *m);
/* None: all bits are 0. */
bool gram_block_read(struct gram_txn *t, uint32_t mailbox, uint32_t block, struct row_gram_block *b);

/* grams.c: the loop's side */
bool gram_path(const struct store_user *u, char path[static PATH_MAX]);
/* What is to be done next, to be freed; NULL: nothing. */
struct gram_work *grams_next(struct store_user *u);
bool grams_due(const struct store_user *u);
void grams_done(struct store_user *u, const struct gram_work *w);
void grams_failed(struct store_user *u, int rc);
/* A damaged file goes. */
void grams_mend(struct store_user *u);
void grams_note(struct store_user *u, const struct store_event *event);
void grams_tick(struct store_user *u);
void grams_close(struct store_user *u);
void grams_free(struct store_user *u);
/* The open file; NULL when there is none. */
struct gram_env *grams_file(struct store_user *u);
/* Bytes of the file, 0 when there is none. */
uint64_t grams_size(const struct store_user *u);

/* gramwork.c: one slice of work, in a sync thread */
void gram_work_run(struct work *w);

/* gramtake.c: what a slice does with a block. */
struct gram_run {
	struct work *w;
	struct snap *main;
	struct gram_txn t;
	struct gram_task *task;
	const struct mbox *m;
	struct gram_bits live; /* messages of the block that are there */
	struct row_gram_block block;
	bool changed;          /* block is not written yet */
	struct mono until;
};
bool gram_run_late(const struct gram_run *r);
/* True when messages of the block are missing that were not tried yet. */
bool gram_misses_any(const struct gram_run *r);
/* Takes in messages of the block that are missing, until many wait. False: time is up. */
bool gram_take_missing(struct gram_run *r);

/* Collects the grams of a message of r->m; false when it cannot be read. */
bool gram_collect(struct gram_run *r, const struct mdir *d, uint32_t uid, struct gram_set *set);

/* gramfind.c: what store_grams_find says, in a transaction. */
void gram_find(struct gram_txn *t, uint32_t mailbox, uint32_t block, const struct store_needle *needles, size_t n,
    struct gram_bits *may);

/* gramcheck.c */
/* The first thing that is wrong; NULL: nothing, or there is no search index. */
const char *gram_check(struct work *w, struct snap *main);

/* grammerge.c */
/* Takes those that wait over into the lists, a range of grams. True when the block is done. */
bool gram_merge_slice(struct gram_run *r);

#endif
