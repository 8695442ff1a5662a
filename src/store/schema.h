/* schema.h - the index of a user: LMDB tables, their keys and rows.
 *
 * Keys are big-endian, so that a range scan is a mailbox in UID order. Rows are in the machine's own order: the index
 * is never moved between machines, it is made anew. Every row read is checked for size and bounds; one that does not
 * fit means a damaged index (MDB_CORRUPTED), never undefined behaviour. */
#ifndef POSTERN_STORE_SCHEMA_H
#define POSTERN_STORE_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include <lmdb.h>

#include <postern/core/buf.h>
#include <postern/core/err.h>
#include <postern/core/io.h>
#include <postern/store/read.h>
#include <postern/store/uidset.h>

enum table {
	T_META,    /* word → number (enum meta) */
	T_MAILBOX, /* mailbox → row_mailbox, name, directory, keywords */
	T_NAME,    /* name → row_name */
	T_MESSAGE, /* mailbox, uid → row_message */
	T_FILE,    /* mailbox, uid → name in cur/ as last written or seen: its letters are the base of the three-way merge */
	T_CHANGE,  /* mailbox, modseq → changed and gone ranges */
	T_CACHE,   /* mailbox, uid → bytes of the IMAP side */
	T_IDS,     /* mailbox, uid → EMAILID of a copy (else it follows from the base name) */
	T_TODO,    /* sequence → row_todo and its ranges or directory */
	T_DONE,    /* delivery id → row_done */
	T_KEYS,    /* mailbox, uid → what the IMAP side sorts and threads by: short, so that a walk touches little */
	T_METADATA, /* mailbox (0: the server), entry → value (RFC 5464) */
	T_RIGHTS,  /* mailbox, identifier → rights (RFC 4314) */
	T_GUESTS,  /* mailbox, guest, UID / 4096 → bits of the messages he has seen (guest.h) */
	TABLES,
	T_ADDED = T_KEYS, /* from here on tables that an older index lacks: made when it is opened */
};

enum meta {
	META_SCHEMA,       /* SCHEMA_VERSION */
	META_BYTES,        /* sum of all messages, for the quota */
	META_NEXT_MAILBOX, /* numbers are never used again */
	META_NEXT_TODO,
	META_DEFAULTS,     /* the default folders were made once */
	META_UIDVALIDITY,  /* the last one given to a new mailbox */
	META_METADATA,     /* bytes of names and values in T_METADATA */
	METAS,
};

enum { SCHEMA_VERSION = 0x706f7301 };

struct row_mailbox {
	struct id id;
	uint64_t modseq;
	uint64_t bytes;
	uint64_t deleted_bytes;
	uint64_t change_floor; /* `change` knows all that happened after this modseq */
	int64_t cur_mtime;     /* of the directories when index and files were last the same; 0: look */
	int64_t new_mtime;
	int64_t looked_at;     /* nanoseconds since the epoch, when those were read */
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint32_t ceiling;      /* as in the sidecar file: uidnext may not pass it */
	uint32_t messages;
	uint32_t unseen;
	uint32_t deleted;
	uint32_t change_rows;
	uint32_t use;
	uint32_t name_n;
	uint32_t dir_n;
	uint32_t keywords_n;
	uint32_t subscribed;   /* what the sidecar file says of the name's subscription */
};

struct row_name {
	uint32_t mailbox; /* 0: none of that name */
	uint32_t subscribed;
};

struct row_message {
	uint64_t modseq;
	uint64_t keywords;
	uint64_t size;
	int64_t internal_date;
	int64_t save_date;
	uint32_t flags;
	uint32_t lf;
};

struct row_done {
	uint32_t mailbox;
	uint32_t uid;
};

enum todo_kind {
	TODO_PLACE,  /* tmp/<base> → cur/<name> for each UID */
	TODO_NAMES,  /* bring flags and UID of each UID into its file name */
	TODO_GONE,   /* unlink the file of each UID, then its rows */
	TODO_MOVED,  /* the same, but only when the files of an earlier TODO_PLACE are durable */
	TODO_RENAME, /* the directory `dir` becomes the one of the mailbox */
	TODO_PURGE,  /* remove the directory `dir` (if not "") and all rows of the mailbox, which is deleted */
	TODO_SIDECAR, /* write postern-mailbox anew */
	TODO_ANNOTATIONS, /* write postern-annotations of the mailbox (0: of the user) anew */
	TODO_KINDS,
};

struct row_todo {
	uint32_t kind;
	uint32_t mailbox;
};

