/* penalty.h - who guessed passwords lately, and what that costs him now.
 *
 * A ledger in memory, per source (IPv4 address, IPv6 /64) and per account. Failures first delay the next answer, then
 * close the door; they are forgiven with time. It is asked before anything is hashed. An account under attack from many
 * sources lets one stranger through every few seconds, while a source that logged in to it lately is served as ever.
 * The same wrong guess again (a device with an old password) counts little. Every table is bounded; the least
 * recently used row goes. Nothing survives a restart: an attacker gains one round of guesses by it, not more. */
#ifndef POSTERN_AUTH_PENALTY_H
#define POSTERN_AUTH_PENALTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/clock.h>
#include <postern/core/str.h>

enum {
	PENALTY_SOURCES_MAX = 65536,
	PENALTY_ACCOUNTS_MAX = 16384,
	PENALTY_FRIENDS_MAX = 16384,               /* pairs of account and source with a good login */
	PENALTY_FREE = 3,                          /* failures without consequence */
	PENALTY_SOURCE_REFUSE = 10,                /* failures of a source until it is refused */
	PENALTY_ACCOUNT_REFUSE = 20,               /* failures on an account until strangers have to queue up */
	PENALTY_FORGIVE_MS = 60 * 1000,            /* one failure is forgiven per minute */
	PENALTY_COUNT_MAX = 30,                    /* no more are remembered */
	PENALTY_DELAY_MS = 500,                    /* doubled with each failure past the free ones … */
	PENALTY_DELAY_MAX_MS = 8 * 1000,           /* … up to here */
	PENALTY_ACCOUNT_PACE_MS = 5 * 1000,        /* one stranger per this at an account past its limit */
	PENALTY_FRIEND_MS = 14 * 24 * 3600 * 1000, /* a good login makes the source a friend for so long */
};

struct penalty;

/* An address as 16 bytes, IPv4 as ::ffff:a.b.c.d. */
struct source {
	uint8_t b[16];
};

struct penalty_answer {
	bool refuse;      /* do not check anything, say "later" and close */
	int64_t delay_ms; /* wait so long before checking */
	const char *why;  /* words for the log when refused */
};

struct penalty *penalty_new(void);
void penalty_free(struct penalty *p);

/* Before a check. account is the prepared name as given, whether it exists or not. */
struct penalty_answer penalty_ask(struct penalty *p, struct source from, struct str account, struct mono now);
/* The same question again after waiting for a hashing thread: true if others' failures have closed the door since. */
bool penalty_closed(struct penalty *p, struct source from, struct mono now);
/* After a check. guess: a keyed hash of what was tried, so that a repetition is known. */
void penalty_failure(struct penalty *p, struct source from, struct str account, uint64_t guess, struct mono now);
void penalty_success(struct penalty *p, struct source from, struct str account, struct mono now);

/* Rows held, for status and tests. */
size_t penalty_sources(const struct penalty *p);
size_t penalty_accounts(const struct penalty *p);

#endif
