/* identity.h - from what somebody typed as his name to a canonical address; private to src/auth. */
#ifndef POSTERN_AUTH_IDENTITY_H
#define POSTERN_AUTH_IDENTITY_H

#include <stdbool.h>

#include <postern/conf/conf.h>
#include <postern/core/arena.h>
#include <postern/core/str.h>

/* The account that a login name means: prepared (password.h), with the first configured domain when there is no "@".
 * False: no account can have such a name; *canonical is then something to keep the ledger by. */
bool identity_of_login(const struct conf *conf, struct str typed, struct arena *a, struct str *canonical);

/* An envelope or header address in canonical account form. False when it is none. */
bool identity_of_address(struct str text, bool utf8, struct arena *a, struct str *canonical);

#endif
