/* owner.h - which store process owns a user: every process that has to know computes the same. */
#ifndef POSTERN_ROLE_OWNER_H
#define POSTERN_ROLE_OWNER_H

#include <postern/core/str.h>

/* 0 to n - 1 for a canonical address. n is store.processes of the configuration, never the number of those that happen to run:
 * while one of them is being started again, its users are still its own. */
static inline unsigned
owner_of(struct str user, unsigned n)
{
	uint64_t h = 0xcbf29ce484222325; /* FNV-1a: stable across processes and restarts, no secret needed for a few buckets */

	for (size_t i = 0; i < user.n; i++)
		h = (h ^ (unsigned char)user.p[i]) * 0x100000001b3;
	return n > 1 ? (unsigned)(h % n) : 0;
}

/* What store says to OPEN_MAIL: the session begins, or why not. */
enum mail_verdict {
	MAIL_OPENED,
	MAIL_REFUSED, /* the words are for the log */
	MAIL_LIMIT,   /* the user has too many sessions */
};

#endif
