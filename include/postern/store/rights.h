/* rights.h - who may do what with a mailbox (RFC 4314).
 *
 * A right is a bit here and a letter on the wire. The list of a mailbox maps identifiers to rights: "anyone", a user's
 * canonical address, and either behind "-", which takes rights away. An owner who is not in the list has all rights;
 * some he always has, so that he can never lock himself out. */
#ifndef POSTERN_STORE_RIGHTS_H
#define POSTERN_STORE_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/str.h>
#include <postern/store/request.h>

/* RFC 4314 2.1, in the order of their bits. */
enum store_right {
	STORE_RIGHT_LOOKUP = 1 << 0,      /* l */
	STORE_RIGHT_READ = 1 << 1,        /* r */
	STORE_RIGHT_SEEN = 1 << 2,        /* s */
	STORE_RIGHT_WRITE = 1 << 3,       /* w */
	STORE_RIGHT_INSERT = 1 << 4,      /* i */
	STORE_RIGHT_POST = 1 << 5,        /* p */
	STORE_RIGHT_CREATE = 1 << 6,      /* k */
	STORE_RIGHT_DELETE_BOX = 1 << 7,  /* x */
	STORE_RIGHT_DELETE = 1 << 8,      /* t */
	STORE_RIGHT_EXPUNGE = 1 << 9,     /* e */
	STORE_RIGHT_ADMIN = 1 << 10,      /* a */
	STORE_RIGHTS_ALL = (1 << 11) - 1,
	STORE_RIGHTS_OWNER = STORE_RIGHT_LOOKUP | STORE_RIGHT_ADMIN, /* that an owner always has */
	/* One of them lets annotations be read and set (RFC 5464 3.3). */
	STORE_RIGHTS_ANNOTATE = STORE_RIGHT_READ | STORE_RIGHT_SEEN | STORE_RIGHT_WRITE | STORE_RIGHT_INSERT | STORE_RIGHT_POST,
};

enum {
	STORE_IDENTIFIER_SIZE = 300, /* bytes of an identifier */
	STORE_ACL_MAX = 100,         /* identifiers in a list */
	STORE_RIGHTS_ROWS_MAX = 10000, /* in all lists of an account together */
	STORE_GUESTS_MAX = 1000,     /* identifiers that an account shares anything with */
};

/* Letters to bits; "c" and "d" stand for their members (RFC 4314 2.1.1). False for any other byte. */
bool store_rights_parse(struct str letters, unsigned *rights);
/* Adds the letters, with "c" and "d" where one of their members is there. */
void store_rights_write(struct buf *out, unsigned rights);
/* Without these two: what parses to the same rights again. */
void store_rights_write_members(struct buf *out, unsigned rights);
/* System flags that these rights let one set and clear (RFC 4314 4); keywords need STORE_RIGHT_WRITE. */
uint32_t store_rights_flags(unsigned rights);
/* "anyone" or "local@domain", perhaps behind "-": what can stand in a list. */
bool store_identifier_ok(struct str identifier);

struct store;

struct store_ace {
	struct str identifier;
	unsigned rights;
};

/* The list, the owner first whether he stands in it or not; memory of the arena. */
size_t store_acl(struct store_view *v, uint32_t mailbox, struct arena *a, struct store_ace **all);
/* What the user with this address may do: all that is given to him and to anyone, less what is taken away. */
unsigned store_rights(struct store_view *v, uint32_t mailbox, struct str who);

/* --- mailboxes of others --- */

enum {
	STORE_OWNERS_MAX = 1000, /* that somebody can be the guest of at a time; which, when there are more, is not said */
};

/* The users who have given any right to this one, or to anyone, in order; himself left out; memory of the arena. What is kept of it
 * may say too much, never too little. */
size_t store_owners(struct store *s, struct str who, struct arena *a, struct str **owners);
/* Whether this one has: the same work whether or not there is such a user. */
bool store_is_shared(struct store *s, struct str owner, struct str who);
/* The mailboxes of the view's owner that `who` may look up ("l"), with the levels above them that he does not see as such, in
 * order; subscriptions and special uses, which are the owner's, left out; memory of the arena. */
size_t store_list_shared(struct store_view *v, struct str who, struct arena *a, struct store_entry **entries);

enum store_rights_mode {
	STORE_RIGHTS_REPLACE,
	STORE_RIGHTS_ADD,
	STORE_RIGHTS_REMOVE,
	STORE_RIGHTS_DELETE, /* the identifier goes from the list */
};
/* STORE_LIMIT when the list is full. Watchers hear STORE_EVENT_RIGHTS. */
struct store_request *store_set_rights(struct store_user *u, uint32_t mailbox, const struct store_ace *ace,
    enum store_rights_mode mode, struct store_done done);

#endif
