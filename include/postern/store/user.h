/* user.h - a user's part of the store: opening, watching, use of space. */
#ifndef POSTERN_STORE_USER_H
#define POSTERN_STORE_USER_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/err.h>
#include <postern/core/str.h>

struct store;
struct store_user;

/* Opens (makes, at first) the directory and index of the user with this canonical address: takes the lock, finishes
 * what a crash left, looks at every directory that somebody else may have changed. done gets the user, counted once
 * for the caller, or NULL with the reason: temporary when another process holds the lock or the index must be rebuilt
 * first. */
void store_user_open(struct store *s, struct str address, void (*done)(void *ctx, struct store_user *u, const struct err *e),
    void *ctx);
/* The same for a user who has been opened before, here or in an earlier life: for anybody else nothing is made, and done gets NULL. */
void store_user_find(struct store *s, struct str address, void (*done)(void *ctx, struct store_user *u, const struct err *e),
    void *ctx);
void store_user_ref(struct store_user *u);
/* Gives the handle back. The user leaves memory when nobody holds him and his work is done. */
void store_user_unref(struct store_user *u);
struct str store_user_address(const struct store_user *u);
/* True when his index is damaged: reads and requests fail until `store rebuild`. */
bool store_user_broken(const struct store_user *u);
/* Bytes of all his messages, those that wait in new/ included. */
uint64_t store_user_bytes(const struct store_user *u);

/* What happened to a mailbox, told after the commit. */
enum store_event_kind {
	STORE_EVENT_NEW = 1,      /* messages came */
	STORE_EVENT_FLAGS = 2,    /* flags or keywords changed */
	STORE_EVENT_GONE = 4,     /* messages were expunged, moved away or vanished */
	STORE_EVENT_CREATED = 8,  /* the mailbox is new */
	STORE_EVENT_DELETED = 16, /* it is gone; its number never comes back */
	STORE_EVENT_RENAMED = 32, /* it has another name */
	STORE_EVENT_SUBSCRIBED = 64, /* a subscription changed; mailbox may be 0 */
	STORE_EVENT_METADATA = 128,  /* annotations were set; mailbox 0: the server's. Comes alone, with `entries` */
	STORE_EVENT_RIGHTS = 256,    /* the list of who may do what changed. Comes alone */
};

struct store_event {
	uint32_t mailbox;
	unsigned kinds; /* enum store_event_kind, ORed */
	uint64_t modseq; /* HIGHESTMODSEQ after the commit; 0 with METADATA and RIGHTS, which do not touch it */
	uint64_t before; /* HIGHESTMODSEQ before the commit: one less when it holds one change */
	struct str entries; /* METADATA: their names, each with a NUL behind it; lives during the call */
	/* CREATED, DELETED, RENAMED, SUBSCRIBED: of the mailbox, after the commit; empty when it was renamed with its parent. */
	struct str name;
	struct str old_name; /* RENAMED: before it */
	/* What was done but to messages: the ctx of the request that did it; NULL: nobody's, or several have. */
	const void *by;
};

/* Calls fn in the loop thread after each commit that concerns the mailbox (0: any mailbox of the user). While somebody
 * watches, deliveries are ingested at once and the directories are looked at every few seconds for changes of others.
 * The callback may read and submit; it may end its own watch. The watch holds the user. */
struct store_watch;
struct store_watch *store_watch_start(struct store_user *u, uint32_t mailbox,
    void (*fn)(void *ctx, const struct store_event *event), void *ctx);
void store_watch_stop(struct store_watch *w);

#endif
