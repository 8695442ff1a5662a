/* work.h - what runs for a user in a sync thread, and the write transaction it makes.
 *
 * A work takes the requests that have collected, prepares each outside any transaction (data durable, links into
 * tmp/), applies all in ONE transaction, commits, and starts the file actions. The transaction may run twice, so apply
 * functions only read what prepare left. A request that is refused has written nothing. */
#ifndef POSTERN_STORE_WORK_H
#define POSTERN_STORE_WORK_H

#include "state.h"

struct look;
struct sidecar;
struct store_report;
struct txn;
struct work;

/* A mailbox within a transaction. */
struct open_mbox {
	struct open_mbox *next;
	struct mbox m;
	bool dirty;
	bool sidecar; /* the sidecar file must be written before the commit */
	bool gone;
	unsigned kinds; /* events to tell, … */
	uint64_t before; /* … see struct store_event */
	char *old_name; /* it was renamed itself, not with its parent */
	const void *by;
	bool others;    /* more than one have been at it */
	struct uidset fresh; /* UIDs that want a cache row */
	struct uidset removed; /* UIDs that guests have no \Seen of any more */
};

struct txn {
	struct snap s;
	struct work *w;
	struct open_mbox *mboxes;
	int64_t bytes_delta;
};

struct request_kind {
	const char *name;
	/* In the thread, before the transaction. False: refused (request_refuse was called). May be NULL. */
	bool (*prepare)(struct work *w, struct store_request *r);
	void (*apply)(struct txn *t, struct store_request *r);
	/* In the thread, after the commit or the failure (r->code says which): leftovers in tmp/ go. May be NULL. */
	void (*after)(struct work *w, struct store_request *r);
	/* Frees what the kind added. May be NULL. */
	void (*fini)(struct store_request *r);
	bool names; /* works with names of directories: file actions are finished first */
	/* In the thread, after a commit in which it was done: tells what no mailbox header shows (work_event). May be NULL. */
	void (*events)(struct work *w, const struct store_request *r);
};

enum { LOOK_NONE = 0, LOOK_ALL = UINT32_MAX };

struct store_request {
	struct store_request *next;
	const struct request_kind *kind;
	struct store_done done;
	char *who;     /* as done.who, which is not looked at */
	bool is_guest; /* he is not the user whose request it is */
	bool refused;  /* before the transaction */
	bool skip;    /* there is nothing to do: apply is called all the same */
	uint32_t look; /* mailbox whose directories are compared first */
	_Atomic uint64_t progress; /* messages done, written by the thread … */
	_Atomic uint64_t goal;     /* … of so many */

	enum store_code code;
	struct err err;
	uint32_t mailbox;
	uint32_t uidvalidity;
	uint64_t modseq;
	struct uidset uids, source, failed;
	struct buf made; /* names that got directories (create_prepare), each with a NUL behind it */
};

enum work_kind { WORK_LOAD, WORK_BATCH, WORK_DRAIN, WORK_CACHE, WORK_SAVE, WORK_REBUILD, WORK_GRAMS };

struct event_list {
	struct store_event *p;
	size_t n, cap;
};

struct work {
	struct job job;
	struct store_user *u;
	struct store *store;
	enum work_kind kind;
	struct index *ix;
	struct index *old; /* rebuild: the index before, to take flags and dates from */
	struct store_request *requests;
	struct arrival *arrivals;
	struct look *looks;
	struct cache_want *wants; /* in: rows to make; out: new messages */
	struct gram_work *gram;   /* what the search index wants */
	struct event_list events;
	int rc;         /* of LMDB, first failure */
	bool grow;      /* the map was full */
	struct err err; /* class NONE: committed */
	uint64_t bytes;
	bool rights;    /* lists of rights were touched */
	bool todo_left;
	bool rebuild;   /* load: the index is damaged, make it anew */
	bool compacted; /* the index must be opened anew */
	bool prepared;  /* the second run after the map was made larger */
};

/* work.c */
void work_run(struct job *j);
void work_kick(struct store_user *u);
void work_load(struct store_user *u);
void work_save(struct store_user *u);
/* With the next commit, or after a while. */
void work_submit_later(struct store_user *u, struct store_request *r);
struct store_request *work_submit(struct store_user *u, struct store_request *r);
/* Watchers hear of it after the callbacks of the requests; entries are copied. */
void work_event(struct work *w, const struct store_event *event);
bool work_begin(struct work *w, struct txn *t);
/* Writes headers and sidecar files and commits. False with w->rc or w->err. */
bool work_commit(struct work *w, struct txn *t);
/* A snapshot for reading, in the thread. */
bool work_snap(struct work *w, struct snap *s);
void work_snap_end(struct work *w, struct snap *s);

