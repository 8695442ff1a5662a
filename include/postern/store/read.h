/* read.h - looking at a user's mailboxes: lists, headers, messages, changes.
 *
 * Everything is read through a view: one snapshot of the index. A view is opened and closed within one turn of the
 * loop (an open one keeps pages of the index from being used again, and nothing may grow the map meanwhile). Long
 * work goes on from the UID where it stopped with a new view.
 *
 * A mailbox is known by its number: unique within the user, for ever. */
#ifndef POSTERN_STORE_READ_H
#define POSTERN_STORE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/err.h>
#include <postern/core/io.h>
#include <postern/core/str.h>
#include <postern/store/store.h>
#include <postern/store/uidset.h>

struct store_user;
struct store_view;

/* Special use of a mailbox (RFC 6154 2). */
enum store_use {
	STORE_USE_NONE,
	STORE_USE_ALL,
	STORE_USE_ARCHIVE,
	STORE_USE_DRAFTS,
	STORE_USE_FLAGGED,
	STORE_USE_JUNK,
	STORE_USE_SENT,
	STORE_USE_TRASH,
	STORE_USE_IMPORTANT, /* RFC 8457 */
};
/* Its attribute as LIST shows it ("\Sent"), empty for none. */
struct str store_use_attribute(enum store_use use);
/* STORE_USE_NONE for what is no such attribute; case does not count. */
enum store_use store_use_find(struct str attribute);

/* System flags of a message (RFC 9051 2.3.2); \Recent does not exist here. */
enum store_flag {
	STORE_SEEN = 1,
	STORE_ANSWERED = 2,
	STORE_FLAGGED = 4,
	STORE_DELETED = 8,
	STORE_DRAFT = 16,
	STORE_FLAGS_ALL = 31,
};

/* NULL with *e when the user's index is damaged or cannot be opened. */
struct store_view *store_view_open(struct store_user *u, struct err *e);
/* The same as somebody sees it who is not the owner: \Seen of messages, and what is counted by it, are his (RFC 4314 4). */
struct store_view *store_view_open_as(struct store_user *u, struct str who, struct err *e);
void store_view_close(struct store_view *v);
/* Whose index it is. */
struct str store_view_owner(const struct store_view *v);
/* True when a row was out of bounds: what was read is worthless and the user is out of order until a rebuild. */
bool store_view_failed(const struct store_view *v);

/* A line of LIST. Names are UTF-8 with "/"; "INBOX" is spelled so. */
struct store_entry {
	struct str name;
	uint32_t mailbox;  /* 0: no mailbox of that name: a parent of others (\NonExistent) or only subscribed */
	enum store_use use;
	bool subscribed;
	bool children;     /* some mailbox lies below it */
};
/* All names in order, INBOX first, parents that do not exist themselves included; memory of the arena. */
size_t store_list(struct store_view *v, struct arena *a, struct store_entry **entries);

/* The line of one name, whether or not there is anything of that name; e->name is what was given. */
void store_look_up(struct store_view *v, struct str name, struct store_entry *e);

/* The header of a mailbox: what SELECT and STATUS tell. */
struct store_mailbox {
	uint32_t number;
	struct id id;            /* MAILBOXID, RFC 8474 4 */
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highestmodseq;  /* at least 1 */
	uint32_t messages;
	uint32_t unseen;
	uint32_t deleted;        /* messages with \Deleted */
	uint64_t bytes;          /* sum of the sizes IMAP sees */
	uint64_t deleted_bytes;
	enum store_use use;
};
/* The number of the mailbox (INBOX in any case), 0 when there is none. */
uint32_t store_find(struct store_view *v, struct str name);
/* False when there is no such mailbox. */
bool store_mailbox(struct store_view *v, uint32_t mailbox, struct store_mailbox *m);
/* Its name, in memory of the arena; empty when there is none. */
struct str store_mailbox_name(struct store_view *v, uint32_t mailbox, struct arena *a);
/* Names of its keywords by bit; returns how many. A bit never changes its keyword while the mailbox lives. The strs
 * point into the view. */