/* A mailbox in memory: row and text. */
struct mbox {
	uint32_t number;
	struct row_mailbox row;
	char name[STORE_NAME_SIZE + 1];
	char dir[256];
	char keywords[STORE_KEYWORDS_MAX][STORE_KEYWORD_SIZE + 1];
};

struct index {
	MDB_env *env;
	MDB_dbi table[TABLES];
};

/* Are all pages of the file there that are used? A page that is not would kill the process at the first touch. */
bool index_is_whole(MDB_env *env);
/* Opens a file of LMDB tables; MDB_CORRUPTED when it is not whole. NULL in *env on failure. */
int index_env_open(MDB_env **env, const char *path, uint64_t map_size, unsigned tables, unsigned flags);
/* Opens (with make: creates) the index in the file. False with *e; the class is permanent when the index is damaged. */
bool index_open(struct index *ix, const char *path, uint64_t map_size, bool make, struct err *e);
void index_close(struct index *ix);
/* True for errors that mean damage, as opposed to a full disk or map. */
bool index_is_damage(int rc);

/* One transaction, reading or writing. The first failure sticks in rc; later calls do nothing and answer false. */
struct snap {
	const struct index *ix;
	MDB_txn *mdb;
	int rc;
};

/* Bytes of the file that are in use or have been, and of these those in the list of free pages. */
void index_pages(struct snap *s, uint64_t *size, uint64_t *unused);

struct key {
	uint8_t b[16];
	size_t n;
};
struct key key_mailbox(uint32_t mailbox);
struct key key_message(uint32_t mailbox, uint32_t uid);
struct key key_change(uint32_t mailbox, uint64_t modseq);
struct key key_todo(uint64_t seq);
MDB_val key_val(const struct key *k);
MDB_val str_val(struct str s);
struct str val_str(MDB_val v);
/* The second half of a message or change key if its first is this mailbox; false otherwise. */
bool key_uid(MDB_val k, uint32_t mailbox, uint32_t *uid);
/* The mailbox of a key of T_MAILBOX. */
bool key_number(MDB_val k, uint32_t *mailbox);
bool key_modseq(MDB_val k, uint32_t mailbox, uint64_t *modseq);
bool key_seq(MDB_val k, uint64_t *seq);

bool snap_fail(struct snap *s, int rc);
/* False when it is not there, or after a failure. */
bool snap_get(struct snap *s, enum table t, MDB_val key, MDB_val *value);
bool snap_put(struct snap *s, enum table t, MDB_val key, MDB_val value);
/* Deleting what is not there is no failure. */
void snap_del(struct snap *s, enum table t, MDB_val key);
/* NULL after a failure, which snap_step takes for the end. */
MDB_cursor *snap_cursor(struct snap *s, enum table t);
/* One step or search; false at the end or after a failure. */
bool snap_step(struct snap *s, MDB_cursor *c, MDB_val *key, MDB_val *value, MDB_cursor_op op);
/* Of snap_cursor or gram_cursor; harmless on NULL. */
void cursor_close(MDB_cursor *c);

uint64_t meta_get(struct snap *s, enum meta what);
void meta_put(struct snap *s, enum meta what, uint64_t value);

bool mbox_read(struct snap *s, uint32_t number, struct mbox *m);
bool mbox_write(struct snap *s, const struct mbox *m);
size_t mbox_keywords(const struct mbox *m);
bool name_read(struct snap *s, struct str name, struct row_name *r);
bool name_write(struct snap *s, struct str name, const struct row_name *r);
bool message_read(struct snap *s, uint32_t mailbox, uint32_t uid, struct row_message *r);
bool message_decode(struct snap *s, MDB_val value, struct row_message *r);
/* The file's name, checked, NUL-terminated. */
bool file_read(struct snap *s, uint32_t mailbox, uint32_t uid, char name[static 256]);
bool file_decode(struct snap *s, MDB_val value, char name[static 256]);

/* `change` rows. */
void change_write(struct snap *s, struct mbox *m, const struct uidset *changed, const struct uidset *gone);
/* Collects the row's ranges: uidset_sort() both when all rows are read. */
bool change_decode(struct snap *s, MDB_val value, struct uidset *changed, struct uidset *gone);

struct todo {
	uint64_t seq;
	enum todo_kind kind;
	uint32_t mailbox;
	struct uidset uids;
	char dir[256];
};
void todo_init(struct todo *t);
void todo_fini(struct todo *t);
/* Appends the action; its seq is set. */
void todo_add(struct snap *s, struct todo *t);
void todo_rewrite(struct snap *s, const struct todo *t);
/* The first action with a sequence number >= from. */
bool todo_first(struct snap *s, uint64_t from, struct todo *t);
bool todo_is_left(struct snap *s);

#endif
