/* state.h - the store and its users in memory; private to src/store.
 *
 * Everything here belongs to the loop thread, except what the comment of a field gives to the work that runs for the
 * user in a sync thread. There is at most one such work per user at a time, which is what makes him consistent. */
#ifndef POSTERN_STORE_STATE_H
#define POSTERN_STORE_STATE_H

#include <postern/core/clock.h>
#include <postern/core/loop.h>
#include <postern/core/map.h>
#include <postern/store/request.h>
#include <postern/store/store.h>
#include <postern/store/user.h>

#include "blob.h"
#include "exec.h"
#include "fname.h"
#include "gram.h"
#include "schema.h"

struct group;
struct question;
struct shares;
struct syncer;
struct work;

struct store {
	struct store_config config; /* defaults filled in */
	int root;
	enum blob_way blob_way;
	struct syncer *syncer;
	struct exec *exec;
	struct shares *shares; /* NULL: not kept */
	struct map users;    /* canonical address → struct store_user */
	unsigned open_indexes;
	int64_t clock;       /* the last one given to a file name */
	struct group *group; /* deliveries, group.c */
	struct loop_timer tick;
	unsigned ticks;
	bool settling;       /* nothing waits for its timer */
	bool closing;        /* callbacks are over */
};

/* A delivery whose name is durable in new/ and that the index does not know yet. */
struct arrival {
	struct arrival *next;
	struct id id;
	uint32_t mailbox;
	uint64_t size;
	char name[FNAME_SIZE];
};

/* When index and directories of a mailbox were last the same. */
struct seen {
	uint32_t mailbox;
	int64_t cur_mtime; /* 0: not known */
	int64_t new_mtime;
	int64_t at;
	bool ours;         /* cur_mtime is of our own making */
	bool saved;        /* the index says the same */
};
struct seen_list {
	struct seen *p;
	size_t n, cap;
	int64_t maildir_mtime, maildir_at;
};

struct cache_want {
	struct cache_want *next;
	uint32_t mailbox;
	struct uidset uids;
};

struct user_wait {
	struct user_wait *next;
	void (*done)(void *ctx, struct store_user *u, const struct err *e);
	void *ctx;
};

enum user_state { USER_LOADING, USER_READY, USER_BROKEN, USER_LEAVING };

struct store_user {
	struct store *store;
	char *address;
	char *dir;  /* below the root */
	char *path; /* of the index, for LMDB */
	unsigned refs;
	enum user_state state;
	struct err why; /* BROKEN */
	struct user_wait *waits;

	int fd;         /* his directory, locked */
	int maildir;    /* its Maildir */
	struct index ix;
	bool index_is_open;
	struct mono used;
	MDB_txn *reader; /* kept between views */
	bool reader_taken;

	struct work *running;
	struct store_request *first_request, **last_request;
	struct arrival *first_arrival, **last_arrival;
	unsigned narrivals;
	struct map arrivals; /* by delivery id; the running work's, too */
	bool due;        /* the arrivals and file actions shall not wait any more */
	bool todo_left;
	struct cache_want *wants;
	struct grams grams;
	struct mono wants_due; /* until then they wait for company: their commit is one more wait for the disk */
	struct loop_timer timer; /* makes them due */
	bool timer_on;
	bool drain_turn;
	bool held;       /* a work failed: what is not asked for waits for the timer */

	int64_t floor;  /* own names in new/ with a later clock are in `first_arrival`, or not finished */
	uint64_t bytes;
	uint64_t waiting_bytes;
	bool rebuild;        /* he waits for WORK_REBUILD (or, when loading, for an index made anew) */
	struct question *rebuilder; /* who asked for it */
	unsigned deliveries; /* in the hands of group.c */
	struct store_watch *watches;
	bool telling; /* the list of watches is being walked */
	uint64_t todo_quick; /* file actions up to here were done once; the running work's, too */
	struct seen_list seen;  /* the running work's while there is one */
};

/* user.c */
struct store_user *user_find(struct store *s, struct str address);
void user_loaded(struct store_user *u, const struct err *e);
/* His index, opened again when it was closed meanwhile; NULL when he is broken. */
struct index *user_index(struct store_user *u, struct err *e);
/* From now on everything fails until a rebuild; said in the log and in a file, so that a restart knows. */
void user_break(struct store_user *u, const struct err *why);
void user_leave_if_done(struct store_user *u);
void user_close_index(struct store_user *u);
void user_free(struct store_user *u);
/* What waits is forgotten without a word. */
void user_drop_requests(struct store_user *u);
/* Loads a damaged one once more, with an index made anew. False: not now. */
bool user_reload(struct store_user *u, void (*done)(void *ctx, struct store_user *u, const struct err *e), void *ctx);
/* Once a second. */
void user_tick(struct store_user *u);

/* watch.c */
void watch_tell(struct store_user *u, const struct store_event *event);
void watch_drop_all(struct store_user *u);
void watch_tell_all_gone(struct store_user *u);
bool watch_any(const struct store_user *u);
void watch_poll(struct store_user *u);

/* mdir.c */
struct seen *seen_get(struct seen_list *l, uint32_t mailbox);
void seen_forget(struct seen_list *l, uint32_t mailbox);
/* True when nothing of the directory must be looked at. A directory changed again within its timestamp's grain looks
 * unchanged, so an mtime is believed for good only when it was 2 s old when seen; one of our own making, nobody else
 * having been there before, is believed until it is that old, so that work in progress does not compare at each step. */
bool mtime_trusted(int64_t seen, int64_t at, int64_t mtime, bool ours);

/* The clock of the next own file name. */
int64_t store_clock_next(struct store *s);

#endif
