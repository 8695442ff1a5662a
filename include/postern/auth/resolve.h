/* resolve.h - what RCPT does with an address, and why; also whose address a login may use as sender.
 *
 * Order for an own domain: alias, user, the same without "+tag", postmaster and abuse and root, catch-all. Nothing
 * in an address is ever taken as a command, file or route: what is no user and no alias is unknown. The words of
 * `chain` tell every step; `postern explain` prints them. */
#ifndef POSTERN_AUTH_RESOLVE_H
#define POSTERN_AUTH_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/auth/directory.h>
#include <postern/auth/penalty.h>
#include <postern/conf/conf.h>
#include <postern/core/arena.h>
#include <postern/core/map.h>
#include <postern/core/str.h>

enum {
	RESOLVE_DEPTH_MAX = 10,     /* aliases within aliases */
	RESOLVE_TARGETS_MAX = 1000, /* recipients that one address can become */
	RESOLVE_CHAIN_MAX = 64,     /* lines of explanation */
	USAGE_USERS_MAX = 1 << 20,  /* mailboxes whose size is remembered */
};

enum resolve_verdict {
	RESOLVE_TAKE,   /* at least one target */
	RESOLVE_REFUSE, /* 5xx */
	RESOLVE_LATER,  /* 4xx */
};

struct resolve_ask {
	struct str
	    address;      /* as in RCPT TO, without <>, source route already taken off; "postmaster" alone is allowed */
	struct str login; /* canonical address of who is logged in, or empty */
	struct source client;
	uint64_t size; /* SIZE= of MAIL FROM, 0 when not given */
	bool smtputf8; /* the transaction has SMTPUTF8 (RFC 6531) */
	bool ours;     /* a notification of ours: it goes wherever its sender is */
};

struct resolve_target {
	bool local;
	struct str address; /* a user, or a foreign address */
	struct str detail; /* local: what stood after "+", byte for byte; the store decides whether it names a folder */
	uint64_t quota;    /* local: bytes in force, 0: none */
};

struct resolve_answer {
	enum resolve_verdict verdict;
	unsigned code;        /* 250, 451, 452, 550, 552, 553 */
	const char *enhanced; /* "5.1.1" */
	const char *words;    /* for the peer, static */
	struct str canonical; /* the address in canonical form, empty when it has none */
	struct resolve_target *targets;
	size_t ntargets;
	struct str *chain; /* the reasons in words, one step each */
	size_t nchain;
};

/* The bytes each user has in his mailbox, as his store tells (coalesced). Unknown counts as empty. */
struct usage {
	struct map users;
};
void usage_init(struct usage *u);
void usage_fini(struct usage *u);
void usage_note(struct usage *u, struct str user, uint64_t bytes);
uint64_t usage_of(const struct usage *u, struct str user);
/* The user was deleted. */
void usage_forget(struct usage *u, struct str user);

struct resolver {
	struct directory *dir;
	const struct conf *conf;
	const struct usage *usage; /* NULL: nothing is known of mailboxes */
};

/* The answer lives in the arena. */
void resolve(const struct resolver *r, const struct resolve_ask *ask, struct arena *a, struct resolve_answer *out);

/* True if the domain (A-labels, lower case) is ours: configured, or in the directory. LATER-like trouble counts as
 * *failed. */
bool resolve_own_domain(const struct resolver *r, struct str domain, bool *failed);
/* Who gets the mail of postmaster: the configured address, else the account that was made first. */
enum directory_found resolve_postmaster(const struct resolver *r, struct arena *a, struct str *address, struct err *e);
/* postmaster, abuse, root: names that always reach somebody (RFC 2142, RFC 5321 4.5.1). */
bool resolve_is_role_name(struct str local);

enum may_send {
	MAY_SEND,
	MAY_NOT_SEND,   /* 553 5.7.1 */
	MAY_SEND_LATER, /* the directory does not answer: 451 4.3.0 */
};
/* May this login use the address in MAIL FROM or From:? His own with any tag, an alias that names him as a sender (a
 * catch-all: what is nobody else's there), postmaster and abuse and root for the postmaster; and the null sender. why
 * (static words for the log) is set either way. */
enum may_send resolve_may_send(const struct resolver *r, struct str login, struct str address, const char **why);

/* One text for `postern explain`: the verdict first, then the chain. */
struct buf;
void resolve_explain(const struct resolve_answer *answer, struct buf *out);

#endif
