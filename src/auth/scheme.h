/* scheme.h - the kinds of password hashes, one row each; private to src/auth. */
#ifndef POSTERN_AUTH_SCHEME_H
#define POSTERN_AUTH_SCHEME_H

#include <stdbool.h>

#include <postern/core/err.h>
#include <postern/core/str.h>

struct scheme {
	const char *name;   /* as `user show` prints it */
	const char *prefix; /* the hash begins so */
	/* True if such a hash asks for no more work than we are ready to do, and is whole. */
	bool (*sound)(struct str hash, const char **why);
	/* True if the password (any bytes without NUL) is the one of this hash; *broken when that cannot be said. */
	bool (*match)(const char *hash, struct str password, bool *broken);
};

/* The row for a hash string, or NULL. */
const struct scheme *scheme_of(struct str hash);

/* "{SHA512-CRYPT}$6$…" → the row and the bare hash. *plain: the rest is the password itself. False with words for the
 * administrator when there is no row, or it is a kind that is not taken over. */
bool scheme_parse(struct str text, const struct scheme **scheme, struct str *rest, bool *plain, struct err *e);

/* argon2id parameters of a hash string: "$argon2id$v=19$m=…,t=…,p=…$salt$hash". */
bool scheme_argon2_cost(struct str hash, uint64_t *memory, unsigned *passes);

#endif
