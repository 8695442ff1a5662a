/* list.h - the arguments of LIST and LSUB, shared by list_parse.c (grammar) and cmd_list.c (what is returned). */
#ifndef IMAP_LIST_H
#define IMAP_LIST_H

#include "allnames.h"
#include "metadata.h"
#include "sess.h"

enum {
	LIST_PATTERNS_MAX = 100, /* patterns of one LIST */
	LIST_OPTIONS_MAX = 50,   /* options of one kind, repeated ones counted */
};

enum list_option {
	LIST_SELECT_SUBSCRIBED = 1 << 0,
	LIST_SELECT_USE = 1 << 1,
	LIST_RECURSIVE = 1 << 2,
	LIST_REMOTE = 1 << 3,
	LIST_RETURN_SUBSCRIBED = 1 << 4,
	LIST_RETURN_CHILDREN = 1 << 5,
	LIST_RETURN_USE = 1 << 6,
	LIST_RETURN_STATUS = 1 << 7,
	LIST_EXTENDED = 1 << 8, /* the extended syntax was used (RFC 9051 6.3.9) */
	LIST_LSUB = 1 << 9,     /* RFC 3501 6.3.9 */
	LIST_RETURN_METADATA = 1 << 10,
	LIST_RETURN_MYRIGHTS = 1 << 11,
	LIST_CRITERIA = LIST_SELECT_SUBSCRIBED | LIST_SELECT_USE,
};

/* The names a user can see, each with what was decided about it. */
struct listing {
	struct allnames names;
	unsigned char *states;
	size_t next; /* to be decided, then to be written */
};

struct list_args {
	unsigned options;
	unsigned status;      /* items of RETURN (STATUS …) */
	struct str reference; /* as sent */
	struct str *patterns; /* canonical, UTF-8; those that can match nothing are left out */
	size_t n;
	size_t bytes;         /* of all patterns */
	bool root;            /* the special request for the hierarchy separator */
	struct metadata_ask metadata; /* entries of RETURN (METADATA …) */
	struct listing listing;
};

/* What they hold outside the arena. */
void list_fini(struct command *c);

#endif
