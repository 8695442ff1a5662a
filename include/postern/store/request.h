/* request.h - changes to a user's mailboxes: submitted here, completed by callback after the commit.
 *
 * Each request is atomic, whatever its size. Requests of a user are done in the order of their submission; those that
 * arrive during a commit form the next one. When `done` says OK, the change survives a power cut. Arguments are copied
 * before a call returns. Every call returns a handle that is good until `done` was called. */
#ifndef POSTERN_STORE_REQUEST_H
#define POSTERN_STORE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/err.h>
#include <postern/core/str.h>
#include <postern/store/read.h>
#include <postern/store/uidset.h>

struct store_user;
struct store_request;

/* Why a request was refused, for response codes (RFC 9051 7.1); `err` has class and words. */
enum store_code {
	STORE_OK,
	STORE_NONEXISTENT, /* no such mailbox (for a target: TRYCREATE) */
	STORE_EXISTS,      /* ALREADYEXISTS */
	STORE_CANNOT,      /* a name that cannot be, INBOX deleted, … */
	STORE_OVERQUOTA,
	STORE_LIMIT,       /* too many mailboxes or keywords */
	STORE_GONE,        /* replace: the message is not there any more */
	STORE_NOPERM,      /* the rights of who asks do not allow it */
	STORE_UNAVAILABLE, /* temporary: disk full or failing, damaged index */
};

struct store_result {
	enum store_code code;
	const struct err *err;  /* class ERR_NONE when code is STORE_OK */
	uint32_t mailbox;       /* the one changed; for append, copy, move: the target; for create: the new one */
	uint32_t uidvalidity;   /* of `mailbox` */
	uint64_t modseq;        /* of the change; 0 when nothing changed. For a move: of the source mailbox */
	const struct uidset *uids;   /* flags: changed; append, copy, move: the new UIDs; expunge: gone */
	const struct uidset *source; /* copy, move: the UIDs taken; the n-th became the n-th of `uids` */
	const struct uidset *failed; /* flags: MODIFIED (RFC 7162 3.1.3) */
};
/* The result lives during the call. */
struct store_done {
	void (*fn)(void *ctx, const struct store_result *r); /* may be NULL */
	void *ctx;
	/* Whose request it is; empty: the server's own, which may do all, as the owner. Rights (rights.h) are asked in the transaction that
	 * uses them: once a change of rights was told OK, nothing commits that they do not allow. A guest's \Seen is his own. */
	struct str who;
};

/* The callback will not be called; the work may still be done. */
void store_cancel(struct store_request *r);
/* How many messages are done of how many; 0 of 0 when it is not known. Until its callback. */
void store_progress(const struct store_request *r, uint64_t *done, uint64_t *goal);

enum store_flags_mode { STORE_FLAGS_ADD, STORE_FLAGS_REMOVE, STORE_FLAGS_REPLACE };
struct store_flags {
	uint32_t mailbox;
	const struct uidset *uids; /* those that do not exist are passed over */
	enum store_flags_mode mode;
	uint32_t flags;
	const struct str *keywords; /* as IMAP atoms; compared without case */
	size_t nkeywords;
	bool conditional;        /* UNCHANGEDSINCE: messages with a higher modseq end up in `failed` */
	uint64_t unchangedsince;
};
/* What the rights do not cover stays as it is (RFC 4314 4); STORE_NOPERM: nothing of what was asked for is left. */
struct store_request *store_flags(struct store_user *u, const struct store_flags *f, struct store_done done);

/* A message on its way in. Small ones stay in memory, larger ones go to a file without a name. */
struct store_stage;
struct store_stage *store_stage_new(struct store_user *u);
/* Appends bytes; false with *e once the disk fails. */
bool store_stage_write(struct store_stage *g, struct str bytes, struct err *e);
uint64_t store_stage_size(const struct store_stage *g);
void store_stage_free(struct store_stage *g);

struct store_new {
	struct store_stage *stage; /* taken over by store_append, whatever comes of it */
	uint32_t flags;
	const struct str *keywords;
	size_t nkeywords;
	int64_t internal_date; /* seconds; STORE_DATE_NOW: now */
};
#define STORE_DATE_NOW INT64_MIN

/* One or several messages, all or none (RFC 3502). limit: bytes the user may have, 0: no limit. */
struct store_request *store_append(struct store_user *u, uint32_t mailbox, const struct store_new *messages, size_t n,
    uint64_t limit, struct store_done done);
/* The same with one message, and in the same commit a message of another mailbox, or of this one, goes (RFC 8508). Its size
 * does not count against the limit. The result is the append's; source: the UID that went; modseq: of its mailbox. */
struct store_request *store_replace(struct store_user *u, uint32_t mailbox, const struct store_new *message, uint32_t from,
    uint32_t uid, uint64_t limit, struct store_done done);
/* The copies have the flags that who asks sees, as far as he may set them there (RFC 4314 4); his \Seen stays his. */
struct store_request *store_copy(struct store_user *u, uint32_t from, const struct uidset *uids, uint32_t to, uint64_t limit,
    struct store_done done);
/* Both mailboxes change in one commit (RFC 6851). from and to may be the same. */
struct store_request *store_move(struct store_user *u, uint32_t from, const struct uidset *uids, uint32_t to,
    struct store_done done);
/* COPY into another user's mailbox: the bytes of each file are copied, all or none are there. The result is told as of store_copy;
 * messages that are gone are passed over. STORE_LIMIT: too many at once. The right to read the source is asked when it is called. */
enum { STORE_CARRY_MAX = 5000 }; /* messages */
struct store_request *store_carry(struct store_user *u, uint32_t from, const struct uidset *uids, struct store_user *target,
    uint32_t to, uint64_t limit, struct store_done done);
/* Removes the messages with these UIDs, as a move does that has copied them elsewhere. */
struct store_request *store_remove(struct store_user *u, uint32_t mailbox, const struct uidset *uids, struct store_done done);
/* Removes the messages that have \Deleted, of these UIDs (NULL: of all). */
struct store_request *store_expunge(struct store_user *u, uint32_t mailbox, const struct uidset *uids,
    struct store_done done);

/* Makes the mailbox and the parents it lacks (RFC 9051 6.3.4, RFC 6154 3). */
struct store_request *store_create(struct store_user *u, struct str name, enum store_use use, struct store_done done);
/* The mailbox alone: those below it stay (RFC 9051 6.3.5). Its subscription stays, too. */
struct store_request *store_delete(struct store_user *u, struct str name, struct store_done done);
/* The mailbox and all below it; INBOX gives its messages away and stays (RFC 9051 6.3.6). */
struct store_request *store_rename(struct store_user *u, struct str from, struct str to, struct store_done done);
struct store_request *store_subscribe(struct store_user *u, struct str name, bool on, struct store_done done);
/* Sent, Drafts, Junk, Trash and Archive with their special use, subscribed; once in a user's life. */
struct store_request *store_make_defaults(struct store_user *u, struct store_done done);

/* Takes in what waits in new/ and what other programs changed; asked before SELECT, EXAMINE and STATUS, and cheap
 * when there is nothing. mailbox 0: all of the user's, new directories included (before LIST). */
struct store_request *store_refresh(struct store_user *u, uint32_t mailbox, struct store_done done);

#endif
