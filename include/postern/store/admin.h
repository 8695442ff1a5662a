/* admin.h - what `store check`, `store rebuild` and `store stat` do. */
#ifndef POSTERN_STORE_ADMIN_H
#define POSTERN_STORE_ADMIN_H

#include <stddef.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/err.h>
#include <postern/core/str.h>

struct store;

struct store_report {
	struct err err;        /* class ERR_NONE: the work was done */
	uint64_t mailboxes;
	uint64_t messages;
	uint64_t bytes;
	uint64_t problems;     /* check: differences between index and files */
	uint64_t index_bytes;  /* stat: size of index.mdb */
	uint64_t index_free;   /* stat: of these, bytes of free pages */
	uint64_t search_bytes; /* stat: size of the search index, 0: there is none */
	uint64_t waiting;      /* stat: file actions still to do */
	struct str text;       /* one line per problem (check) or fact worth telling; lives during the call */
};
struct store_reported {
	void (*fn)(void *ctx, const struct store_report *r);
	void *ctx;
};

/* Compares index and Maildir and counts, changing nothing but what any first touch does. */
void store_check(struct store *s, struct str address, struct store_reported done);
/* Makes the index anew from the files, keeping of the old one what can be read; ends a quarantine. Handles of the user
 * stay valid. Mailbox numbers are given anew: watchers of a mailbox hear STORE_EVENT_DELETED, their sessions end. */
void store_rebuild(struct store *s, struct str address, struct store_reported done);
void store_stat(struct store *s, struct str address, struct store_reported done);

#endif