/* Which guests this user has is put right in the table of all (shares.h). */
void work_settle_shares(struct work *w);

/* request.c */
struct store_request *request_new(size_t size, const struct request_kind *kind, struct store_done done);
void request_free(struct store_request *r);
void request_reset(struct store_request *r);
/* Both false. */
bool request_refuse(struct store_request *r, enum store_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool request_refuse_errno(struct store_request *r, const char *what);

/* txn.c */
/* The mailbox in this transaction, or NULL. */
struct open_mbox *txn_mbox(struct txn *t, uint32_t number);
struct open_mbox *txn_mbox_new(struct txn *t, struct str name, struct str dir);
void txn_mbox_drop(struct txn *t, struct open_mbox *o);
/* This request makes, drops or renames it, or changes its subscription. */
void txn_by(struct open_mbox *o, const struct store_request *r);
/* One step up; the changes that follow carry the result. */
uint64_t txn_bump(struct open_mbox *o);
/* The next UID; raises the ceiling in the sidecar when it is reached. */
uint32_t txn_next_uid(struct open_mbox *o);
/* Adds a message with its file row; counts it. */
void txn_add(struct txn *t, struct open_mbox *o, uint32_t uid, const struct row_message *row, const char *file);
/* Removes the message row (not the file row); counts it. */
void txn_remove(struct txn *t, struct open_mbox *o, uint32_t uid, const struct row_message *row);
void txn_count(struct txn *t, struct open_mbox *o, const struct row_message *row, int sign);
/* Bits of these keywords; unknown ones are added. False when there is no room or a name cannot be one. */
bool txn_keywords(struct open_mbox *o, const struct str *names, size_t n, bool add, uint64_t *bits);
void txn_todo(struct txn *t, enum todo_kind kind, uint32_t mailbox, const struct uidset *uids, const char *dir);
void txn_file(struct txn *t, uint32_t mailbox, uint32_t uid, const char *file);

/* mdir.c: the directories of a mailbox */
struct mdir {
	uint32_t mailbox;
	int cur, fresh, tmp; /* -1: not there */
	bool alone;          /* nobody else was in cur/ since we looked, when it was opened */
};
bool mdir_open(const struct store_user *u, const char *dir, struct mdir *d);
void mdir_close(struct mdir *d);
/* The same around our own changes in cur/: what they do to its mtime is not taken for somebody else's. */
bool mdir_enter(struct work *w, const struct mbox *m, struct mdir *d);
void mdir_leave(struct work *w, struct mdir *d);
/* Makes cur, new and tmp below a directory of the Maildir, durably. */
bool mdir_make(const struct store_user *u, const char *dir);
/* The full name in the directory whose base is this; false when there is none. */
bool mdir_find(int dirfd, struct str base, char name[static FNAME_SIZE]);
/* The opposite, unless something is in them. */
void mdir_unmake(const struct store_user *u, const char *dir);
bool mdir_exists(int dirfd, const char *name);
/* The file of this name; of many messages that came at once the last are still on their way from tmp/. */
int mdir_open_message(const struct mdir *d, const char *name, uint64_t *size);
bool sidecar_save(const struct store_user *u, const struct mbox *m);
bool sidecar_load(int dirfd, struct sidecar *s);

/* todo.c */
/* Does the first file actions, at most `budget`; they are repeated and forgotten by todo_drain. */
void todo_quick(struct work *w, unsigned budget);
/* One slice: actions, syncs, rows. w->todo_left says whether more is left. */
bool todo_drain(struct work *w);
/* All of it. */
bool todo_drain_all(struct work *w);

/* ingest.c */
void ingest_apply(struct txn *t, struct arrival *arrivals);
void ingest_after(struct work *w, struct arrival *arrivals);

/* look.c and compare.c */
bool look_prepare(struct work *w, uint32_t mailbox);
/* True when neither directory needs to be read; in the loop, while no work runs that has to do with directories. */
bool look_is_needless(struct store_user *u, uint32_t mailbox, const struct mdir *d);
void look_apply(struct txn *t);
void look_after(struct work *w);
void looks_free(struct work *w);

/* compact.c: true when another file has the place of the index. */
bool compact_index(struct work *w);

/* check.c */
bool check_run(struct work *w, struct store_report *report, struct buf *text);

/* admin.c */
void admin_rebuilt(struct store_user *u, const struct err *e);

/* cachefill.c */
void cache_fill(struct work *w);
void wants_add(struct cache_want **list, uint32_t mailbox, const struct uidset *uids);

/* load.c */
bool load_run(struct work *w);
bool rebuild_healthy(struct work *w);
#define BROKEN_NAME "postern-broken"

#endif