size_t store_keywords(struct store_view *v, uint32_t mailbox, struct str names[static STORE_KEYWORDS_MAX]);
/* The UID of the first message without \Seen, or 0. A scan: ask once at SELECT. */
uint32_t store_first_unseen(struct store_view *v, uint32_t mailbox);

struct store_message {
	uint32_t uid;
	uint32_t flags;     /* enum store_flag, ORed */
	uint64_t keywords;  /* by bit, see store_keywords */
	uint64_t modseq;
	int64_t internal_date; /* seconds since the epoch */
	int64_t save_date;     /* RFC 8514: when it came into this mailbox */
	uint64_t size;      /* RFC822.SIZE: with CRLF line ends */
	bool lf;            /* the file's lines end in LF: serve them as CRLF */
};
/* A walk in UID order over a mailbox. Lives as long as the view; memory is the caller's. */
struct store_scan {
	void *cursor;
	struct store_view *view;
	uint32_t mailbox;
	uint32_t from; /* where the next step begins; 0: behind `at` */
	uint32_t at;   /* the message under the cursor */
};
/* Starts at the first UID >= from. */
void store_scan_open(struct store_scan *s, struct store_view *v, uint32_t mailbox, uint32_t from);
/* False after the last message (or when the view failed). */
bool store_scan_next(struct store_scan *s, struct store_message *m);
/* Goes on at the first UID >= from, which is what a UID set with gaps needs. */
void store_scan_seek(struct store_scan *s, uint32_t from);
/* The message with this UID, false when it does not exist. Cheap when it is the next one. */
bool store_scan_find(struct store_scan *s, uint32_t uid, struct store_message *m);
void store_scan_close(struct store_scan *s);
/* One message; false when it does not exist. */
bool store_message(struct store_view *v, uint32_t mailbox, uint32_t uid, struct store_message *m);
/* EMAILID (RFC 8474 5.1): the same for a message and its copies. */
bool store_email_id(struct store_view *v, uint32_t mailbox, uint32_t uid, struct id *id);

/* The cache row of a message, in the view's memory; false when there is none (yet). */
bool store_cache(struct store_view *v, uint32_t mailbox, uint32_t uid, struct str *row);
/* Offers what the caller had to make himself (none, or of another version); written with the next commit, or not at all.
 * Ignored when the message is gone. */
void store_cache_put(struct store_user *u, uint32_t mailbox, uint32_t uid, struct str row, struct str keys);

/* A walk over cache rows or keys (store.h) in UID order, cheap where the next one is asked for. Lives as long as the view. */
enum store_rows { STORE_CACHE_ROWS, STORE_KEYS };
struct store_rows_walk {
	void *cursor;
	struct store_view *view;
	uint32_t mailbox;
	uint32_t at; /* the row under the cursor; 0: none yet */
};
void store_rows_open(struct store_rows_walk *w, struct store_view *v, uint32_t mailbox, enum store_rows which);
/* The row of this message, in the view's memory; false when there is none (yet). */
bool store_rows_find(struct store_rows_walk *w, uint32_t uid, struct str *row);
void store_rows_close(struct store_rows_walk *w);

/* The file of a message, read only. size is the file's own; with lf the served size is larger (struct store_message). */
struct store_file {
	int fd; /* the caller closes it */
	uint64_t size;
	bool lf;
};
/* False with *e: temporary; the file of a message that others removed is missed only by the next look at the
 * directory, which this call orders. */
bool store_message_open(struct store_view *v, uint32_t mailbox, uint32_t uid, struct store_file *f, struct err *e);

/* What happened to a mailbox after a MODSEQ; never "too old". UIDs that came and went in between may appear as gone. */
struct store_changes {
	struct uidset changed; /* may hold too many: compare modseq; new messages included, gone ones not */
	struct uidset gone;
	uint64_t highestmodseq;
};
/* Fills *c, whose sets the caller has initialised. False when there is no such mailbox. */
bool store_changes(struct store_view *v, uint32_t mailbox, uint64_t since, struct store_changes *c);

#endif
