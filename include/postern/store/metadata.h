/* metadata.h - annotations of mailboxes and of the server (RFC 5464).
 *
 * An entry is "/private/…" or "/shared/…" in lower case. Mailbox 0 stands for the server: what is kept there is the
 * user's own. Annotations move with their mailbox, end with it, and outlive a lost index in a file beside it. */
#ifndef POSTERN_STORE_METADATA_H
#define POSTERN_STORE_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/arena.h>
#include <postern/core/str.h>
#include <postern/store/request.h>

enum {
	STORE_ENTRY_SIZE = 250,            /* bytes of an entry's name */
	STORE_VALUE_MAX = 16 * 1024,       /* bytes of a value */
	STORE_ENTRIES_MAX = 100,           /* of a mailbox, and of the server */
	STORE_METADATA_MAX = 10 * 1024 * 1024, /* bytes of a user's names and values */
};

/* The entry that stands for the special use of a mailbox; never kept as one. */
#define STORE_ENTRY_USE "/private/specialuse"

struct store_annotation {
	struct str entry;
	struct str value;
	bool set; /* false: NIL, no such entry */
};

/* True for what can be the name of an entry that is set: RFC 5464 3.2, in lower case. */
bool store_entry_ok(struct str entry);
/* The value, in the view's memory; false when there is none. */
bool store_metadata(struct store_view *v, uint32_t mailbox, struct str entry, struct str *value);
/* All entries in order; names in the arena, values in the view's memory. */
size_t store_metadata_list(struct store_view *v, uint32_t mailbox, struct arena *a, struct store_annotation **all);
/* Sets them, all or none; STORE_LIMIT when there are too many. use (NULL: it stays): the special use that the mailbox gets
 * in the same commit; whatever mailbox had it loses it (RFC 6154 4). Watchers hear STORE_EVENT_METADATA with the names,
 * STORE_ENTRY_USE for a use. */
struct store_request *store_set_metadata(struct store_user *u, uint32_t mailbox, const struct store_annotation *all,
    size_t n, const enum store_use *use, struct store_done done);

#endif
