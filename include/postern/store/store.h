/* store.h - the mail store of one process: Maildir++ directories as record, LMDB as index.
 *
 * One loop thread calls everything here; blocking work (fsync, LMDB commits, large reads and writes) runs in a few
 * sync threads. Reads are answered at once from a snapshot (read.h); changes are requests that are submitted and
 * completed by callback (request.h); deliveries are made durable in groups (deliver.h). A callback is never called
 * before the call that asked for it has returned.
 *
 * With threads = 0 the work of a sync thread is done at once in the loop thread and the callback follows in the next
 * loop turn: tests and transcripts are deterministic then. */
#ifndef POSTERN_STORE_STORE_H
#define POSTERN_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/err.h>
#include <postern/core/str.h>

struct gram_set;
struct loop;
struct store;

enum {
	STORE_MAILBOXES_MAX = 10000, /* per user */
	STORE_KEYWORDS_MAX = 36,     /* per mailbox: each has a letter or digit in the file names */
	STORE_KEYWORD_SIZE = 100,    /* bytes of a keyword's name */
	STORE_NAME_SIZE = 400,       /* bytes of a mailbox name in UTF-8; its directory name must fit into 255 */
	STORE_DEPTH_MAX = 32,        /* levels of a mailbox name */
};

/* What is kept of a message for the IMAP side, in two tables: the row, which is read for one message, and the keys, which are read
 * for all of them at once and are therefore short. */
struct store_made {
	struct buf row;
	struct buf keys;
};

struct store_config {
	struct loop *loop;
	const char *root;     /* the directory of mail as this process sees it ("/" after chroot); made by the caller */
	const char *host;     /* goes into file names: [A-Za-z0-9.-] */
	unsigned threads;     /* sync threads; 0: at once in the loop thread */
	uint64_t map_size;    /* bytes of address space for each index; 0: 16 GiB */
	uint64_t search_max;  /* bytes of a user's search index; 0: 16 GiB */
	unsigned search_wait; /* messages that wait in it before they go into its lists; 0: 512 */
	bool shares;          /* who has shared mailboxes with whom is kept (rights.h): only where one process has all users */
	unsigned env_max;     /* indexes open at the same time; 0: 1000 */
	int64_t idle_ms;      /* an unused index is closed after this; 0: 10 seconds */
	uint64_t free_min;    /* deliveries and appends stop below this many free bytes, so that EXPUNGE has room; 0: 64 MiB */
	unsigned syncfs_from; /* files in a group from which on syncfs is used; 0: 4 */

	/* Makes cache row and keys of a message: whatever the IMAP side wants to find again (read.h). fd is at any offset, size
	 * its bytes, lf whether its lines end in LF. Runs in a sync thread: a pure function. False: no row. May be NULL. */
	bool (*make_cache)(void *ctx, int fd, uint64_t size, bool lf, struct store_made *out);
	/* Collects the grams of all texts of a message for the search index (grams.h). cache: its cache row, empty when
	 * there is none. Runs in a sync thread. False: the file cannot be read. NULL: there is no search index. */
	bool (*make_grams)(void *ctx, int fd, uint64_t size, bool lf, struct str cache, struct gram_set *out);
	/* Notes what is about to be touched, for whoever looks at it after a crash; base may be NULL. Any thread; each
	 * thread notes for itself. NULL user: nothing. May be NULL. */
	void (*note)(void *ctx, const char *user, const char *mailbox, const char *base);
	/* Bytes a user has now; in the loop thread after a commit that changed them. May be NULL. */
	void (*on_usage)(void *ctx, struct str user, uint64_t bytes);
	void *ctx;
};

/* Opens what of /proc is needed later; call it before the root of the process is closed. */
void store_prepare(void);

/* Opens the root and starts the threads. NULL with *e when the root is not there. The configuration is copied; its
 * strings must live as long as the store. May be called after the root of the process was closed (store_prepare before
 * that): LMDB opens by path, so `root` is a path as the process sees it from then on. */
struct store *store_open(const struct store_config *config, struct err *e);
/* Finishes what was begun, runs no more callbacks, closes every user (handles still held become invalid). */
void store_close(struct store *s);

/* True while a sync thread works or a request waits; file actions that follow in the background count, too. */
bool store_busy(const struct store *s);
/* Runs the loop until the store is not busy; for tests and commands. */
void store_settle(struct store *s);

#endif
